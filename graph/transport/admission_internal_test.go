package transport

import (
	"context"
	"strings"
	"testing"
	"time"

	"chirp/internal/gate"
)

// A socket's large message that the gate refuses at once, because too many wait, must
// not keep a processor busy.
func TestARefusedMessageWaitsBeforeItTriesAgain(t *testing.T) {
	a := admission{bodies: gate.NewLimited("bodies", gate.Limits{Places: 1, Waiting: 1, WaitingPerKey: 1, Patience: time.Hour})}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	release, err := a.Receive(ctx, smallBody+1)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 2 {
		go func() {
			_, _, _ = a.ReceiveMessage(ctx, nil, strings.NewReader(strings.Repeat("x", smallBody+1)), smallBody+1, func() {})
		}()
	}
	<-ctx.Done()
	if n := a.bodies.Stats().Refused; n == 0 || n > 10 {
		t.Errorf("the gate refused %d times, want a few", n)
	}
}
