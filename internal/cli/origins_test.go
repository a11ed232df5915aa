package cli

import (
	"io"
	"strings"
	"testing"

	"chirp/graph/transport"
)

func TestOriginsThatNoBrowserSendsAreRefused(t *testing.T) {
	for entry, says := range map[string]string{
		"https://app.example.com/":     "write https://app.example.com",
		"https://app.example.com/app":  "write https://app.example.com",
		"app.example.com":              "is not an origin such as",
		"https://":                     "is not an origin such as",
		"https://*.*.example.com":      "more than one star",
		"https://a.example?x":          "is not an origin such as",
		"https://user@a.example":       "is not an origin such as",
		"https://[::1":                 "is not an origin such as",
		"https://" + "xn--a" + ".test": "is not an origin such as",
	} {
		_, err := Parse([]string{"--allowed-origins", entry}, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "--allowed-origins: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got error %v, want one that says %q", entry, err, says)
		}
	}
	if _, err := transport.ParseOrigins([]string{"https://app.example.com"}); err != nil {
		t.Errorf("what the refusal says to write: %v", err)
	}
}
