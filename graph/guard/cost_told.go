package guard

import (
	"context"
	"math"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/request"
)

// A request asks what its operation costs by one of these: the header, with the
// value 1, or the extension, with the value true. Those of a socket's upgrade
// request ask for all its operations.
const (
	costHeader    = "Chirp-Cost"
	costExtension = "cost"
)

// toldCost is the extension "cost" of a response, in the form that clients know
// from other APIs: what the operation cost, and what is left to its caller. The
// buckets are left out where there is no rate limit.
type toldCost struct {
	RequestedQueryCost int         `json:"requestedQueryCost"`
	ThrottleStatus     *toldBucket `json:"throttleStatus,omitempty"` // what operations may cost
	Mutations          *toldBucket `json:"mutations,omitempty"`      // how many may be called
	LogIns             *toldBucket `json:"logIns,omitempty"`         // of the address, with registrations
}

// toldBucket is a bucket and what is in it.
type toldBucket struct {
	MaximumAvailable   int     `json:"maximumAvailable"`
	CurrentlyAvailable int     `json:"currentlyAvailable"`
	RestoreRate        float64 `json:"restoreRate"` // a second
}

func asksForCost(oc *graphql.OperationContext) bool {
	if asked, ok := oc.Extensions[costExtension].(bool); ok {
		return asked
	}
	return oc.Headers.Get(costHeader) == "1"
}

// tellCost adds the extension to the responses of those who ask for it.
func (t *throttle) tellCost(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil || !graphql.HasOperationContext(ctx) {
		return response
	}
	if oc := graphql.GetOperationContext(ctx); asksForCost(oc) && costOf(ctx, oc) > 0 {
		if response.Extensions == nil {
			response.Extensions = map[string]any{}
		}
		response.Extensions[costExtension] = t.cost(ctx, oc)
	}
	return response
}

func (t *throttle) cost(ctx context.Context, oc *graphql.OperationContext) toldCost {
	told := toldCost{RequestedQueryCost: costOf(ctx, oc)}
	if t == nil {
		return told
	}
	now, caller := t.now(), callerKeyOf(ctx)
	told.ThrottleStatus = t.costs.tell(caller, now)
	told.Mutations = t.commands.tell(caller, now)
	told.LogIns = t.passwords.tell(request.From(ctx).Address, now)
	return told
}

// tell returns what is in a caller's bucket, in whole tokens.
func (b *buckets) tell(name string, now time.Time) *toldBucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := float64(b.burst)
	if limiter, ok := b.byName.Peek(name); ok {
		left = limiter.TokensAt(now)
	}
	return &toldBucket{MaximumAvailable: b.burst, CurrentlyAvailable: max(0, int(math.Floor(left))), RestoreRate: float64(b.limit)}
}
