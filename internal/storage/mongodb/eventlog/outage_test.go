package eventlog_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestAppendRetriesFailedAttempts(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "recovered")
	defer closeStore()
	after := domain.Position(0)
	for name, how := range map[string]bson.D{
		"the connection breaks before the insert":  {storetest.Commands("insert"), {Key: "closeConnection", Value: true}},
		"the connection breaks before the commit":  {storetest.Commands("commitTransaction"), {Key: "closeConnection", Value: true}},
		"the transaction is gone at the commit":    {storetest.Commands("commitTransaction"), {Key: "errorCode", Value: 251}, {Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}},
		"a write conflict":                         {storetest.Commands("insert"), {Key: "errorCode", Value: 112}, {Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}},
		"a new primary takes the beginning twice":  {storetest.Commands("insert"), {Key: "errorCode", Value: 117}},
		"the primary steps down before the insert": {storetest.Commands("insert"), {Key: "errorCode", Value: 189}, {Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, times := range []int{1, 3} {
				storetest.FailNext(t, set, "recovered", times, how)
				command := fmt.Sprintf("%s %d", name, times)
				c, err := store.Log().Append(t.Context(), storetest.To(command, 0, command))
				if err != nil || c.Repeated || c.Position() != after+1 {
					t.Fatalf("Append: got position %d, Repeated %t, error %v; want position %d", c.Position(), c.Repeated, err, after+1)
				}
				after++
			}
		})
	}
}

func TestCommitWithoutAnAnswerIsFoundByItsCommand(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "unknown")
	defer closeStore()
	// The server commits, but answers that it does not know the outcome.
	storetest.FailNext(t, set, "unknown", 2, bson.D{storetest.Commands("commitTransaction"), {Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "waited too long"}}}})
	first, err := store.Log().Append(t.Context(), storetest.To("s", 0, "once"))
	if err != nil || first.Position() != 1 || first.Repeated {
		t.Fatalf("Append: got position %d, Repeated %t, error %v; want position 1", first.Position(), first.Repeated, err)
	}
	second, err := store.Log().Append(t.Context(), storetest.To("s", 1, "twice"))
	if err != nil || second.Position() != 2 {
		t.Fatalf("the next Append: got position %d, error %v; want position 2", second.Position(), err)
	}
}

func TestAnAppendThatIsRefusedHarmsNoOther(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "refused")
	defer closeStore()
	const writers = 20
	storetest.FailNext(t, set, "refused", 2, bson.D{storetest.Commands("insert"), {Key: "errorCode", Value: 2}})
	var refused atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			name := fmt.Sprint(w)
			if _, err := store.Log().Append(t.Context(), storetest.To(name, 0, name)); err != nil {
				refused.Add(1)
				if domain.KindOf(err) != domain.Internal {
					t.Errorf("Append: got %v, want an internal error", err)
				}
			}
		})
	}
	wg.Wait()
	head, err := store.Log().Head(t.Context())
	if got := refused.Load(); err != nil || got == 0 || got > 2 || head.Position != domain.Position(writers-got) {
		t.Errorf("got %d appends refused and the head at %d, error %v; want at most 2 refused and all others written", got, head.Position, err)
	}
}

func TestOutageIsUnavailableAndLosesNothing(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	node := set.Nodes[0]
	store, closeStore := storetest.OpenAt(t, set.URI(), "outage")
	defer closeStore()
	storetest.MustAppend(t, store.Log(), storetest.To("before", 0, "before"))
	for _, outage := range []struct {
		name       string
		begin, end func()
	}{
		{"killed", node.Kill, func() { node.Restart(t); set.Primary(t) }},
		{"silent", node.Pause, node.Resume},
	} {
		t.Run(outage.name, func(t *testing.T) {
			ctx := storetest.Bounded(t)
			outage.begin()
			a := storetest.To(outage.name, 0, outage.name)
			var calls sync.WaitGroup
			for name, call := range map[string]func() error{
				"Append":         func() error { _, err := store.Log().Append(ctx, a); return err },
				"Load":           func() error { _, err := store.Log().Load(ctx, "before"); return err },
				"SaveCredential": func() error { return store.Credentials().SaveCredential(ctx, "user", "hash", time.Now()) },
			} {
				calls.Go(func() {
					if err := call(); domain.KindOf(err) != domain.Unavailable {
						t.Errorf("%s: got %v, want kind Unavailable", name, err)
					}
				})
			}
			calls.Wait()
			outage.end()
			if err := storetest.AppendThrough(ctx, store.Log(), a); err != nil {
				t.Error(err)
			}
			events, err := store.Log().Load(ctx, domain.StreamID(outage.name))
			if err != nil || len(events) != 1 {
				t.Errorf("Load after the outage: got %d events, error %v; want 1", len(events), err)
			}
		})
	}
}

func TestFollowersRetryThroughOutages(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	n := 0
	eventstoretest.RunOutage(t, func(t testing.TB) eventstoretest.Failing {
		n++
		database := fmt.Sprint("away", n)
		store, closeStore := storetest.OpenAt(t, set.URI(), database)
		t.Cleanup(closeStore)
		return eventstoretest.Failing{
			Log: store.Log(),
			Fail: func() {
				storetest.FailNext(t, set, database, storetest.Many, bson.D{storetest.Commands("find", "aggregate", "getMore"), {Key: "closeConnection", Value: true}})
			},
			Mend: func() { storetest.StopFailing(t, set) },
		}
	})
}

