package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chirp/graph/graphtest"
)

// pageQuery is a page of a feed, with authors.
const pageQuery = `{ feed { edges { cursor node { id content postedAt author { id username viewerFollows } } } pageInfo { endCursor hasNextPage } } }`

// ask returns a function that has the handler answer one request, without a network and a
// client, so that only the work of the server is measured.
func ask(b *testing.B, w *graphtest.World, token string, document string) func() {
	b.Helper()
	return func() {
		body, _ := json.Marshal(map[string]any{"query": document})
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		got := &discarded{header: http.Header{}}
		w.Handler.ServeHTTP(got, r)
		if got.status != http.StatusOK || got.bytes == 0 {
			b.Fatalf("got %d and %d bytes", got.status, got.bytes)
		}
	}
}

// discarded is a response that is only counted.
type discarded struct {
	header        http.Header
	status, bytes int
}

func (d *discarded) Header() http.Header              { return d.header }
func (d *discarded) SetReadDeadline(time.Time) error  { return nil }
func (d *discarded) SetWriteDeadline(time.Time) error { return nil }
func (d *discarded) Flush()                           {}
func (d *discarded) WriteHeader(status int)           { d.status = status }
func (d *discarded) Write(b []byte) (int, error)      { d.bytes += len(b); return len(b), nil }

// BenchmarkHandler has the whole handler answer the operations that clients send most.
func BenchmarkHandler(b *testing.B) {
	w := graphtest.New(b)
	ada := w.Person("ada")
	for i := range 20 {
		author := w.Person(fmt.Sprint("author", i))
		w.Follow(ada, author)
		w.Post(author, "hello")
	}
	w.Must(ada.Token, pageQuery, nil)
	for _, bench := range []struct {
		name     string
		document string
	}{
		{"page", pageQuery},
		{"viewer", `{ viewer { id } }`},
		{"typename", `{ __typename }`},
		{"postChirp", `mutation { postChirp(input: {content: "hello"}) { chirp { id } position } }`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			one := ask(b, w, ada.Token, bench.document)
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
	}
}
