package ws

import (
	"testing"
	"unicode/utf8"
)

func TestCloseReasonsFitACloseFrame(t *testing.T) {
	long := ""
	for range 100 {
		long += "é"
	}
	got := closeReasonf(1000, "%s", long).reason
	if len(got) > 123 || !utf8.ValidString(got) {
		t.Errorf("got %d bytes, valid %v, want at most 123 of valid UTF-8", len(got), utf8.ValidString(got))
	}
}
