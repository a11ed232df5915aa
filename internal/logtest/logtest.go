// Package logtest records what the code under test logs.
package logtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Recorder is an io.Writer that can be read while it is written. The zero
// Recorder is empty.
type Recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (r *Recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

// String returns everything written so far.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Count returns how often a text occurs in what was written.
func (r *Recorder) Count(text string) int { return strings.Count(r.String(), text) }

// Lines returns how many lines contain all of the texts.
func (r *Recorder) Lines(texts ...string) (n int) {
	for line := range strings.Lines(r.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// Logger returns a logger that writes to the recorder.
func (r *Recorder) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }
