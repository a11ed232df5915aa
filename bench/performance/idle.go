package main

import (
	"context"
	"errors"
	"fmt"

	"chirp/bench/process"
	"chirp/internal/outage"
)

// measureIdle measures what sockets take that do nothing, without a subscription and
// with one, on the embedded store.
func measureIdle(ctx context.Context, s *stage, r *result) error {
	c := newCelebrities(s.size)
	at, err := s.site(ctx, c.world, embedded)
	if err != nil {
		return err
	}
	var lines [][]string
	for _, kind := range []struct {
		name     string
		messages []string
	}{{"an idle socket", nil}, {"a socket with a feed subscription", []string{feedAdded}}} {
		var goroutines, heap, resident series
		for range s.rounds {
			progress("open %d sockets: %s", s.size.idle, kind.name)
			got, err := s.openIdle(ctx, at, kind.messages)
			if err != nil {
				return err
			}
			goroutines, heap, resident = append(goroutines, got.goroutines), append(heap, got.heap), append(resident, got.resident)
		}
		if kind.messages == nil {
			r.atMost("goroutines of an idle socket", embedded, goroutines, ratio, 2)
			r.atMost(fmt.Sprintf("heap of an idle socket, with %s", count(float64(s.size.idle))), embedded, heap, memory, 12_000)
			r.atMost("resident memory of an idle socket", embedded, resident, memory, 25_000)
		}
		lines = append(lines, []string{kind.name, goroutines.format(ratio), heap.format(memory), resident.format(memory)})
	}
	r.tabulate(fmt.Sprintf("What each of %s sockets takes", count(float64(s.size.idle))), []string{"", "goroutines", "heap", "resident"}, lines...)
	return nil
}

// burden is what a server has.
type burden struct{ goroutines, heap, resident float64 }

// openIdle opens sockets on a new server and returns what each of them adds.
func (s *stage) openIdle(ctx context.Context, at *site, messages []string) (each burden, err error) {
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return each, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	before, err := burdenOf(ctx, srv)
	if err != nil {
		return each, err
	}
	tokens := make([]string, s.size.idle)
	for i := range tokens {
		if tokens[i], err = at.token(i % at.network.Users); err != nil {
			return each, err
		}
	}
	open, err := connect(ctx, srv.URL, tokens, messages...)
	if err != nil {
		return each, err
	}
	defer open.close()
	if len(messages) > 0 {
		err = settle(ctx, srv, len(open))
	}
	outage.Pause(ctx, s.span/3) // what opening them took ends
	after, failed := burdenOf(ctx, srv)
	n := float64(len(open))
	return burden{(after.goroutines - before.goroutines) / n, (after.heap - before.heap) / n, (after.resident - before.resident) / n}, errors.Join(err, failed)
}

// burdenOf returns what a server has after a garbage collection.
func burdenOf(ctx context.Context, srv *process.Server) (b burden, err error) {
	if err := srv.Collect(ctx); err != nil {
		return b, err
	}
	usage, err := process.Used(srv.PID())
	if err != nil {
		return b, err
	}
	goroutines, err := srv.Metric(ctx, "go_goroutines")
	if err != nil {
		return b, err
	}
	heap, err := srv.Metric(ctx, "go_memstats_heap_alloc_bytes")
	return burden{goroutines, heap, float64(usage.Resident)}, err
}
