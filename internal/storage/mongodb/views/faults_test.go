package views_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/views"
)

// stageOn opens a stage on a replica set of the test's own.
func stageOn(t *testing.T, set *mongotest.ReplicaSet) *stage {
	t.Helper()
	store, err := mongodb.Open(context.Background(), set.URI(), "chirp", mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	s := &stage{TB: t, store: views.Apart(store.Views())}
	if s.writer, err = s.store.Serving(context.Background(), "epoch", 10); err != nil {
		t.Fatal(err)
	}
	return s
}

// fail makes the server fail some commands. The mode "off" ends that.
func (s *stage) fail(mode any, data bson.D) {
	s.Helper()
	point := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}}
	if data != nil {
		point = append(point, bson.E{Key: "data", Value: data})
	}
	if err := views.Database(s.store).Client().Database("admin").RunCommand(context.Background(), point).Err(); err != nil {
		s.Fatal(err)
	}
}

// chirps counts the chirps of user 1 and those in the timeline of user 2.
func (s *stage) chirps() (posted, delivered int) {
	s.Helper()
	ctx := context.Background()
	snap, err := s.store.Snapshot(ctx)
	if err != nil {
		s.Fatal(err)
	}
	defer snap.Close()
	by, err := snap.ChirpsBy(ctx, 1, readmodel.Window{Limit: 1 << 20})
	in, err2 := snap.Timeline(ctx, 2, readmodel.Window{Limit: 1 << 20})
	if err := errors.Join(err, err2); err != nil {
		s.Fatal(err)
	}
	return len(by), len(in)
}

// meet registers users 1 and 2, and 2 follows 1.
func (s *stage) meet() {
	s.Helper()
	s.add(func(b *readmodel.Batch) {
		one := s.register(b)
		s.follow(b, s.register(b), one, false)
	})
}

func TestApplyHappensOnceWhenTheServerFails(t *testing.T) {
	s := stageOn(t, mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1"))
	s.meet()
	times := func(n int) bson.D { return bson.D{{Key: "times", Value: n}} }
	commands := func(c string, more ...bson.E) bson.D {
		return append(bson.D{{Key: "failCommands", Value: bson.A{c}}}, more...)
	}
	unknown := func(code int) bson.E { // the server carries out the command nevertheless
		return bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: code}, {Key: "errmsg", Value: "the test's"}}}
	}
	const retried, notRetried = 91, 64 // by the driver
	cut := bson.E{Key: "closeConnection", Value: true}
	conflict := bson.E{Key: "errorCode", Value: 112}
	label := bson.E{Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}
	done := 0
	for _, c := range []struct {
		name string
		mode any
		data bson.D
	}{
		{"a commit whose answer is lost once", times(1), commands("commitTransaction", unknown(retried))},
		{"a commit whose answer is lost for good", times(1), commands("commitTransaction", unknown(notRetried))},
		{"a connection cut before the commit", times(2), commands("commitTransaction", cut)},
		{"a connection cut between the writes", times(1), commands("insert", cut)},
		{"a conflict between the writes", times(3), commands("insert", conflict, label)},
		{"a new primary that takes the beginning twice", times(3), commands("insert", bson.E{Key: "errorCode", Value: 117})},
		{"a conflict at the checkpoint", times(3), commands("update", conflict, label)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{TB: t, store: s.store, writer: s.writer, at: s.at + domain.Position(done)}
			s.fail(c.mode, c.data)
			s.add(func(b *readmodel.Batch) { s.fanOut(b, 1) })
			s.fail("off", nil)
			done++
			if posted, delivered := s.chirps(); posted != done || delivered != done {
				t.Errorf("chirps: got %d posted and %d delivered, want %d each", posted, delivered, done)
			}
			g, err := s.writer.Generation(context.Background())
			if err != nil || g.Checkpoint.Position != s.at {
				t.Errorf("Generation: got %+v, error %v; want it at %d", g, err, s.at)
			}
		})
	}
}

func TestApplyIsUnavailableWhenTheServerIsAway(t *testing.T) {
	s := stageOn(t, mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1"))
	s.meet()
	s.fail("alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "closeConnection", Value: true}})
	b := readmodel.Batch{From: readmodel.Checkpoint{Position: s.at}, To: readmodel.Checkpoint{Position: s.at + 1}}
	s.fanOut(&b, 1)
	if err := s.writer.Apply(context.Background(), b); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Apply: got %v, want kind Unavailable", err)
	}
	s.fail("off", nil)
	if posted, delivered := s.chirps(); posted+delivered != 0 {
		t.Errorf("chirps: got %d posted and %d delivered by a batch that was not applied, want none", posted, delivered)
	}
	if err := s.writer.Apply(context.Background(), b); err != nil {
		t.Errorf("the same batch later: %v", err)
	}
}

// TestApplyThroughElections continues from the checkpoint after each outage, as a
// projector does, while the primary steps down several times and a reader waits for
// every checkpoint.
func TestApplyThroughElections(t *testing.T) {
	const batches, elections = 200, 3
	set := mongotest.StartReplicaSet(t, 3)
	s := stageOn(t, set)
	s.meet()
	first := s.at
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var others sync.WaitGroup
	others.Go(func() { s.watchFor(ctx, first+batches) })
	step := make(chan struct{}, elections)
	others.Go(func() {
		for range step {
			set.StepDown(t)
		}
	})
	for n := 0; s.at < first+batches; {
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d batches were applied in time", s.at-first, batches)
		}
		if at := int(s.at - first); n < elections && at >= (n+1)*batches/(elections+1) {
			step <- struct{}{}
			n++
		}
		s.applyNext(ctx)
	}
	close(step)
	others.Wait()
	if posted, delivered := s.chirps(); posted != batches || delivered != batches {
		t.Errorf("chirps: got %d posted and %d delivered, want %d each", posted, delivered, batches)
	}
}

// applyNext applies a chirp of user 1, or reads the checkpoint after an error.
func (s *stage) applyNext(ctx context.Context) {
	s.Helper()
	b := readmodel.Batch{From: readmodel.Checkpoint{Position: s.at}}
	s.fanOut(&b, 1)
	b.To.Position = s.at
	err := s.writer.Apply(ctx, b)
	for err != nil {
		if domain.KindOf(err) != domain.Unavailable && !errors.Is(err, readmodel.ErrFenced) {
			s.Fatal(err)
		}
		var g readmodel.Generation
		if g, err = s.writer.Generation(ctx); err == nil {
			s.at = g.Checkpoint.Position
		}
	}
}

// watchFor waits for one checkpoint after another, and checks that each snapshot is as
// far as Await returned.
func (s *stage) watchFor(ctx context.Context, last domain.Position) {
	for at := domain.Position(0); at < last; {
		reached, err := s.store.Await(ctx, at)
		var snap readmodel.Snapshot
		if err == nil {
			snap, err = s.store.Snapshot(ctx)
		}
		if ctx.Err() != nil {
			s.Errorf("at %d: %v", at, ctx.Err())
			return
		}
		if err != nil {
			if domain.KindOf(err) != domain.Unavailable {
				s.Errorf("after %d: %v", at, err)
				return
			}
			continue
		}
		if got := snap.Generation().Checkpoint.Position; got < reached {
			s.Errorf("a snapshot opened after Await: got it at %d, want %d as Await returned", got, reached)
		}
		snap.Close()
		at = reached
	}
}