func TestFollowersOutliveTheChangeStream(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	writer, closeWriter := storetest.OpenAt(t, set.URI(), "follow")
	defer closeWriter()
	reader, closeReader := storetest.OpenAt(t, set.URI(), "follow")
	defer closeReader()
	g, ctx := errgroup.WithContext(storetest.Bounded(t))
	var end atomic.Int64
	for _, log := range []eventstore.Log{writer.Log(), reader.Log()} {
		g.Go(func() error {
			_, err := storetest.Follow(ctx, log, func() domain.Position { return domain.Position(end.Load()) })
			return err
		})
	}
	blows := []func(){
		func() { killCursors(t, set) },
		func() {
			storetest.FailNext(t, set, "follow", 1, bson.D{storetest.Commands("getMore"), {Key: "errorCode", Value: 286}})
		},
		func() { set.StepDown(t) },
		func() {
			storetest.FailNext(t, set, "follow", 3, bson.D{storetest.Commands("aggregate", "getMore"), {Key: "closeConnection", Value: true}})
		},
		func() { set.Nodes[0].Kill(); set.Nodes[0].Restart(t) },
	}
	g.Go(func() error {
		n := 0
		for _, blow := range blows {
			blow()
			for range 40 {
				name := fmt.Sprint(n)
				if err := storetest.AppendThrough(ctx, writer.Log(), storetest.To(name, 0, name)); err != nil {
					return err
				}
				n++
			}
		}
		end.Store(int64(n + 1))
		return storetest.AppendThrough(ctx, writer.Log(), storetest.To("last", 0, "last"))
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// killCursors kills every cursor that a client has open on a server.
func killCursors(t *testing.T, set *mongotest.ReplicaSet) {
	t.Helper()
	if err := storetest.Client(t, set.URI()).Database("admin").RunCommand(t.Context(), bson.D{{Key: "killAllSessions", Value: bson.A{}}}).Err(); err != nil {
		t.Error(err)
	}
}

func TestElectionUnderLoadLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 3)
	const servers, writers = 2, 4
	g, ctx := errgroup.WithContext(storetest.Bounded(t))
	var stop atomic.Bool
	var appended, end atomic.Int64
	var writing sync.WaitGroup
	var logs []eventstore.Log
	for i := range servers {
		store, closeStore := storetest.OpenAt(t, set.URI(), "elections")
		defer closeStore()
		logs = append(logs, store.Log())
		for w := range writers {
			writing.Add(1)
			g.Go(func() error {
				defer writing.Done()
				for r := int64(0); !stop.Load(); r++ {
					stream := fmt.Sprintf("%d:%d", i, w)
					if err := storetest.AppendThrough(ctx, store.Log(), storetest.To(stream, r, fmt.Sprintf("%s:%d", stream, r))); err != nil {
						return fmt.Errorf("append %d to %s: %w", r, stream, err)
					}
					appended.Add(1)
				}
				return nil
			})
		}
	}
	for _, log := range logs {
		g.Go(func() error {
			_, err := storetest.Follow(ctx, log, func() domain.Position { return domain.Position(end.Load()) })
			return err
		})
	}
	g.Go(func() error {
		defer stop.Store(true)
		elections(t, set, func() {
			for before := appended.Load(); appended.Load() < before+50 && ctx.Err() == nil; {
				time.Sleep(time.Millisecond)
			}
		})
		return nil
	})
	g.Go(func() error {
		writing.Wait()
		end.Store(appended.Load() + 1)
		return storetest.AppendThrough(ctx, logs[0], storetest.To("last", 0, "last"))
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if head, err := log.Head(t.Context()); err != nil || int64(head.Position) != appended.Load()+1 {
			t.Errorf("Head: got %d, error %v; want %d", head.Position, err, appended.Load()+1)
		}
	}
}

// elections makes a replica set change its primary twice, with some work
// before, between and after.
func elections(t *testing.T, set *mongotest.ReplicaSet, work func()) {
	work()
	killed := set.Primary(t)
	killed.Kill()
	work()
	killed.Restart(t)
	set.StepDown(t)
	work()
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	database := mongotest.Database(t)
	store, closeStore := storetest.Open(t, database)
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for r := range int64(1000) {
				_, err := store.Log().Append(t.Context(), storetest.To(fmt.Sprint(w), r, fmt.Sprintf("%d:%d", w, r)))
				if err != nil {
					if domain.KindOf(err) != domain.Unavailable {
						t.Errorf("Append while the store is closed: got %v, want kind Unavailable", err)
					}
					return
				}
				acknowledged.Add(1)
			}
		})
	}
	for acknowledged.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	closeStore()
	wg.Wait()
	again, closeAgain := storetest.Open(t, database)
	defer closeAgain()
	head, err := again.Log().Head(t.Context())
	if err != nil || int64(head.Position) != acknowledged.Load() {
		t.Errorf("Head after reopening: got %d, error %v; want %d, the appends that were acknowledged", head.Position, err, acknowledged.Load())
	}
	if _, err := store.Log().Append(t.Context(), storetest.To("late", 0, "late")); domain.KindOf(err) != domain.Unavailable || errors.Is(err, eventstore.ErrConflict) {
		t.Errorf("Append after Close: got %v, want kind Unavailable", err)
	}
}
