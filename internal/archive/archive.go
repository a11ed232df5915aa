// Package archive reads and writes archives of a log. An archive is a JSON Lines
// file from which any store can be restored with the same positions.
//
// # Format
//
// The first line is the header:
//
//	{"chirp":"log","format":1,"epoch":"…","head":2,"access":true}
//
// head is the position of the last event. access is false if no user is disabled or
// has ever ended all sessions. Otherwise the next lines are what stays true of those
// users in a copy, ordered by user id, and a line with their number:
//
//	{"user":"user_…","access":{"epoch":1,"disabled":true}}
//	{"users":1}
//
// If the store has lost its credentials, and so does not know of such users, the header
// has "accessLost":true instead. Archives of earlier versions have neither, and do not
// say who is disabled.
//
// An archive with credentials has in its header "credentials":true instead of
// access. The next lines are then the token secret in base64 (omitted if the store
// has none), the users' password hashes and access ordered by user id, and a line
// with the number of users:
//
//	{"tokenSecret":"…"}
//	{"user":"user_…","hash":"…","access":{"epoch":1,"disabled":true,
//	 "sessions":[{"id":"session_…","epoch":1,"started":"2024-05-17T18:29:59.123Z","expires":"2024-06-16T18:29:59.123Z"}]}}
//	{"credentials":1}
//
// (each on one line). hash is omitted for a user without a password; access, and each
// of its members, if they are zero.
//
// These lines precede the events, as a registration saves the credential before it
// appends the event: a reader of the file never has an account without its
// password. The events follow, one per line, from position 1 to head:
//
//	{"position":1,"stream":"user:user_…","version":1,"type":"user.registered.v1","data":{…},"recordedAt":"2024-05-17T18:29:59.123Z",
//	 "actor":"…","commandId":"…","correlationId":"…","traceId":"…","command":{"fingerprint":"…","events":2}}
//
// (on one line). correlationId and traceId are omitted if they are empty. Only the
// first event of an append has a command, whose events is the number of events in
// the append. Each line ends with a line feed, and nothing follows the event at
// head. Data keeps the order of its keys; white space, escapes and the notation
// of numbers are canonical (see canonical.go), so that a log has the same archive
// in whatever store it is. An archive may be compressed with gzip.
package archive

import (
	"encoding/json"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Format is the version of the format, the only one that is read and written.
const Format = 1

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Header is the first line of an archive.
type Header struct {
	// Epoch is the log's epoch.
	Epoch string
	// Head is the position of the last event.
	Head domain.Position
	// Credentials is set if the archive has credentials and the token secret.
	Credentials bool
	// Access is set if the archive has the access of users, as it does with
	// credentials. If neither Access, AccessLost nor AccessOmitted is set, all users
	// are enabled and at epoch 0.
	Access bool
	// AccessLost is set if the store had lost the access of its users.
	AccessLost bool
	// AccessOmitted is set if the archive does not say whether it has the access of
	// users. Write never sets it.
	AccessOmitted bool
}

// headerLine is the JSON form of a Header.
type headerLine struct {
	Chirp       string          `json:"chirp"`
	Format      int             `json:"format"`
	Epoch       string          `json:"epoch"`
	Head        domain.Position `json:"head"`
	Credentials bool            `json:"credentials,omitempty"`
	Access      *bool           `json:"access,omitempty"`
	AccessLost  bool            `json:"accessLost,omitempty"`
}

func newHeaderLine(h Header) headerLine {
	line := headerLine{Chirp: "log", Format: Format, Epoch: h.Epoch, Head: h.Head, Credentials: h.Credentials, AccessLost: h.AccessLost}
	if !h.Credentials && !h.AccessLost {
		line.Access = &h.Access
	}
	return line
}

func (l headerLine) header() Header {
	return Header{
		Epoch: l.Epoch, Head: l.Head, Credentials: l.Credentials, Access: l.Credentials || l.Access != nil && *l.Access,
		AccessLost: l.AccessLost, AccessOmitted: !l.Credentials && !l.AccessLost && l.Access == nil,
	}
}

// eventLine is the JSON form of an event.
type eventLine struct {
	Position      domain.Position `json:"position"`
	Stream        domain.StreamID `json:"stream"`
	Version       int64           `json:"version"`
	Type          string          `json:"type"`
	Data          json.RawMessage `json:"data"`
	RecordedAt    time.Time       `json:"recordedAt"`
	Actor         string          `json:"actor"`
	CommandID     string          `json:"commandId"`
	CorrelationID string          `json:"correlationId"`
	TraceID       string          `json:"traceId"`
	Command       *struct {
		Fingerprint string `json:"fingerprint"`
		Events      int    `json:"events"`
	} `json:"command"`
}

func (l eventLine) event() eventstore.Event {
	e := eventstore.Event{
		Position: l.Position, Stream: l.Stream, Version: l.Version, Type: l.Type, Data: l.Data, RecordedAt: l.RecordedAt.UTC(),
		Actor: l.Actor, CommandID: l.CommandID, CorrelationID: l.CorrelationID, TraceID: l.TraceID,
	}
	if l.Command != nil {
		e.Command = &eventstore.CommandMark{Fingerprint: l.Command.Fingerprint, Events: l.Command.Events}
	}
	return e
}

// accountLine is the JSON form of any line about accounts.
type accountLine struct {
	TokenSecret []byte        `json:"tokenSecret,omitempty"`
	User        domain.UserID `json:"user,omitempty"`
	Hash        string        `json:"hash,omitempty"`
	Access      *accessLine   `json:"access,omitempty"`
	Credentials *int          `json:"credentials,omitempty"`
	Users       *int          `json:"users,omitempty"`
}

// secret reports whether a line has what only an archive with credentials has.
func (l accountLine) secret() bool {
	return l.TokenSecret != nil || l.Hash != "" || l.Credentials != nil || l.Access != nil && len(l.Access.Sessions) > 0
}
