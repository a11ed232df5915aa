package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chirp/internal/outage"
)

// Load is what clients send to a server, each one request after another.
type Load struct {
	URL     string
	Clients int
	// Request returns the n-th request of a client, from 0.
	Request func(client, n int) []byte
	// Check returns an error if an answer is not right.
	Check func(body []byte) error
	For   time.Duration
	// Every is the time from one request of a client to its next, if the answer is
	// there by then; 0 for none.
	Every time.Duration
}

// Result is what was measured during a load.
type Result struct {
	Took    time.Duration
	Answers int
	sorted  []time.Duration // how long each call took
}

// NewResult returns the result of calls that took some time each.
func NewResult(took time.Duration, calls []time.Duration) Result {
	slices.Sort(calls)
	return Result{Took: took, Answers: len(calls), sorted: calls}
}

// Rate returns the answers a second.
func (r Result) Rate() float64 { return float64(r.Answers) / r.Took.Seconds() }

// Percentile returns the time within which a share of the calls, in percent, was
// answered; 0 if there was none.
func (r Result) Percentile(p float64) time.Duration {
	if len(r.sorted) == 0 {
		return 0
	}
	return r.sorted[min(len(r.sorted)-1, int(float64(len(r.sorted))*p/100))]
}

// Run sends the load. The first call that fails, or has a wrong answer, ends it.
func (l Load) Run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	took := make([][]time.Duration, l.Clients)
	errs := make([]error, l.Clients)
	var clients sync.WaitGroup
	began := time.Now()
	for i := range l.Clients {
		clients.Go(func() {
			if took[i], errs[i] = l.client(ctx, i, began.Add(l.For)); errs[i] != nil {
				cancel()
			}
		})
	}
	clients.Wait()
	return NewResult(time.Since(began), slices.Concat(took...)), errors.Join(errs...)
}

// client sends requests until a time, or until ctx ends.
func (l Load) client(ctx context.Context, client int, until time.Time) (took []time.Duration, err error) {
	c, err := Dial(l.URL)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	took = make([]time.Duration, 0, 4096)
	began := time.Now()
	for n := 0; began.Before(until) && ctx.Err() == nil; n++ {
		body, err := c.Do(l.Request(client, n))
		if err == nil {
			err = l.Check(body)
		}
		if err != nil {
			return took, fmt.Errorf("call %d of client %d of %s: %w", n, client, l.URL, err)
		}
		ended := time.Now()
		took = append(took, ended.Sub(began))
		if l.Every > 0 {
			outage.Pause(ctx, l.Every-ended.Sub(began))
			ended = time.Now()
		}
		began = ended
	}
	return took, nil
}
