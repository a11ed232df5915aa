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
	turn := request.NewTurn(leave, func() func() { places++; return leave })
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

func TestSoManyOperationsWaitWithoutTheirPlaces(t *testing.T) {
	away := request.AwayAtMost(2)
	places := 3
	leave := func() { places-- }
	ctx := func() context.Context {
		return request.WithTurn(t.Context(), request.NewTurn(leave, func() func() { places++; return leave }))
	}
	away(ctx(), func() {
		away(ctx(), func() {
			away(ctx(), func() {
				if places != 1 {
					t.Errorf("while three wait they have %d places, want that the third keeps its own", places)
				}
			})
		})
		away(ctx(), func() {
			if places != 1 {
				t.Errorf("while two wait again they have %d places, want none but the third's", places)
			}
		})
	})
	if places != 3 {
		t.Errorf("when all have waited they have %d places, want 3", places)
	}
}

func TestATurnIsRenewed(t *testing.T) {
	places := 1
	turn := request.NewTurn(func() { places-- }, func() func() { t.Error("it rejoined where it was first"); return func() {} })
	rejoin := func() func() { places += 2; return func() { places -= 2 } }
	if err := turn.Renew(func() (func(), error) { places += 3; return func() { places -= 3 }, nil }, rejoin); err != nil || places != 3 {
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
	if err := turn.Renew(func() (func(), error) { return nil, io.EOF }, rejoin); err != io.EOF || places != 0 {
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
	turn := request.NewTurn(leave, func() func() { mu.Lock(); defer mu.Unlock(); places++; return leave })
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
