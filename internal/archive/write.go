package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Source is what an archive is written from.
type Source struct {
	Log eventstore.Log
	// Credentials has the users' access; nil if all users are enabled, at epoch 0.
	Credentials auth.Credentials
	// Secrets reports whether to write the credentials and the token secret too.
	Secrets bool
	// Progress, if set, is called periodically.
	Progress func(at, head domain.Position)
}

// readEvents is the number of events read at a time.
const readEvents = 1000

// Write writes the archive of a log as it is when Write is called, without events
// that are appended later. The log may be in use. The same log and the same users
// result in the same bytes every time. Write returns an error unless it has written every
// event from position 1 to the head in the header, and the log was not replaced
// meanwhile. If the credentials are lost, the archive says so; with Secrets, that is an
// error.
func Write(ctx context.Context, w io.Writer, s Source) (Header, error) {
	head, err := readHead(ctx, s.Log)
	if err != nil {
		return Header{}, err
	}
	h := Header{Epoch: head.Epoch, Head: head.Position, Credentials: s.Secrets, Access: s.Secrets}
	if !s.Secrets { // after the head, so that every account up to it has its credential
		h.Access, err = s.anyUser(ctx)
		h.AccessLost = errors.Is(err, auth.ErrCredentialsLost)
		if err != nil && !h.AccessLost {
			return Header{}, err
		}
	}
	out := &writer{out: bufio.NewWriterSize(w, 1<<16)}
	if err := out.json(newHeaderLine(h)); err != nil {
		return Header{}, err
	}
	if h.Access {
		if err := out.accounts(ctx, s); err != nil {
			return Header{}, err
		}
	}
	if err := out.events(ctx, s, h.Head); err != nil {
		return Header{}, err
	}
	end, err := s.Log.Head(ctx)
	switch {
	case err != nil:
		return Header{}, err
	case end.Epoch != h.Epoch || end.Position < h.Head:
		return Header{}, domain.Errorf(domain.Invalid, "the log was replaced while it was read: it ended at %d, and now ends at %d", h.Head, end.Position)
	}
	return h, out.out.Flush()
}

// readHead returns where the log ends. It takes the log to be empty only if there
// is no event to read either.
func readHead(ctx context.Context, log eventstore.Log) (eventstore.Head, error) {
	head, err := log.Head(ctx)
	if err != nil || head.Position > 0 {
		return head, err
	}
	events, err := log.ReadAll(ctx, 0, 1)
	if err != nil || len(events) == 0 {
		return head, err
	}
	if head, err = log.Head(ctx); err == nil && head.Position < events[0].Position { // otherwise the first was just appended
		err = domain.Errorf(domain.Invalid, "the log reports that it ends at %d, but has an event at position %d", head.Position, events[0].Position)
	}
	return head, err
}

type writer struct {
	out  *bufio.Writer
	line []byte
}

// json writes a line other than an event.
func (w *writer) json(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(line, '\n'))
	return err
}

// accounts writes the lines about accounts.
func (w *writer) accounts(ctx context.Context, s Source) error {
	if s.Secrets {
		if err := w.tokenSecret(ctx, s.Credentials); err != nil {
			return err
		}
	}
	return w.users(ctx, s)
}

func (w *writer) tokenSecret(ctx context.Context, c auth.Credentials) error {
	secret, err := c.Secret(ctx, nil)
	if err != nil || len(secret) == 0 {
		return err
	}
	return w.json(accountLine{TokenSecret: secret})
}

// users writes a line for each user, and one with their number.
func (w *writer) users(ctx context.Context, s Source) error {
	n := 0
	for c, err := range s.users(ctx) {
		if err == nil {
			err = w.json(accountLine{User: c.User, Hash: c.Hash, Access: newAccessLine(c.Access)})
		}
		if err != nil {
			return err
		}
		n++
	}
	if s.Secrets {
		return w.json(accountLine{Credentials: &n})
	}
	return w.json(accountLine{Users: &n})
}

// users returns an iterator over what the archive has of each user. Without secrets
// that is only what must stay true in a copy: that a user is disabled, and the epoch,
// so that tokens which were ended are refused there too.
func (s Source) users(ctx context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for c, err := range s.Credentials.All(ctx) {
			if !s.Secrets {
				c.Hash, c.Access.Sessions = "", nil
			}
			if (err != nil || !c.Empty()) && !yield(c, err) {
				return
			}
		}
	}
}

// anyUser reports whether users returns any.
func (s Source) anyUser(ctx context.Context) (bool, error) {
	if s.Credentials == nil {
		return false, nil
	}
	for _, err := range s.users(ctx) {
		return err == nil, err
	}
	return false, nil
}

// events writes all events from position 1 to the head.
func (w *writer) events(ctx context.Context, s Source, head domain.Position) error {
	for at := domain.Position(0); at < head; {
		events, err := s.Log.ReadAll(ctx, at, int(min(readEvents, head-at)))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return fmt.Errorf("the log ends at %d, short of its head %d", at, head)
		}
		for _, e := range events {
			if at++; e.Position != at || at > head {
				return fmt.Errorf("the log has position %d instead of %d, with its head at %d", e.Position, at, head)
			}
			if err := w.event(e); err != nil {
				return fmt.Errorf("event %d: %w", e.Position, err)
			}
		}
		if s.Progress != nil {
			s.Progress(at, head)
		}
	}
	return nil
}

func (w *writer) event(e eventstore.Event) (err error) {
	b := append(w.line[:0], `{"position":`...)
	b = strconv.AppendInt(b, int64(e.Position), 10)
	b = appendField(b, "stream", string(e.Stream))
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, e.Version, 10)
	b = appendField(b, "type", e.Type)
	b = append(b, `,"data":`...)
	if b, err = appendCanonical(b, e.Data); err != nil {
		return err
	}
	b = append(b, `,"recordedAt":"`...)
	b = e.RecordedAt.UTC().AppendFormat(b, timeLayout)
	b = append(b, '"')
	b = appendField(b, "actor", e.Actor)
	b = appendField(b, "commandId", e.CommandID)
	if e.CorrelationID != "" {
		b = appendField(b, "correlationId", e.CorrelationID)
	}
	if e.TraceID != "" {
		b = appendField(b, "traceId", e.TraceID)
	}
	if e.Command != nil {
		b = append(b, `,"command":{"fingerprint":`...)
		b = appendString(b, e.Command.Fingerprint)
		b = append(b, `,"events":`...)
		b = strconv.AppendInt(b, int64(e.Command.Events), 10)
		b = append(b, '}')
	}
	w.line = append(b, '}', '\n')
	_, err = w.out.Write(w.line)
	return err
}

func appendField(b []byte, name, text string) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return appendString(b, text)
}
