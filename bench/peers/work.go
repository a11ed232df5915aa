// Package peers has what the peers' programs print about their work. The peers
// themselves are in the folders below.
package peers

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// Work is what a program did in a span of time, as it prints it.
type Work struct {
	mu    sync.Mutex
	began time.Time

	Took  float64 // seconds
	CPU   float64 // seconds that the program itself used
	Calls []int64 // microseconds that each call took
}

// Begin starts the span.
func (w *Work) Begin() { w.began, w.CPU = time.Now(), used() }

// End ends the span.
func (w *Work) End() { w.Took, w.CPU = time.Since(w.began).Seconds(), used()-w.CPU }

// Add adds a call. A nil Work adds nothing.
func (w *Work) Add(took time.Duration) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Calls = append(w.Calls, took.Microseconds())
}

// Print prints the work, for Parse.
func (w *Work) Print(out io.Writer) error { return json.NewEncoder(out).Encode(w) }

// Parse returns the work that a program printed.
func Parse(text []byte) (*Work, error) {
	w := &Work{}
	if err := json.Unmarshal(text, w); err != nil {
		return nil, fmt.Errorf("read %.200q: %w", text, err)
	}
	return w, nil
}

// used returns the seconds of CPU that this process has used.
func used() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for other arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
