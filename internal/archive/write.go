package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Source is what an archive is written from.
type Source struct {
	Log eventstore.Log
	// Credentials travel along unless nil.
	Credentials auth.Credentials
	// Progress, if set, is told now and then how far it is.
	Progress func(at, head domain.Position)
}

// readEvents is how many events are read at a time.
const readEvents = 1000

// Write writes the archive of a log as it is when Write begins; what is
// appended meanwhile is left out. The log may be in use. The same log gives the
// same bytes every time.
func Write(ctx context.Context, w io.Writer, s Source) (Header, error) {
	head, err := s.Log.Head(ctx)
	if err != nil {
		return Header{}, err
	}
	h := Header{Epoch: head.Epoch, Head: head.Position, Credentials: s.Credentials != nil}
	out := &writer{out: bufio.NewWriterSize(w, 1<<16)}
	if err := out.json(headerLine{"log", Format, h.Epoch, h.Head, h.Credentials}); err != nil {
		return Header{}, err
	}
	if s.Credentials != nil { // after the head was read: every account up to it has its credential
		if err := out.credentials(ctx, s.Credentials); err != nil {
			return Header{}, err
		}
	}
	if err := out.events(ctx, s, h.Head); err != nil {
		return Header{}, err
	}
	return h, out.out.Flush()
}

type writer struct {
	out  *bufio.Writer
	line []byte
}

// json writes a line that is not one of the many.
func (w *writer) json(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(line, '\n'))
	return err
}

func (w *writer) credentials(ctx context.Context, c auth.Credentials) error {
	secret, err := c.Secret(ctx, nil)
	if err != nil {
		return err
	}
	if len(secret) > 0 {
		if err := w.json(secretLine{TokenSecret: secret}); err != nil {
			return err
		}
	}
	n := 0
	for credential, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		n++
		if err := w.json(secretLine{User: credential.User, Hash: credential.Hash}); err != nil {
			return err
		}
	}
	return w.json(secretLine{Credentials: &n})
}

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
			if err := w.event(e); err != nil {
				return fmt.Errorf("event %d: %w", e.Position, err)
			}
		}
		at = events[len(events)-1].Position
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
