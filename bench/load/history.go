package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// writeHistory writes the network as the archive of a log, for chirp import: first
// the registrations, then the follows and posts in random order.
func writeHistory(path string, o options, edges [][2]int, texts []string, r *rand.Rand) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	h := &history{out: bufio.NewWriterSize(f, 1<<20), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	head := 2*o.users + len(edges) + o.posts
	fmt.Fprintf(h.out, `{"chirp":"log","format":1,"epoch":"history-%d","head":%d}`+"\n", o.seed, head)
	for u := range o.users {
		id, name := userID(u), domain.Username(fmt.Sprintf("user_%d", u))
		h.append(name.Folded(), domain.UserRegistered{UserID: id, Username: name}, domain.UsernameReserved{UserID: id, Username: name})
	}
	for i, n := range r.Perm(len(edges) + o.posts) {
		if n < len(edges) {
			a, b := userID(edges[n][0]), userID(edges[n][1])
			h.append(string(a), domain.UserFollowed{FollowerID: a, FolloweeID: b})
			continue
		}
		author, chirp := userID(r.IntN(o.users)), domain.ChirpIDFrom(idOf(2, i))
		content, err := domain.ParseContent(strings.TrimSpace(texts[n%len(texts)]))
		if err != nil {
			return errors.Join(err, f.Close())
		}
		h.append(string(author), domain.ChirpPosted{ChirpID: chirp, AuthorID: author, Content: content})
	}
	return errors.Join(h.err, h.out.Flush(), f.Close())
}

func userID(n int) domain.UserID { return domain.UserIDFrom(idOf(1, n)) }

// idOf returns the UUID (version 7) of the n-th entity of a kind.
func idOf(kind byte, n int) [16]byte {
	id := [16]byte{6: 0x70, 8: 0x80, 9: kind}
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

// history writes events as lines of an archive.
type history struct {
	out      *bufio.Writer
	position domain.Position
	at       time.Time
	err      error
}

// append writes the events of one command.
func (h *history) append(actor string, facts ...domain.Event) {
	a := eventstore.Append{
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: actor, ID: fmt.Sprintf("history-%d", h.position+1)}, Fingerprint: "history"},
		RecordedAt: h.at.Add(time.Duration(h.position) * time.Second),
	}
	for _, e := range facts {
		event, err := eventstore.Encode(e)
		h.err = errors.Join(h.err, err)
		a.Events = append(a.Events, event)
	}
	for i, e := range a.At(h.position) {
		line := map[string]any{
			"position": e.Position, "stream": e.Stream, "version": e.Version, "type": e.Type, "data": e.Data,
			"recordedAt": e.RecordedAt.Format("2006-01-02T15:04:05.000Z07:00"), "actor": e.Actor, "commandId": e.CommandID,
		}
		if i == 0 {
			line["command"] = map[string]any{"fingerprint": a.Command.Fingerprint, "events": len(a.Events)}
		}
		h.err = errors.Join(h.err, json.NewEncoder(h.out).Encode(line))
		h.position = e.Position
	}
}
