package eventlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
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
			synctest.Test(t, func(t *testing.T) {
				l := &Log{queue: groupcommit.New[*pending](10, nil)}
				for _, text := range c.queue {
					enqueue(l, waiting(text, c.bytes))
					synctest.Wait() // so that they are in this order
				}
				var got []string
				for l.queue.Len() > 0 {
					var commands []string
					for _, j := range l.nextGroup() {
						commands = append(commands, j.Work.append.Command.ID)
						j.Finish(nil)
					}
					got = append(got, strings.Join(commands, " "))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got groups %q, want %q", got, c.want)
				}
			})
		})
	}
}

// enqueue appends in a goroutine, which ends when the append is finished.
func enqueue(l *Log, p *pending) {
	go func() { _ = l.queue.Do(context.Background(), p) }()
}

func TestAGroupIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const appends = groupEvents + 10
		l := &Log{queue: groupcommit.New[*pending](appends, nil)}
		for i := range appends {
			enqueue(l, waiting(fmt.Sprintf("c%d s%d", i, i), 1))
		}
		synctest.Wait()
		for i, want := range []int{groupEvents, appends - groupEvents} {
			group := l.nextGroup()
			if len(group) != want {
				t.Errorf("group %d: got %d appends, want %d", i, len(group), want)
			}
			for _, j := range group {
				j.Finish(nil)
			}
		}
	})
}
