package request_test

import (
	"context"
	"io"
	"sync"
	"testing"

	"chirp/graph/request"
)

func TestAnOperationThatWaitsGivesUpItsPlace(t *testing.T) {
	places := 1
	leave := func() { places-- }
	turn := request.NewTurn(1, leave, func() func() { places++; return leave })
	ctx := request.WithTurn(t.Context(), turn)
	is := func(when string, want int) {
		t.Helper()
		if places != want {
			t.Errorf("%s: it has %d places, want %d", when, places, want)
		}
	}
	request.Away(ctx, func() {
		is("while a field waits", 0)
		request.Away(ctx, func() { is("while two wait", 0) })
		is("while one of two waits", 0)
	})
	is("when all have waited", 1)
	request.Away(ctx, turn.End)
	is("when it has ended while a field waited", 0)
	turn.End()
	is("when it has ended twice", 0)
	request.Away(t.Context(), func() { is("without a turn", 0) })
}

func TestAFewSmallOperationsWaitWithoutTheirPlaces(t *testing.T) {
	inside := 0
	away := request.AwayInside(func(context.Context) (func(), bool) {
		if inside == 2 {
			return nil, false
		}
		inside++
		return func() { inside-- }, true
	})
	places := 0
	operation := func(n int) context.Context {
		places += n
		leave := func() { places -= n }
		return request.WithTurn(t.Context(), request.NewTurn(n, leave, func() func() { places += n; return leave }))
	}
	is := func(when string, want int) {
		t.Helper()
		if places != want {
			t.Errorf("%s: they have %d places, want %d", when, places, want)
		}
	}
	away(operation(2), func() { is("while a large one waits", 2) })
	away(operation(1), func() {
		is("while a small one waits", 2)
		away(operation(1), func() {
			is("while two wait", 2)
			away(operation(1), func() { is("while one more waits", 3) })
		})
		is("when one of two has waited", 4)
	})
	is("when all have waited", 5)
	away(t.Context(), func() { is("without a turn", 5) })
	if inside != 0 {
		t.Errorf("%d are away at the end, want 0", inside)
	}
}

func TestATurnIsRenewed(t *testing.T) {
	places := 1
	turn := request.NewTurn(1, func() { places-- }, func() func() { t.Error("it rejoined where it was first"); return func() {} })
	rejoin := func() func() { places += 2; return func() { places -= 2 } }
	if err := turn.Renew(3, func() (func(), error) { places += 3; return func() { places -= 3 }, nil }, rejoin); err != nil || places != 3 {
		t.Errorf("got %d places, error %v, want 3", places, err)
	}
	request.Away(request.WithTurn(t.Context(), turn), func() {
		if places != 0 {
			t.Errorf("away it has %d places, want none", places)
		}
	})
	if places != 2 {
		t.Errorf("back it has %d places, want 2", places)
	}
	if err := turn.Renew(3, func() (func(), error) { return nil, io.EOF }, rejoin); err != io.EOF || places != 0 {
		t.Errorf("after an error: got %d places, error %v, want none and EOF", places, err)
	}
	turn.End()
	if places != 0 {
		t.Errorf("at the end it has %d places, want 0", places)
	}
}

func TestFieldsWaitAtOnce(t *testing.T) {
	var mu sync.Mutex
	places := 1
	leave := func() { mu.Lock(); defer mu.Unlock(); places-- }
	turn := request.NewTurn(1, leave, func() func() { mu.Lock(); defer mu.Unlock(); places++; return leave })
	ctx := request.WithTurn(t.Context(), turn)
	var fields sync.WaitGroup
	for range 50 {
		fields.Go(func() { request.Away(ctx, func() {}) })
	}
	fields.Wait()
	turn.End()
	if places != 0 {
		t.Errorf("%d places are left, want 0", places)
	}
}
