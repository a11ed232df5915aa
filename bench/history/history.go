// Package history writes made-up logs as archives, for chirp import. It fills a
// store far faster than calls of the API could.
package history

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Writer writes events as lines of an archive. The first error is that of Close,
// and nothing is written after it.
type Writer struct {
	out      *bufio.Writer
	position domain.Position
	head     domain.Position
	at       time.Time
	err      error
}

// NewWriter returns a Writer that has written the header of an archive with head
// events, and credentials.
func NewWriter(out io.Writer, epoch string, head int, c Credentials) *Writer {
	w := &Writer{out: bufio.NewWriterSize(out, 1<<20), head: domain.Position(head), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	credentials := `,"access":false`
	if len(c.Users) > 0 {
		credentials = `,"credentials":true`
	}
	fmt.Fprintf(w.out, `{"chirp":"log","format":1,"epoch":%q,"head":%d%s}`+"\n", epoch, head, credentials)
	c.write(w)
	return w
}

// Close flushes what was written. It returns an error unless there were exactly
// as many events as the header says.
func (w *Writer) Close() error {
	if w.err == nil && w.position != w.head {
		w.err = fmt.Errorf("the history has %d events, its header says %d", w.position, w.head)
	}
	return errors.Join(w.err, w.out.Flush())
}

// Register writes the registration of a user.
func (w *Writer) Register(id domain.UserID, name domain.Username) {
	w.Append(name.Folded(), domain.UserRegistered{UserID: id, Username: name}, domain.UsernameReserved{UserID: id, Username: name})
}

// Append writes the events of one command.
func (w *Writer) Append(actor string, facts ...domain.Event) {
	a := eventstore.Append{
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: actor, ID: fmt.Sprintf("history-%d", w.position+1)}, Fingerprint: "history"},
		RecordedAt: w.at.Add(time.Duration(w.position) * time.Second),
	}
	for _, e := range facts {
		event, err := eventstore.Encode(e)
		w.fail(err)
		a.Events = append(a.Events, event)
	}
	for i, e := range a.At(w.position) {
		line := map[string]any{
			"position": e.Position, "stream": e.Stream, "version": e.Version, "type": e.Type, "data": e.Data,
			"recordedAt": format(e.RecordedAt), "actor": e.Actor, "commandId": e.CommandID,
		}
		if i == 0 {
			line["command"] = map[string]any{"fingerprint": a.Command.Fingerprint, "events": len(a.Events)}
		}
		w.line(line)
		w.position = e.Position
	}
}

func (w *Writer) line(v any) {
	if w.err == nil {
		w.err = json.NewEncoder(w.out).Encode(v)
	}
}

func (w *Writer) fail(err error) { w.err = errors.Join(w.err, err) }

// format formats a time as archives do.
func format(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// UserID returns the id of the n-th user.
func UserID(n int) domain.UserID { return domain.UserIDFrom(idOf(1, n)) }

// ChirpID returns the id of the n-th chirp.
func ChirpID(n int) domain.ChirpID { return domain.ChirpIDFrom(idOf(2, n)) }

// idOf returns the UUID (version 7) of the n-th entity of a kind.
func idOf(kind byte, n int) [16]byte {
	id := [16]byte{6: 0x70, 8: 0x80, 9: kind}
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}
