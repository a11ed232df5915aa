// Package request carries what is known of the HTTP request that an operation
// came in with, from the transports to whatever asks for it.
package request

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"chirp/internal/domain"
)

// ReadAfterHeader is the header with the position that a client wants to see.
const ReadAfterHeader = "Chirp-Read-After"

// Info is what is known of a request. The operations of a socket have that of
// its upgrade request.
type Info struct {
	ID      string          // the request's, from its header or made here
	TraceID string          // of the W3C trace that the request belongs to, or empty
	Address string          // the client's, for rate limits
	After   domain.Position // what the client wants to see at least
}

type infoKey struct{}

// With returns a context that carries info.
func With(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// From returns the info that a context carries, zero if it carries none.
func From(ctx context.Context) Info {
	info, _ := ctx.Value(infoKey{}).(Info)
	return info
}

// NewID returns 16 random hexadecimal digits, which name a request or a fault.
func NewID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
