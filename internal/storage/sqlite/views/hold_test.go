package views

import (
	"errors"
	"testing"
	"time"

	"chirp/internal/readmodel"
)

func TestHoldFromAClockThatWasAheadIsVoid(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	writer, err := v.Serving(t.Context(), testEpoch, 3)
	if err != nil {
		t.Fatal(err)
	}
	at := readmodel.Checkpoint{}
	for _, hold := range []struct {
		ahead time.Duration
		want  error
	}{{readmodel.LongestHold - time.Second, readmodel.ErrHeld}, {readmodel.LongestHold + time.Minute, nil}, {24 * time.Hour, nil}, {-time.Second, nil}} {
		err := v.current.withWriter(func(c *conn) error {
			_, err := c.exec("UPDATE generation SET held = ?", time.Now().Add(hold.ahead).UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		next := readmodel.Checkpoint{Position: at.Position + 1}
		if err := writer.Apply(t.Context(), readmodel.Batch{From: at, To: next}); !errors.Is(err, hold.want) {
			t.Errorf("Apply to what is held until %s from now: got %v, want %v", hold.ahead, err, hold.want)
		} else if err == nil {
			at = next
		}
	}
}
