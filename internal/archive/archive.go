// Package archive is the file that a log travels in: JSON Lines, from which any
// store can be made again with the same positions.
//
// # The format
//
// The first line is the header:
//
//	{"chirp":"log","format":1,"epoch":"…","head":2,"credentials":true}
//
// head is the position of the last event; credentials is left out when they do
// not travel along. If they do, the next lines are the token secret in base64
// (left out if the store has none), the users' password hashes in the order of
// the users' ids, and a line that counts them:
//
//	{"tokenSecret":"…"}
//	{"user":"user_…","hash":"…"}
//	{"credentials":1}
//
// They come before the events, as a registration saves the credential before it
// appends the event: whoever reads the file in order never has an account
// without its password. Then follow the events, one a line, from position 1 to
// head:
//
//	{"position":1,"stream":"user:user_…","version":1,"type":"user.registered.v1","data":{…},"recordedAt":"2024-05-17T18:29:59.123Z",
//	 "actor":"…","commandId":"…","correlationId":"…","traceId":"…","command":{"fingerprint":"…","events":2}}
//
// (in one line). correlationId and traceId are left out if empty; command is on
// the first event of an append alone, where events says how many events the
// append has. Each line ends with a line feed, and nothing follows the event at
// head. The data keep the order of their keys; white space, escapes and the
// notation of numbers have one form (see canonical.go), so that a log has one
// archive, whatever store it is in. An archive may be compressed with gzip.
package archive

import (
	"encoding/json"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Format is the version of the format that is written, and the only one that is
// read.
const Format = 1

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Header is the first line of an archive.
type Header struct {
	// Epoch is the log's.
	Epoch string
	// Head is the position of the last event.
	Head domain.Position
	// Credentials says whether they, and the token secret, are in the archive.
	Credentials bool
}

// headerLine is a Header as it is written.
type headerLine struct {
	Chirp       string          `json:"chirp"`
	Format      int             `json:"format"`
	Epoch       string          `json:"epoch"`
	Head        domain.Position `json:"head"`
	Credentials bool            `json:"credentials,omitempty"`
}

// eventLine is an event as it is read.
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

// secretLine is any line of the credentials.
type secretLine struct {
	TokenSecret []byte        `json:"tokenSecret,omitempty"`
	User        domain.UserID `json:"user,omitempty"`
	Hash        string        `json:"hash,omitempty"`
	Credentials *int          `json:"credentials,omitempty"`
}
