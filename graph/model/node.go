// Package model has the API's types. Those in models_gen.go are generated from the
// schema. The others are written by hand, because they have fields that the schema
// does not have.
package model

import (
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Node is an object with an id: *User or *Chirp.
type Node interface {
	IsNode()
}

// User is a user, either from an event just committed, which does not have all
// fields, or from the read model.
type User struct {
	ID       string
	Username string
	JoinedAt time.Time

	// Key is the user's key in the read model, or 0 for a user from an event.
	Key readmodel.UserKey
	// Profile is the user's row in the read model, or nil if it was not read.
	Profile *readmodel.Profile
	// Since is the position that a snapshot must show for the other fields.
	Since domain.Position
}

// IsNode implements Node.
func (*User) IsNode() {}

// Chirp is a chirp, either from an event just committed or from the read model.
type Chirp struct {
	ID       string
	Content  string
	PostedAt time.Time

	// AuthorKey is the author of a chirp from the read model, AuthorID that of a
	// chirp from an event.
	AuthorKey readmodel.UserKey
	AuthorID  domain.UserID
	// Since is the position that a snapshot must show for the author.
	Since domain.Position
}

// IsNode implements Node.
func (*Chirp) IsNode() {}
