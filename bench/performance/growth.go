package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

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
// length, in turns.
func measureGrowth(ctx context.Context, s *stage, r *result) error {
	for _, store := range s.stores {
		var sites []*site
		for _, events := range s.size.growth {
			at, err := s.site(ctx, newGrowth(events), store)
			if err != nil {
				return err
			}
			sites = append(sites, at)
		}
		starts := make([]series, len(sites))
		for range s.rounds {
			for i, at := range sites {
				took, _, err := s.start(ctx, at, 0)
				if err != nil {
					return err
				}
				starts[i] = append(starts[i], took)
			}
		}
		page, post := newField(1), newField(1)
		if err := s.grow(ctx, sites, page, post); err != nil {
			return err
		}
		judgeGrowth(r, store, "page", page.all, s.size.growth)
		judgeGrowth(r, store, "post", post.all, s.size.growth)
		r.atMost(growthOf("start to ready", s.size.growth), store, starts[len(starts)-1].over(starts[0]), ratio, 1.2)
		page.tabulate(r, "Pages by the length of the log, one client, "+store)
		post.tabulate(r, "Posts by the length of the log, one client, "+store)
		columns, line := make([]string, len(sites)), make([]string, len(sites))
		for i, at := range sites {
			columns[i], line[i] = count(float64(at.fill.Events))+" events", starts[i].format(duration)
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

// grow measures pages and posts on sites in turns.
func (s *stage) grow(ctx context.Context, sites []*site, page, post *field) (err error) {
	for _, at := range sites {
		srv, err := s.serve(ctx, at, process.Patience)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, srv.Stop()) }()
		reads, err := pages(srv.URL, at.readers(min(s.size.readers, 200)), at.token, 1)
		if err != nil {
			return err
		}
		writes, err := posts(srv.URL, at.world, []int{0})
		if err != nil {
			return err
		}
		name := count(float64(at.fill.Events)) + " events"
		page.add(name, at.store, s.loadOn(name, srv, reads))
		post.add(name, at.store, s.levelAfter(srv, s.loadOn(name, srv, writes)))
	}
	return s.inTurns(ctx, slices.Concat(page.all, post.all))
}
