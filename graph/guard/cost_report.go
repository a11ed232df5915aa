package guard

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/request"
)

const costExtension = request.CostExtension

// costReport is the extension "cost" of a response, in the form that clients know
// from other APIs: what the operation cost, and how much its caller has left. The
// buckets are absent if there is no rate limit.
type costReport struct {
	RequestedQueryCost int           `json:"requestedQueryCost"`
	ThrottleStatus     *bucketReport `json:"throttleStatus,omitempty"` // what operations may cost
	Mutations          *bucketReport `json:"mutations,omitempty"`      // how many may be called
	Registrations      *bucketReport `json:"registrations,omitempty"`  // per address
}

// bucketReport is the state of a token bucket.
type bucketReport struct {
	MaximumAvailable   int     `json:"maximumAvailable"`
	CurrentlyAvailable int     `json:"currentlyAvailable"`
	RestoreRate        float64 `json:"restoreRate"` // per second
}

// reportCost adds the extension to a response if the request asks for it. It is a
// response middleware.
func (l *Limiter) reportCost(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil || !graphql.HasOperationContext(ctx) {
		return response
	}
	if oc := graphql.GetOperationContext(ctx); request.WantsCost(oc) && costOf(ctx, oc) > 0 {
		if response.Extensions == nil {
			response.Extensions = map[string]any{}
		}
		response.Extensions[costExtension] = l.report(ctx, oc)
	}
	return response
}

func (l *Limiter) report(ctx context.Context, oc *graphql.OperationContext) costReport {
	report := costReport{RequestedQueryCost: costOf(ctx, oc) + consulted(ctx)}
	if l.Costs == nil {
		return report
	}
	report.ThrottleStatus = l.Costs.report(ctx)
	report.Mutations = l.Mutations.report(ctx)
	report.Registrations = l.accounts.report(ctx)
	return report
}
