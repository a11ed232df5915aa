package readmodeltest

import (
	"errors"
	"sync"
	"sync/atomic"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

func checkRoundTrip(w *world) {
	// Numbers above 2^53 show whether a store converts them to a float.
	const big = 1<<60 + 1
	p := readmodel.Profile{
		Key: big, ID: userID(big), Username: "Uber_User_1", JoinedAt: user(123).JoinedAt,
		Followers: big + 1, Following: big + 2, Chirps: big + 3, Pushed: big + 4, Celebrity: true, PullSource: true,
		Split:     readmodel.Split{Older: big + 5, Skipped: big + 6},
		NextSplit: readmodel.Split{Older: big + 7, Skipped: big + 9},
	}
	c := chirps(big, readmodel.Pull, big+6)[0]
	c.Content = "line one\nline \"two\" 'three' $x {{y}} 🐦 é"
	f := splitFollow(big, big+1, big+7, big+2, big+11)
	f.Pull = true
	to := readmodel.Checkpoint{Position: big + 8, Partial: big + 5, Event: -big - 7}
	w.apply(readmodel.Batch{To: to, Profiles: []readmodel.Profile{p}, Chirps: []readmodel.Chirp{c}, Follows: []readmodel.Follow{f}})

	v := w.view(big)
	same(w, "profile", v.Profiles, []readmodel.Profile{p})
	same(w, "chirp", v.Users[big].Chirps, []readmodel.Chirp{c})
	same(w, "follow", v.Users[big].Following, []readmodel.Follow{f})
	same(w, "generation in the snapshot", v.Generation, readmodel.Generation{Number: 1, Epoch: testEpoch, Threshold: testThreshold, Checkpoint: to})
	same(w, "generation of the writer", w.generation(), v.Generation)
	if got := v.Profiles[0].JoinedAt.Location().String(); got != "UTC" {
		w.Errorf("JoinedAt is in %s, want UTC", got)
	}
	if got := v.Users[big].Chirps[0].PostedAt.Location().String(); got != "UTC" {
		w.Errorf("PostedAt is in %s, want UTC", got)
	}

	p.Followers, p.Celebrity, p.Username = 0, false, "Renamed"
	p.Split, p.NextSplit = p.NextSplit, readmodel.Split{}
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: big + 9}, Profiles: []readmodel.Profile{p}})
	same(w, "replaced profile", w.view(big).Profiles, []readmodel.Profile{p})
}

func checkFencing(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 5, Partial: 3}, Profiles: users(1)})
	before := w.view(1, 2)
	for name, from := range map[string]readmodel.Checkpoint{
		"behind": {Position: 4, Partial: 3}, "ahead": {Position: 6, Partial: 3}, "at the beginning": {},
		"without the partial": {Position: 5}, "at an earlier partial": {Position: 5, Partial: 2}, "at a later partial": {Position: 5, Partial: 4},
	} {
		err := w.writer.Apply(w.ctx, readmodel.Batch{
			From: from, To: readmodel.Checkpoint{Position: 9}, Profiles: users(2), Follows: []readmodel.Follow{follow(1, 2, 9)},
		})
		if !errors.Is(err, readmodel.ErrFenced) {
			w.Errorf("Apply from %s returned %v, want ErrFenced", name, err)
		}
		same(w, "after an Apply from "+name, w.view(1, 2), before)
	}
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 6}, Profiles: users(2)})
	same(w, "checkpoint after all", w.generation().Checkpoint, readmodel.Checkpoint{Position: 6})
}

