package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// Addresses of the ordinary users, which no attack uses.
const (
	victimAddress = "127.0.1.1"
	writerAddress = "127.0.2.1"
)

// How often the ordinary users do something.
const (
	queryEvery = 50 * time.Millisecond
	postEvery  = 250 * time.Millisecond
	lagEvery   = 250 * time.Millisecond
)

// victims are two ordinary users: one reads a feed, the other posts and looks for
// the post. It records how long both take, and how far the views are behind.
type victims struct {
	server         *server
	reader, writer caller

	mu      sync.Mutex
	queries []time.Duration
	posts   []time.Duration // from the call until the writer sees the post
	failed  map[string]int  // calls of both that failed, by their error
	lag     int64           // the most events that the views were behind
}

// newVictims logs both in. The writer has a new connection for each call, as those
// who have just arrived, and the reader keeps its own.
func newVictims(ctx context.Context, srv *server) (*victims, error) {
	v := &victims{server: srv, reader: newCaller(srv.URL, "", victimAddress), writer: newCaller(srv.URL, "", writerAddress), failed: map[string]int{}}
	var err error
	if v.reader.token, err = v.reader.logIn(ctx, victim, apitest.Password); err != nil {
		return nil, err
	}
	if v.writer.token, err = v.writer.logIn(ctx, writer, apitest.Password); err != nil {
		return nil, err
	}
	v.writer.client.Transport = newConnections(writerAddress)
	return v, nil
}

// reset forgets what was recorded.
func (v *victims) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queries, v.posts, v.lag, v.failed = nil, nil, 0, map[string]int{}
}

// watch has both act until ctx ends, and then waits for what is under way.
func (v *victims) watch(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { v.every(ctx, queryEvery, &all, v.query) })
	all.Go(func() {
		for began := time.Now(); ctx.Err() == nil; began = time.Now() {
			v.post()
			outage.Pause(ctx, postEvery-time.Since(began))
		}
	})
	all.Go(func() { v.every(ctx, lagEvery, &all, v.sampleLag) })
	all.Wait()
}

// every calls do again and again, without waiting until it returns: users do not
// know that others wait.
func (v *victims) every(ctx context.Context, interval time.Duration, all *sync.WaitGroup, do func()) {
	for tick := time.NewTicker(interval); ; {
		all.Go(do)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// query reads the first page of the reader's feed.
func (v *victims) query() {
	began := time.Now()
	err := v.reader.do(context.Background(), apitest.FeedDocument, apitest.Vars{"first": 20}, "", nil)
	v.record(&v.queries, began, err)
}

// post posts as the writer, and waits until the writer sees it.
func (v *victims) post() {
	began := time.Now()
	var got struct{ PostChirp struct{ Position string } }
	err := v.writer.do(context.Background(), apitest.PostDocument, apitest.Vars{"content": "Another ordinary post."}, "", &got)
	for err == nil {
		err = v.writer.do(context.Background(), `{ viewer { chirps(first: 1) { edges { node { id } } } } }`, nil, got.PostChirp.Position, nil)
		if apitest.Code(err) != "NOT_YET_VISIBLE" {
			break
		}
		err = nil
		if time.Since(began) > visiblePatience {
			err = fmt.Errorf("not visible after %s", visiblePatience)
		}
	}
	v.record(&v.posts, began, err)
}

// visiblePatience is how long the writer looks for a post.
const visiblePatience = 90 * time.Second

// record adds how long something took that began at a time.
func (v *victims) record(to *[]time.Duration, began time.Time, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*to = append(*to, time.Since(began))
	if err != nil {
		v.failed[reason(err)]++
	}
}

// reason returns the code of a refusal, or the innermost error.
func reason(err error) string {
	if code := apitest.Code(err); code != "NO ANSWER" {
		return code
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func (v *victims) sampleLag() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if lag, err := v.server.Lag(ctx); err == nil {
		v.mu.Lock()
		v.lag = max(v.lag, lag)
		v.mu.Unlock()
	}
}

// percentile returns the time that a share of the calls took at most.
func percentile(took []time.Duration, percent int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)-1)*percent/100]
}
