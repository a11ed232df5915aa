package eventstoretest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func readCases() []Case {
	return []Case{
		{"an event keeps its envelope", keepsEnvelope},
		{"data keeps its meaning", keepsData},
		{"load returns one stream in version order", loadsOneStream},
		{"read all returns at most limit events after a position", readsWindows},
		{"hashes are those of existing events", givesHashes},
		{"a read after its context ended is not an empty log", readsAfterEnd},
		{"head keeps the epoch and distinguishes logs", headIsStable},
	}
}

func eventstoreID(parts ...int) domain.StreamID {
	return domain.StreamID(strings.ReplaceAll(strings.Trim(fmt.Sprint(parts), "[]"), " ", ":"))
}

func keepsEnvelope(t testing.TB, open Open) {
	log := open(t)
	full := command("Ünïcode ☃ id", to("stream:☃:<&>", 0, 1))
	full.Command.Actor = "user_☃"
	bare := command("bare", to("bare", 0, 1))
	bare.CorrelationID, bare.TraceID = "", ""
	bare.RecordedAt = time.Date(2024, 1, 1, 0, 0, 0, 999_999_999, time.UTC)
	wantEvents(t, "commit", mustAppend(t, log, full).Events, full.At(0))
	wantEvents(t, "commit", mustAppend(t, log, bare).Events, bare.At(1))
	want := append(full.At(0), bare.At(1)...)
	if got, whole := want[1].RecordedAt, time.Date(2024, 1, 1, 0, 0, 0, 999_000_000, time.UTC); !got.Equal(whole) {
		t.Fatalf("At: got recorded at %v, want %v", got, whole)
	}
	wantEvents(t, "ReadAll", everything(t, log), want)
	loaded, err := log.Load(guarded(t), full.Events[0].Stream)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	wantEvents(t, "Load", loaded, want[:1])
	followed, err := follow(guarded(t), log, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, "Follow", followed, want)
}

func keepsData(t testing.TB, open Open) {
	log := open(t)
	s := write{stream: "s"}
	for _, data := range []string{
		`{}`,
		`{"text":"Straße ☃ 👩‍👩‍👧 \u0000 \u2028 \" \\ / <script>&amp;</script>\n\ttail "}`,
		`{ "spaced" : [ ] , "nested":{"list":[1,[2,{"three":3}],{}],"null":null,"yes":true,"no":false,"empty":""} }`,
		`{"numbers":[0,-1,1.5,0.1,1e3,9007199254740993,-9223372036854775808,9223372036854775807]}`,
		`{"$x":"1","a.b":{"c.d":2},"z":1,"a":2,"Z":3}`,
		`{"long":"` + strings.Repeat("0123456789abcdef", 4096) + `"}`,
	} {
		s.events = append(s.events, eventstore.NewEvent{Stream: "s", Type: "data.kept.v1", Data: json.RawMessage(data)})
	}
	a := command("it", s)
	want := a.At(0)
	wantEvents(t, "commit", mustAppend(t, log, a).Events, want)
	wantEvents(t, "ReadAll", everything(t, log), want)
	loaded, err := log.Load(guarded(t), "s")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	wantEvents(t, "Load", loaded, want)
	again, err := log.Append(guarded(t), a)
	if err != nil {
		t.Fatalf("Append again: %v", err)
	}
	wantEvents(t, "repeat", again.Events, want)
}

