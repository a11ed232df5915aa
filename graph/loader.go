package graph

import (
	"context"
	"errors"
	"sync"
)

// loader loads the values of many keys with few reads. Keys that are expected are
// read together as soon as one of them is loaded. A page of a list expects its
// rows' keys, so that it costs one read however its fields are scheduled, and no
// load waits in case others follow.
type loader[K comparable, V any] struct {
	// read returns the values of keys, leaving out the keys that have none.
	read func(ctx context.Context, keys []K) (map[K]V, error)

	mu       sync.Mutex
	batches  map[K]*batch[K, V]
	expected map[K]bool
}

// batch is one read of several keys, under way or done.
type batch[K comparable, V any] struct {
	done   chan struct{}
	values map[K]V
	err    error
}

func newLoader[K comparable, V any](read func(context.Context, []K) (map[K]V, error)) *loader[K, V] {
	return &loader[K, V]{read: read, batches: map[K]*batch[K, V]{}, expected: map[K]bool{}}
}

// expect adds keys to the next read.
func (l *loader[K, V]) expect(keys ...K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if l.batches[k] == nil {
			l.expected[k] = true
		}
	}
}

// load returns a key's value. The bool is false if there is none.
func (l *loader[K, V]) load(ctx context.Context, key K) (V, bool, error) {
	var none V
	for {
		b, keys := l.join(key)
		if keys != nil {
			l.run(ctx, b, keys)
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return none, false, ctx.Err()
		}
		switch {
		case b.err == nil:
			v, ok := b.values[key]
			return v, ok, nil
		case ctx.Err() == nil && errors.Is(b.err, context.Canceled):
			continue // the caller that was reading has left, and this one has not
		default:
			return none, false, b.err
		}
	}
}

// join returns the batch that a key belongs to. If there is none it starts one,
// and returns the keys that the caller must read for it.
func (l *loader[K, V]) join(key K) (*batch[K, V], []K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.batches[key]; b != nil {
		return b, nil
	}
	b := &batch[K, V]{done: make(chan struct{})}
	l.expected[key] = true
	keys := make([]K, 0, len(l.expected))
	for k := range l.expected {
		keys = append(keys, k)
		l.batches[k] = b
	}
	clear(l.expected)
	return b, keys
}

// run reads the keys of a batch. A batch that failed is not kept: the next load
// reads again.
func (l *loader[K, V]) run(ctx context.Context, b *batch[K, V], keys []K) {
	b.err = errReadPanicked // stays if read panics
	defer close(b.done)
	defer l.forget(b, keys)
	b.values, b.err = l.read(ctx, keys)
}

func (l *loader[K, V]) forget(b *batch[K, V], keys []K) {
	if b.err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		delete(l.batches, k)
	}
}
