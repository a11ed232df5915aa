package eventlog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/format"
)

// waiting makes an append from its command and its streams, such as "c a b".
func waiting(text string, bytes int) *pending {
	names := strings.Fields(text)
	p := &pending{bytes: bytes}
	p.append.Command.CommandKey = eventstore.CommandKey{Actor: "a", ID: names[0]}
	for _, s := range names[1:] {
		p.append.Events = append(p.append.Events, eventstore.NewEvent{Stream: domain.StreamID(s)})
		p.docs = append(p.docs, format.Document{})
	}
	return p
}

func TestGroupsOfAQueue(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue []string
		bytes int
		want  []string // the commands of each group in turn
	}{
		{"appends without anything in common go together", []string{"1 a", "2 b", "3 c d"}, 1, []string{"1 2 3"}},
		{"those of one stream go one after the other", []string{"1 a", "2 a", "3 a"}, 1, []string{"1", "2", "3"}},
		{"a repeated command waits for the first", []string{"1 a", "1 b", "2 c"}, 1, []string{"1 2", "1"}},
		{"one that waits is not overtaken on its other streams", []string{"1 a", "2 a b", "3 b", "4 c"}, 1, []string{"1 4", "2", "3"}},
		{"large ones go apart", []string{"1 a", "2 b", "3 c"}, groupBytes/2 + 1, []string{"1", "2", "3"}},
		{"one that is larger than a group goes alone", []string{"1 a", "2 b"}, 2 * groupBytes, []string{"1", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := queue{changed: make(chan struct{}, 1)}
			for _, text := range c.queue {
				q.add(waiting(text, c.bytes))
			}
			var got []string
			for !q.empty() {
				var commands []string
				for _, p := range q.take() {
					commands = append(commands, p.append.Command.ID)
				}
				got = append(got, strings.Join(commands, " "))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got groups %q, want %q", got, c.want)
			}
		})
	}
}

func TestAGroupIsBounded(t *testing.T) {
	q := queue{changed: make(chan struct{}, 1)}
	const appends = groupEvents + 10
	for i := range appends {
		q.add(waiting(fmt.Sprintf("c%d s%d", i, i), 1))
	}
	if first, second := len(q.take()), len(q.take()); first != groupEvents || second != appends-groupEvents {
		t.Errorf("got groups of %d and %d, want %d and %d", first, second, groupEvents, appends-groupEvents)
	}
}

func TestAnAppendWhoseCallerGaveUpLeavesTheQueue(t *testing.T) {
	q := queue{changed: make(chan struct{}, 1)}
	one, other := waiting("1 a", 1), waiting("2 b", 1)
	q.add(one)
	q.add(other)
	q.remove(one)
	if got := q.take(); len(got) != 1 || got[0] != other {
		t.Errorf("got a group of %d, want the other one alone", len(got))
	}
	q.remove(other) // is no error
	q.close()
	if q.add(one) || q.wait() {
		t.Error("a closed queue takes an append or has one")
	}
}
