package guard

import (
	"context"
	"math"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/request"
)

// A request asks what its operation costs by the header with the value 1, or by the
// extension with the value true. The header in a socket's upgrade request asks for
// all operations on the socket.
const (
	costHeader    = "Chirp-Cost"
	costExtension = "cost"
)

// costReport is the extension "cost" of a response, in the form that clients know
// from other APIs: what the operation cost, and how much its caller has left. The
// buckets are absent if there is no rate limit.
type costReport struct {
	RequestedQueryCost int           `json:"requestedQueryCost"`
	ThrottleStatus     *bucketReport `json:"throttleStatus,omitempty"` // what operations may cost
	Mutations          *bucketReport `json:"mutations,omitempty"`      // how many may be called
	LogIns             *bucketReport `json:"logIns,omitempty"`         // and registrations, per address
}

// bucketReport is the state of a token bucket.
type bucketReport struct {
	MaximumAvailable   int     `json:"maximumAvailable"`
	CurrentlyAvailable int     `json:"currentlyAvailable"`
	RestoreRate        float64 `json:"restoreRate"` // per second
}

func wantsCost(oc *graphql.OperationContext) bool {
	if asked, ok := oc.Extensions[costExtension].(bool); ok {
		return asked
	}
	return oc.Headers.Get(costHeader) == "1"
}

// reportCost adds the extension to a response if the request asks for it. It is a
// response middleware.
func (l *rateLimiter) reportCost(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil || !graphql.HasOperationContext(ctx) {
		return response
	}
	if oc := graphql.GetOperationContext(ctx); wantsCost(oc) && costOf(ctx, oc) > 0 {
		if response.Extensions == nil {
			response.Extensions = map[string]any{}
		}
		response.Extensions[costExtension] = l.report(ctx, oc)
	}
	return response
}

func (l *rateLimiter) report(ctx context.Context, oc *graphql.OperationContext) costReport {
	report := costReport{RequestedQueryCost: costOf(ctx, oc)}
	if l == nil {
		return report
	}
	now, caller := l.now(), callerKey(ctx)
	report.ThrottleStatus = l.costs.report(caller, now)
	report.Mutations = l.commands.report(caller, now)
	report.LogIns = l.passwords.report(request.From(ctx).Address, now)
	return report
}

// report returns the state of a caller's bucket, in whole tokens.
func (b *buckets) report(name string, now time.Time) *bucketReport {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := float64(b.burst)
	if limiter, ok := b.byName.Peek(name); ok {
		left = limiter.TokensAt(now)
	}
	return &bucketReport{MaximumAvailable: b.burst, CurrentlyAvailable: max(0, int(math.Floor(left))), RestoreRate: float64(b.limit)}
}
