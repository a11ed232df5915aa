package main

import (
	"bytes"
	"testing"

	"chirp/internal/verify"
)

func TestProgressIsALineOnATerminalOnly(t *testing.T) {
	var terminal, plain bytes.Buffer
	onTerminal := &progressLine{out: &terminal, terminal: true}
	elsewhere := &progressLine{out: &plain}
	for _, p := range []*progressLine{onTerminal, elsewhere, nil} {
		p.show(verify.Progress{Step: "events", Done: 0, Total: 10})
		if p != nil {
			p.last = p.last.Add(-plainProgressEvery)
			p.began = p.began.Add(-plainProgressEvery)
		}
		p.show(verify.Progress{Step: "events", Done: 5, Total: 10})
		p.clear()
		p.clear()
	}
	if got, want := terminal.String(), "\r\x1b[K5 of 10 events, 0/s\r\x1b[K"; got != want {
		t.Errorf("on a terminal: got %q, want %q", got, want)
	}
	if got, want := plain.String(), "5 of 10 events, 0/s\n"; got != want {
		t.Errorf("elsewhere: got %q, want %q", got, want)
	}
}
