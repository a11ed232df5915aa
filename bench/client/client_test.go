package client_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chirp/bench/client"
)

// echo answers with the body of the request, in chunks if the token is "chunks".
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Authorization") != "Bearer chunks" {
		_, _ = w.Write(body)
		return
	}
	for part := range bytes.Lines(body) {
		_, _ = w.Write(part)
		w.(http.Flusher).Flush()
	}
}

func TestAnswersAreReadWithALengthAndInChunks(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(echo))
	defer s.Close()
	c, err := client.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, token := range []string{"", "chunks", ""} {
		document := "{ one }" + strings.Repeat(" two", 1000)
		got, err := c.Do(client.Request(s.URL, token, document, map[string]any{"n": 1}))
		if want := `{"query":"` + document + `","variables":{"n":1}}`; string(got) != want || err != nil {
			t.Errorf("token %q: got %.100q, %v, want %.100q", token, got, err, want)
		}
	}
}

func TestOtherStatusesAreErrors(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c, err := client.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(client.Request(s.URL, "", "{ a }", nil)); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got error %v, want one with the status 404", err)
	}
}

func TestALoadEndsAtTheFirstWrongAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(echo))
	defer s.Close()
	wrong := errors.New("wrong")
	l := client.Load{
		URL: s.URL, Clients: 3, For: time.Minute,
		Request: func(c, n int) []byte { return client.Request(s.URL, "", "{ a }", map[string]any{"c": c, "n": n}) },
		Check: func(body []byte) error {
			if bytes.Contains(body, []byte(`{"c":1,"n":20}`)) {
				return wrong
			}
			return nil
		},
	}
	r, err := l.Run(t.Context())
	if !errors.Is(err, wrong) || r.Answers < 20 || r.Percentile(50) <= 0 || r.Percentile(50) > r.Percentile(99) {
		t.Errorf("got %d answers, p50 %s, p99 %s, error %v", r.Answers, r.Percentile(50), r.Percentile(99), err)
	}
}