// checkRacingProjectors has several writers apply each step concurrently.
func checkRacingProjectors(w *world) {
	const racers, steps = 4, 20
	w.serve()
	w.apply(readmodel.Batch{Profiles: users(1)})
	from := w.at
	for range steps {
		to := readmodel.Checkpoint{Position: from.Position + 1}
		var won atomic.Int32
		var all sync.WaitGroup
		for r := range racers {
			all.Go(func() {
				own, err := w.store.Serving(w.ctx, testEpoch, testThreshold)
				if err == nil {
					row := chirps(1, readmodel.Push, to.Position)[0]
					row.ID = chirpID(to.Position*racers + domain.Position(r) + 1)
					err = own.Apply(w.ctx, readmodel.Batch{From: from, To: to, Chirps: []readmodel.Chirp{row}})
				}
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, readmodel.ErrFenced):
					w.Errorf("a racing Apply returned %v, want nil or ErrFenced", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			w.Fatalf("%d of %d racing projectors applied the batch to %d, want 1", won.Load(), racers, to.Position)
		}
		from = to
	}
	if got := len(w.view(1).Users[1].Chirps); got != steps {
		w.Errorf("%d chirps after %d steps", got, steps)
	}
}

func checkPartial(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 7}})
	for _, to := range []readmodel.Checkpoint{{Position: 7, Partial: 2}, {Position: 7, Partial: 6}, {Position: 8}, {Position: 8, Partial: 1}} {
		w.apply(readmodel.Batch{To: to})
		same(w, "checkpoint of the writer", w.generation().Checkpoint, to)
		same(w, "checkpoint of a snapshot", w.view().Generation.Checkpoint, to)
		again, err := w.store.Serving(w.ctx, testEpoch, testThreshold)
		w.ok("Serving", err)
		g, err := again.Generation(w.ctx)
		w.ok("Generation", err)
		same(w, "checkpoint of the next projector", g.Checkpoint, to)
	}
}

func checkMisfits(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 20}, Profiles: users(1, 2, 3), Chirps: chirps(2, readmodel.Push, 10, 11),
		Follows:   []readmodel.Follow{follow(1, 2, 12)},
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 12)}},
	})
	fits := readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(4), Chirps: chirps(2, readmodel.Push, 21),
		Cleanups: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 10)}},
		Follows:  []readmodel.Follow{follow(3, 2, 22)},
		FanOuts:  []readmodel.FanOut{{Chirp: 21, Author: 2, Range: through(0, 22)}},
	}
	before := w.view(1, 2, 3, 4)
	for name, add := range map[string]func(b *readmodel.Batch){
		"a follow that exists":                func(b *readmodel.Batch) { b.Follows = append(b.Follows, follow(1, 2, 23)) },
		"one follow twice":                    func(b *readmodel.Batch) { b.Follows = append(b.Follows, follow(2, 3, 23), follow(2, 3, 24)) },
		"an unfollow without a follow":        func(b *readmodel.Batch) { b.Unfollows = append(b.Unfollows, follow(1, 3, 0)) },
		"an unfollow the other way round":     func(b *readmodel.Batch) { b.Unfollows = append(b.Unfollows, follow(2, 1, 0)) },
		"one unfollow twice":                  func(b *readmodel.Batch) { b.Unfollows = append(b.Unfollows, follow(1, 2, 0), follow(1, 2, 0)) },
		"an unfollow of what the batch added": func(b *readmodel.Batch) { b.Unfollows = append(b.Unfollows, follow(3, 2, 22)) },
		"a chirp that exists":                 func(b *readmodel.Batch) { b.Chirps = append(b.Chirps, chirps(2, readmodel.Push, 11)...) },
		"one chirp twice":                     func(b *readmodel.Batch) { b.Chirps = append(b.Chirps, chirps(2, readmodel.Push, 21)...) },
	} {
		b := fits
		b.From = w.at
		add(&b)
		err := w.writer.Apply(w.ctx, b)
		if !errors.Is(err, readmodel.ErrDoesNotFit) {
			w.Errorf("a batch with %s returned %v, want ErrDoesNotFit", name, err)
		}
		same(w, "after a batch with "+name, w.view(1, 2, 3, 4), before)
	}
	w.apply(fits)
	w.wantTimeline(1, 21, 11)
	w.wantTimeline(3, 21)
}
