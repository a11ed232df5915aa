package graph

import (
	"context"
	"errors"
	"sync"
)

// loader answers questions about many keys with few reads. Keys that are
// expected are read together as soon as one of them is asked for. A page of a
// list expects its rows' keys, so it costs one read however its fields happen
// to be scheduled, and no question waits for others that may or may not come.
type loader[K comparable, V any] struct {
	// read gives the values of keys, leaving out those that have none.
	read func(ctx context.Context, keys []K) (map[K]V, error)

	mu       sync.Mutex
	answers  map[K]*reading[K, V]
	expected map[K]bool
}

// reading is one read, under way or done.
type reading[K comparable, V any] struct {
	done   chan struct{}
	values map[K]V
	err    error
}

func newLoader[K comparable, V any](read func(context.Context, []K) (map[K]V, error)) *loader[K, V] {
	return &loader[K, V]{read: read, answers: map[K]*reading[K, V]{}, expected: map[K]bool{}}
}

// expect says which keys are likely to be asked for.
func (l *loader[K, V]) expect(keys ...K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if l.answers[k] == nil {
			l.expected[k] = true
		}
	}
}

// load gives a key's value; the bool is false if there is none.
func (l *loader[K, V]) load(ctx context.Context, key K) (V, bool, error) {
	var none V
	for {
		r, keys := l.join(key)
		if keys != nil {
			l.run(ctx, r, keys)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return none, false, ctx.Err()
		}
		switch {
		case r.err == nil:
			v, ok := r.values[key]
			return v, ok, nil
		case ctx.Err() == nil && errors.Is(r.err, context.Canceled):
			continue // the one who read has gone, and this one has not
		default:
			return none, false, r.err
		}
	}
}

// join finds the reading that a key belongs to. If there is none it begins
// one, and gives the keys that the caller must read for it.
func (l *loader[K, V]) join(key K) (*reading[K, V], []K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.answers[key]; r != nil {
		return r, nil
	}
	r := &reading[K, V]{done: make(chan struct{})}
	l.expected[key] = true
	keys := make([]K, 0, len(l.expected))
	for k := range l.expected {
		keys = append(keys, k)
		l.answers[k] = r
	}
	clear(l.expected)
	return r, keys
}

// run reads the keys. A read that failed is not kept: whoever asks next reads
// again.
func (l *loader[K, V]) run(ctx context.Context, r *reading[K, V], keys []K) {
	r.err = errReadBroken // stands if read panics
	defer close(r.done)
	defer l.forget(r, keys)
	r.values, r.err = l.read(ctx, keys)
}

func (l *loader[K, V]) forget(r *reading[K, V], keys []K) {
	if r.err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		delete(l.answers, k)
	}
}
