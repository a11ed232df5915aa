package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"chirp/bench/history"
	"chirp/bench/process"
)

// Of each user of the growing world.
const (
	growthFollowees = 10
	growthChirps    = 8
	eventsOfUser    = 2 + growthFollowees + growthChirps
)

// newGrowth returns a world of about as many events, in which everybody follows and
// posts as much as in a smaller one.
func newGrowth(events int) *world {
	r := rand.New(rand.NewPCG(7, 0))
	n := history.Network{Users: events / eventsOfUser}
	for u := range n.Users {
		chosen := map[int]bool{u: true}
		for len(chosen) <= growthFollowees {
			if f := r.IntN(n.Users); !chosen[f] {
				chosen[f] = true
				n.Follows = append(n.Follows, [2]int{u, f})
			}
		}
		for range growthChirps {
			n.Authors = append(n.Authors, u)
		}
	}
	r.Shuffle(len(n.Authors), func(i, j int) { n.Authors[i], n.Authors[j] = n.Authors[j], n.Authors[i] })
	n.Texts, _ = history.ReadTexts("", r) // fails only for a file
	return newWorld(fmt.Sprintf("growth%d", events), n, 10_000)
}

// measureGrowth measures pages, posts and starts on logs that differ only in their
// length.
func measureGrowth(ctx context.Context, s *stage, r *result) error {
	for _, store := range s.stores {
		page, post := newField(1), newField(1)
		var starts []series
		for _, events := range s.size.growth {
			at, err := s.site(ctx, newGrowth(events), store)
			if err != nil {
				return err
			}
			started, err := s.grow(ctx, at, page, post)
			if err != nil {
				return err
			}
			starts = append(starts, started)
		}
		judgeGrowth(r, store, "page", page.all, s.size.growth)
		judgeGrowth(r, store, "post", post.all, s.size.growth)
		small, large := starts[0], starts[len(starts)-1]
		r.atMost(growthOf("start to ready", s.size.growth), store, large.over(small), ratio, 1.2)
		page.tabulate(r, "Pages by the length of the log, one client, "+store)
		post.tabulate(r, "Posts by the length of the log, one client, "+store)
		var line []string
		for _, started := range starts {
			line = append(line, started.format(duration))
		}
		var columns []string
		for _, events := range s.size.growth {
			columns = append(columns, count(float64(events))+" events")
		}
		r.tabulate("Start to ready, "+store, columns, line)
	}
	return nil
}

// growthOf names a ratio between the longest log and the shortest.
func growthOf(what string, events []int) string {
	return fmt.Sprintf("%s with %s events ÷ with %s", what, count(float64(events[len(events)-1])), count(float64(events[0])))
}

func judgeGrowth(r *result, store, what string, contenders []*contender, events []int) {
	small, large := contenders[0], contenders[len(contenders)-1]
	r.atMost(growthOf(what+" (p50)", events), store, large.of(p50).over(small.of(p50)), ratio, 1.2)
}

// grow measures one log, and returns how long its starts took.
func (s *stage) grow(ctx context.Context, at *site, page, post *field) (starts series, err error) {
	for range s.rounds {
		took, _, err := s.start(ctx, at, 0)
		if err != nil {
			return nil, err
		}
		starts = append(starts, took)
	}
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	reads, err := pages(srv.URL, at.readers(min(s.size.readers, 200)), at.token, 1)
	if err != nil {
		return nil, err
	}
	writes, err := posts(srv.URL, at.world, []int{0})
	if err != nil {
		return nil, err
	}
	name := count(float64(at.fill.Events)) + " events"
	readers, writers := s.loadOn(name, srv, reads), s.loadOn(name, srv, writes)
	page.add(name, at.store, readers)
	post.add(name, at.store, writers)
	return starts, s.inTurns(ctx, []*contender{readers, writers})
}