func unmarshalNumbers(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

func loadsOneStream(t testing.TB, open Open) {
	log := open(t)
	names := []domain.StreamID{"s:1", "s:10", "s", "S:1", "s:1 ", "s:%", "s:_"}
	want := map[domain.StreamID][]eventstore.Event{}
	for round := range int64(12) {
		for _, name := range names {
			commit := mustAppend(t, log, command(fmt.Sprintf("%s at %d", name, round), to(name, round, 1)))
			want[name] = append(want[name], commit.Events...)
		}
	}
	for _, name := range append(names, "none", "s:") {
		got, err := log.Load(guarded(t), name)
		if err != nil {
			t.Fatalf("Load %s: %v", name, err)
		}
		wantEvents(t, "Load "+string(name), got, want[name])
	}
}

func readsWindows(t testing.TB, open Open) {
	log := open(t)
	for _, after := range []domain.Position{0, 1} {
		if got, err := log.ReadAll(guarded(t), after, 10); len(got) != 0 || err != nil {
			t.Errorf("ReadAll of an empty log: got %d events, error %v; want none", len(got), err)
		}
	}
	fill(t, log, "s", 10)
	all := everything(t, log)
	if len(all) != 10 {
		t.Fatalf("ReadAll: got %d events, want 10", len(all))
	}
	for _, c := range []struct {
		after       domain.Position
		limit       int
		first, last int // of the events wanted, last exclusive
	}{
		{0, 1, 0, 1}, {0, 4, 0, 4}, {4, 4, 4, 8}, {8, 4, 8, 10}, {0, 10, 0, 10}, {0, 11, 0, 10},
		{9, 1, 9, 10}, {10, 5, 10, 10}, {50, 5, 10, 10},
	} {
		got, err := log.ReadAll(guarded(t), c.after, c.limit)
		if err != nil {
			t.Fatalf("ReadAll after %d: %v", c.after, err)
		}
		wantEvents(t, fmt.Sprintf("ReadAll after %d, at most %d", c.after, c.limit), got, all[c.first:c.last])
	}
}

func givesHashes(t testing.TB, open Open) {
	log := open(t)
	events := slices.Concat(mustAppend(t, log, command("one", to("s", 0, 2), to("t", 0, 1))).Events, mustAppend(t, log, command("two", to("s", 2, 1))).Events)
	for _, positions := range [][]domain.Position{nil, {3}, {1, 2, 3, 4}, {4, 2, 2}, {5}, {-1, 0, 1, 1 << 40}} {
		got, err := log.Hashes(guarded(t), positions)
		if err != nil {
			t.Fatalf("Hashes of %v: %v", positions, err)
		}
		want := map[domain.Position]domain.EventHash{}
		for _, p := range positions {
			if p > 0 && int(p) <= len(events) {
				want[p] = domain.HashEvent(events[p-1].Stream, events[p-1].RecordedAt)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("Hashes of %v: got %v, want %v", positions, got, want)
		}
	}
}

func readsAfterEnd(t testing.TB, open Open) {
	log := open(t)
	commit := mustAppend(t, log, command("it", to("s", 0, 3)))
	ended, cancel := context.WithCancel(guarded(t))
	cancel()
	if got, err := log.ReadAll(ended, 0, 10); err == nil {
		wantEvents(t, "ReadAll", got, commit.Events)
	}
	if got, err := log.Load(ended, "s"); err == nil {
		wantEvents(t, "Load", got, commit.Events)
	}
	if got, found, err := log.Committed(ended, eventstore.CommandKey{Actor: "actor", ID: "it"}); err == nil {
		if !found {
			t.Fatal("Committed: got none and no error")
		}
		wantEvents(t, "Committed", got.Events, commit.Events)
	}
	if got, err := log.Head(ended); err == nil && got.Position != 3 {
		t.Errorf("Head: got position %d and no error", got.Position)
	}
}

func headIsStable(t testing.TB, open Open) {
	log, other := open(t), open(t)
	epoch := ""
	for i := range 3 {
		head, err := log.Head(guarded(t))
		if err != nil || head.Epoch == "" || head.Position != domain.Position(i) {
			t.Fatalf("Head: got %+v, error %v; want an epoch and position %d", head, err, i)
		}
		if epoch != "" && head.Epoch != epoch {
			t.Fatalf("Head: got epoch %s, want %s as before", head.Epoch, epoch)
		}
		epoch = head.Epoch
		mustAppend(t, log, command(fmt.Sprint(i), to("s", int64(i), 1)))
	}
	head, err := other.Head(guarded(t))
	if err != nil || head.Epoch == epoch || head.Position != 0 {
		t.Errorf("Head of another log: got %+v, error %v; want an epoch of its own and position 0", head, err)
	}
}
