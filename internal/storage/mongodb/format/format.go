// Package format reads and writes the documents of the log: each event's, and
// the one that says what the log must have. The documentation of package
// mongodb specifies them.
package format

import (
	"go.mongodb.org/mongo-driver/v2/bson"
)

// The names of the collections that more than one package uses.
const (
	EventsCollection      = "events"
	LogCollection         = "log"
	TicketsCollection     = "turns"
	ViewsCollection       = "views"
	CredentialsCollection = "credentials"
	SecretsCollection     = "secrets"
)

// LogID is the _id of the only document of LogCollection.
const LogID = "log"

// TokenSecretID is the _id of the token secret's document in
// SecretsCollection.
const TokenSecretID = "token"

// The fields of a LogDocument that are set and removed one by one.
const (
	FirstField     = "first"
	PasswordsField = "passwords"
	SecretField    = "secret"
)

// LogDocument is the only document of LogCollection. It records what must be in
// the database, so that a loss is not taken for a new, empty database.
type LogDocument struct {
	Epoch string `bson:"epoch"`
	// First identifies the event at position 1. It is zero while the log is
	// empty.
	First FirstEvent `bson:"first,omitempty"`
	// Passwords is set once an account has a credential.
	Passwords *PasswordMark `bson:"passwords,omitempty"`
	// Secret is set once there is a token secret.
	Secret bool `bson:"secret,omitempty"`
}

// FirstEvent identifies the event at position 1.
type FirstEvent struct {
	Stream    string `bson:"stream"`
	Actor     string `bson:"actor"`
	CommandID string `bson:"commandId"`
}

// PasswordMark names an account with a credential, and the UUID of the
// collection that holds it. A server never deletes the credential of an
// account, so a collection that holds it is the right one or a restored copy.
type PasswordMark struct {
	User       string       `bson:"user"`
	Collection *bson.Binary `bson:"collection"`
}

// TicketField is the field of a transaction's last event that has its ticket.
const TicketField = "turn"

// Exists is the condition that a field is there.
var Exists = bson.D{{Key: "$exists", Value: true}}
