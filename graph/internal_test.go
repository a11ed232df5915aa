package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"chirp/graph/model"
	"chirp/internal/domain"
)

// These are internal tests because they are about what cannot be seen from outside:
// what is cached, how often something is read, and tables that must be complete.

func TestEveryKindHasItsOwnCode(t *testing.T) {
	seen := map[model.ErrorCode]domain.Kind{}
	for kind := domain.Internal; kind <= domain.Unavailable; kind++ {
		c := codeOf(kind)
		if first, twice := seen[c]; twice || !c.IsValid() {
			t.Errorf("kind %d has code %q, which is no code of the schema or that of kind %d", kind, c, first)
		}
		seen[c] = kind
	}
}

func TestExpectedKeysAreReadTogether(t *testing.T) {
	var mu sync.Mutex
	var reads [][]int
	l := newLoader(func(_ context.Context, keys []int) (map[int]string, error) {
		mu.Lock()
		defer mu.Unlock()
		reads = append(reads, keys)
		values := map[int]string{}
		for _, k := range keys {
			if k != 13 {
				values[k] = fmt.Sprint(k)
			}
		}
		return values, nil
	})
	l.expect(1, 2, 3, 13)
	var asking sync.WaitGroup
	for _, key := range []int{1, 2, 3, 13, 1, 2, 3, 13} {
		asking.Go(func() {
			if v, ok, err := l.load(context.Background(), key); err != nil || ok != (key != 13) || ok && v != fmt.Sprint(key) {
				t.Errorf("load %d: got %q, %v, %v", key, v, ok, err)
			}
		})
	}
	asking.Wait()
	l.expect(1) // known already
	if _, _, err := l.load(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	for _, keys := range reads {
		slices.Sort(keys)
	}
	if got := fmt.Sprint(reads); got != "[[1 2 3 13] [4]]" {
		t.Errorf("got reads %s, want [[1 2 3 13] [4]]", got)
	}
}

func TestAFailedReadIsNotCached(t *testing.T) {
	failure := errors.New("no answer")
	l := newLoader(func(context.Context, []int) (map[int]int, error) { return map[int]int{1: 1}, failure })
	if _, _, err := l.load(context.Background(), 1); !errors.Is(err, failure) {
		t.Fatalf("got %v, want the failure", err)
	}
	failure = nil
	if v, ok, err := l.load(context.Background(), 1); v != 1 || !ok || err != nil {
		t.Errorf("got %v, %v, %v, want 1", v, ok, err)
	}
}

func TestACallerThatLeavesDoesNotFailTheOthers(t *testing.T) {
	reading := make(chan struct{})
	l := newLoader(func(ctx context.Context, _ []int) (map[int]int, error) {
		select {
		case reading <- struct{}{}:
			<-ctx.Done()
			return nil, ctx.Err()
		default:
			return map[int]int{1: 1}, nil
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		_, _, err := l.load(ctx, 1)
		gone <- err
	}()
	<-reading
	stays := make(chan error)
	go func() {
		_, _, err := l.load(context.Background(), 1)
		stays <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who went got %v, want Canceled", err)
	}
	if err := <-stays; err != nil {
		t.Errorf("who stays got %v, want the value", err)
	}
}
