package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Refusal is a response that refuses a request, in part as HTTP has it and in
// part as the API does.
type Refusal struct {
	Status  int
	Header  http.Header
	Message string
	Code    string // empty if the body is no refusal of the API
}

// Ask sends a request and reads the response as a refusal.
func Ask(t testing.TB, method, url, body string, header http.Header) Refusal {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return ReadRefusal(response.StatusCode, response.Header, text)
}

// ReadRefusal reads a body as a refusal.
func ReadRefusal(status int, header http.Header, text []byte) Refusal {
	var body struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	got := Refusal{Status: status, Header: header}
	if json.Unmarshal(text, &body) == nil && len(body.Errors) == 1 {
		got.Message, got.Code = body.Errors[0].Message, body.Errors[0].Extensions.Code
	}
	return got
}

// CheckSecurityHeaders checks the headers that every response must have.
func CheckSecurityHeaders(t testing.TB, what string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %s %q, want %q once", what, name, got, want)
		}
	}
}
