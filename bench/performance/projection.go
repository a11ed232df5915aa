package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/bench/client"
	"chirp/bench/process"
	"chirp/internal/domain"
	"chirp/internal/outage"
)

const (
	// projectionClients post projectionPosts a second in all, while the views catch up.
	projectionClients = 4
	projectionPosts   = 100
)

// measureProjection measures how fast the views catch up with a backlog of the network
// while users post, and what the posts notice.
func measureProjection(ctx context.Context, s *stage, r *result) error {
	w, err := s.network()
	if err != nil {
		return err
	}
	var lines [][]string
	for _, store := range s.stores {
		at, err := s.site(ctx, w, store)
		if err != nil {
			return err
		}
		p := &projection{}
		for range s.rounds {
			if err := s.project(ctx, at, p); err != nil {
				return err
			}
		}
		most := 25_000.0
		if store == onMongo {
			most = 12_000
		}
		r.atLeast("events a second that the views catch up while users post", store, p.events, count, most)
		r.atLeast("deliveries a second meanwhile", store, p.deliveries, count, 150_000)
		r.atMost("p99 of posts meanwhile ÷ without it", store, p.during.over(p.without), ratio, 2)
		lines = append(lines, []string{
			store, p.events.format(count), p.deliveries.format(count), p.cpu.format(duration), p.mongod.format(duration), p.during.format(duration), p.without.format(duration),
		})
	}
	r.tabulate(fmt.Sprintf("A backlog of %s events, of which %d %% are chirps, and %d posts a second", count(float64(s.size.backlog)), chirpShare, projectionPosts), []string{
		"store", "events/s", "deliveries/s", "CPU an event", "CPU of mongod", "p99 of posts meanwhile", "without",
	}, lines...)
	return nil
}

// projection is what is measured in each round.
type projection struct {
	events, deliveries series // a second
	cpu, mongod        series // an event
	during, without    series // p99 of posts
}

// project measures a round.
func (s *stage) project(ctx context.Context, at *site, p *projection) (err error) {
	b := at.newBacklog(s.size.backlog)
	end, err := at.append(ctx, b)
	if err != nil {
		return err
	}
	srv, err := s.launch(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	before, err := s.used(srv)
	if err != nil {
		return err
	}
	posting, stop := context.WithCancel(ctx)
	defer stop()
	during := make(chan posted99, 1)
	go func() { during <- steadyPosts(posting, srv, at.world, 10*time.Minute) }()
	began := time.Now()
	err = catchUp(ctx, srv, end)
	rate := float64(len(b.facts)) / time.Since(began).Seconds()
	stop()
	meanwhile := <-during
	if err = errors.Join(err, meanwhile.err); err != nil {
		return err
	}
	after, err := s.used(srv)
	if err != nil {
		return err
	}
	if err := srv.AwaitLevel(ctx, process.Patience); err != nil {
		return err
	}
	without := steadyPosts(ctx, srv, at.world, s.span)
	p.add(rate, b, before, after)
	p.during, p.without = append(p.during, meanwhile.p99), append(p.without, without.p99)
	progress("%s: %.0f events/s, %.0f deliveries/s; p99 of posts %s, without %s", at.store, rate, rate*float64(b.deliveries)/float64(len(b.facts)), duration(meanwhile.p99), duration(without.p99))
	return without.err
}

// add adds a round. The posts' share of the CPU is in it.
func (p *projection) add(rate float64, b backlog, before, after used) {
	n := float64(len(b.facts))
	p.events = append(p.events, rate)
	p.deliveries = append(p.deliveries, rate*float64(b.deliveries)/n)
	p.cpu = append(p.cpu, float64(after.server-before.server)/n)
	p.mongod = append(p.mongod, float64(after.mongod-before.mongod)/n)
}

// catchUp waits until the views have reached a position.
func catchUp(ctx context.Context, srv *process.Server, end domain.Position) error {
	for deadline := time.Now().Add(fillPatience); time.Now().Before(deadline); {
		at, err := srv.Metric(ctx, "chirp_views_position")
		if err != nil || at >= float64(end) {
			return err
		}
		if !outage.Pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	return process.ErrNotLevel
}

// posted99 is how posts went.
type posted99 struct {
	p99 float64
	err error
}

// steadyPosts posts at a steady rate for a span, or until ctx ends.
func steadyPosts(ctx context.Context, srv *process.Server, w *world, span time.Duration) posted99 {
	l, err := posts(srv.URL, w, w.typical(projectionClients))
	if err != nil {
		return posted99{err: err}
	}
	l.URL, l.For, l.Every = srv.URL, span, projectionClients*time.Second/projectionPosts
	got, err := l.Run(ctx)
	return posted99{float64(got.Percentile(99)), err}
}

// launch starts a server and waits until it executes operations, however far behind its
// views are.
func (s *stage) launch(ctx context.Context, at *site) (*process.Server, error) {
	srv, err := s.spawn(ctx, at)
	if err != nil {
		return nil, err
	}
	request := client.Request(srv.URL, "", "{ __typename }", nil)
	for deadline := time.Now().Add(process.Patience); ; {
		c, err := client.Dial(srv.URL)
		if err == nil {
			_, err = c.Do(request)
			c.Close()
		}
		if err == nil {
			return srv, nil
		}
		if time.Now().After(deadline) || !outage.Pause(ctx, 2*time.Millisecond) {
			return nil, errors.Join(fmt.Errorf("the server executes nothing: %w", err), srv.Stop())
		}
	}
}
