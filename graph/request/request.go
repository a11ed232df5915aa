// Package request carries information about the HTTP request of an operation, from
// the transports to the guards and the resolvers.
package request

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/domain"
)

// ReadAfterHeader is the header with the least position that the client wants to see.
const ReadAfterHeader = "Chirp-Read-After"

// A request asks what its operation costs by the header with the value 1, or by the
// extension with the value true. The header in a socket's upgrade request asks for
// all operations on the socket.
const (
	costHeader = "Chirp-Cost"
	// CostExtension is the name of the extension, in the request and in the response.
	CostExtension = "cost"
)

// WantsCost reports whether a request asks what its operation costs.
func WantsCost(oc *graphql.OperationContext) bool {
	if asked, ok := oc.Extensions[CostExtension].(bool); ok {
		return asked
	}
	return oc.Headers.Get(costHeader) == "1"
}

// OfOperation returns those headers of a request that its operations may look at.
func OfOperation(h http.Header) http.Header {
	if asked, ok := h[costHeader]; ok {
		return http.Header{costHeader: asked}
	}
	return nil
}

// Info is information about a request. The operations of a socket have that of its
// upgrade request.
type Info struct {
	ID       string          // from its header, or a new one
	TraceID  string          // of its W3C trace, or empty
	Networks []string        // of the client, for limits, as network.Of returns them
	After    domain.Position // the least position that the client wants to see
}

// Address returns the narrowest of the client's networks, or "" if it is not known.
func (i Info) Address() string {
	if len(i.Networks) == 0 {
		return ""
	}
	return i.Networks[0]
}

type infoKey struct{}

// With returns a context that carries info.
func With(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// From returns the info that a context carries, or the zero Info.
func From(ctx context.Context) Info {
	info, _ := ctx.Value(infoKey{}).(Info)
	return info
}

// NewID returns an id for a request or an error: 16 random hexadecimal digits.
func NewID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
