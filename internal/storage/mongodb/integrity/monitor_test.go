package integrity_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/storetest"
)

// loss is something that happens to a database beneath a running server.
type loss struct {
	happens func(o *operator)
	says    string // the problem that the server reports
	now     bool   // not even the next append may be acknowledged
	undo    func(o *operator)
}

// losses are all kinds of it. Those without an undo need a restart.
var losses = map[string]loss{
	"the collection is dropped":           {(*operator).dropEvents, "collection events is gone", true, nil},
	"the database is dropped":             {(*operator).dropDatabase, "collection events is gone", true, nil},
	"the collection is replaced":          {(*operator).replaceEvents, "collection events was replaced", true, nil},
	"the collection is converted":         {(*operator).capEvents, "collection events was replaced", true, nil},
	"the collection is renamed":           {renames("events", "away"), "collection events is gone", true, renames("away", "events")},
	"the index on streams is dropped":     {dropsIndex("stream_version"), "lacks its unique index stream_version", true, (*operator).restart},
	"the index on commands is dropped":    {dropsIndex("actor_command"), "lacks its unique index actor_command", true, (*operator).restart},
	"an index is another one":             {(*operator).replaceIndex, "stream_version of the collection events is not the unique one", true, (*operator).removeIndex},
	"the epoch is another one":            {sets("log", "log", "epoch", "other"), "the log's epoch is other, and was", false, restores("log")},
	"the log's document is removed":       {removes("log", "log"), "document of the collection log is gone", false, restores("log")},
	"the first event is removed":          {removes("events", 1), "the first event is gone", false, restores("events")},
	"the first event is another one":      {sets("events", 1, "commandId", "x"), "the first event is another one", false, restores("events")},
	"the last event is removed":           {removes("events", 3), "the log ends at position 2, and has been at 3", false, restores("events")},
	"an event before the last is removed": {removes("events", 2), "the log has a gap: the event 2 is missing", false, restores("events")},
	"all events are removed":              {(*operator).emptyEvents, "the first event is gone, the log ends at position 0, and has been at 3", false, nil},
}

func TestLossesAreNoticed(t *testing.T) {
	t.Parallel()
	for name, c := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, log := openMonitored(t)
			o := &operator{t: t, db: db}
			c.happens(o)
			if c.now {
				wantRefused(t, store.Log(), "right after it")
			}
			storetest.Eventually(t, "it is a problem: "+c.says, hasProblem(store, c.says))
			wantRefused(t, store.Log(), "later")
			if got := log.Lines("appends are refused", c.says); got != 1 {
				t.Errorf("lines that refuse appends for it: got %d, want 1", got)
			}
			if c.undo == nil {
				return
			}
			c.undo(o)
			storetest.Eventually(t, "nothing is wrong once it is undone", soundAgain(store))
			storetest.MustAppend(t, store.Log(), storetest.To("afterwards", 0, "afterwards"))
		})
	}
}

func TestADuplicateIsNeverAcknowledgedWithoutTheIndexes(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	if err := db.Collection("events").Indexes().DropAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := store.Log().Append(t.Context(), storetest.To("s0", 0, fmt.Sprint("again ", i))); err == nil {
				acknowledged.Add(1)
			} else if domain.KindOf(err) != domain.Unavailable {
				t.Errorf("Append: got %v, want kind Unavailable", err)
			}
		})
	}
	wg.Wait()
	if n := acknowledged.Load(); n != 0 {
		t.Errorf("acknowledged appends at version 0 of a stream that exists: got %d of 8, want none", n)
	}
}
