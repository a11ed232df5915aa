// Package model holds the API's types: those in models_gen.go are generated from
// the schema, the others are made by hand because they carry what the schema
// does not show.
package model

import (
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Node is a thing with an id of its own: *User or *Chirp.
type Node interface {
	IsNode()
}

// User is a user as far as it is known without asking the read model: from an
// event just committed, or from a profile.
type User struct {
	ID       string
	Username string
	JoinedAt time.Time

	// Profile is the user's row when the read model gave it.
	Profile *readmodel.Profile
	// Since is the position that a read of what is not known yet must see.
	Since domain.Position
}

// IsNode implements Node.
func (*User) IsNode() {}

// Chirp is a chirp, from an event just committed or from the read model.
type Chirp struct {
	ID       string
	Content  string
	PostedAt time.Time

	// AuthorKey names the author when the read model gave the chirp, AuthorID
	// when an event did.
	AuthorKey readmodel.UserKey
	AuthorID  domain.UserID
	// Since is the position that a read of the author must see.
	Since domain.Position
}

// IsNode implements Node.
func (*Chirp) IsNode() {}
