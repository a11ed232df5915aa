package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"github.com/gorilla/websocket"
)

// advised returns the flags of the only command in a document that has a flag.
func advised(t *testing.T, document, flag string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^go run \. (.*`+regexp.QuoteMeta(flag)+`.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d commands with %s, want 1", document, len(found), flag)
	}
	return strings.Fields(found[0][1])
}

// TestTheDocumentedOriginOfADevServerWorks starts a server as doc/clients.md
// says, and does what a browser does for a page of a dev server.
func TestTheDocumentedOriginOfADevServerWorks(t *testing.T) {
	flags := advised(t, "doc/clients.md", "--allowed-origins")
	s := apitest.Start(t, apitest.Embedded(t.TempDir()), flags...)
	const page = "http://localhost:5173"
	preflight := apitest.Fetch(t, http.MethodOptions, s.URL+"/graphql", http.Header{
		"Origin": {page}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,chirp-cost,chirp-read-after,content-type"},
	})
	if got := preflight.Header.Get("Access-Control-Allow-Headers"); preflight.StatusCode >= 300 || preflight.Header.Get("Access-Control-Allow-Origin") != page || !strings.Contains(got, "chirp-cost") {
		t.Errorf("preflight: got %s with %v, want the origin and the headers allowed", preflight.Status, preflight.Header)
	}
	for _, accept := range []string{"application/json", "application/graphql-response+json", "text/event-stream"} {
		r := apitest.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/graphql", strings.NewReader(`{"query": "{ __typename }"}`)))(t)
		r.Header = http.Header{"Origin": {page}, "Content-Type": {"application/json"}, "Accept": {accept}}
		response := apitest.Must(apitest.Client.Do(r))(t)
		body := apitest.Must(io.ReadAll(response.Body))(t)
		response.Body.Close()
		if response.Header.Get("Access-Control-Allow-Origin") != page || !strings.Contains(string(body), `"__typename":"Query"`) {
			t.Errorf("%s: got %s %q with origin %q, want an answer for %s", accept, response.Status, body, response.Header.Get("Access-Control-Allow-Origin"), page)
		}
	}
	for origin, want := range map[string]int{page: http.StatusSwitchingProtocols, "http://localhost:5174": http.StatusForbidden} {
		dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: apitest.Patience}
		ws, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", http.Header{"Origin": {origin}})
		if response == nil {
			t.Fatal(err)
		}
		if err == nil {
			ws.Close()
		}
		if response.StatusCode != want {
			t.Errorf("a socket of %s: got %s, want %d", origin, response.Status, want)
		}
	}
}

// TestASuiteIsNotLimitedAsDocumented starts a server as doc/clients.md says, and
// registers more users than the default limits let an address have at once.
func TestASuiteIsNotLimitedAsDocumented(t *testing.T) {
	flags := advised(t, "doc/clients.md", "--rate-limit")
	flags[slices.Index(flags, "--data")+1] = t.TempDir()
	s := apitest.Start(t, apitest.Place{}, flags...)
	for _, u := range apitest.RegisterAll(t, s.URL, manyNames(40)...) {
		if u.Token == "" {
			t.Errorf("%s has no token", u.Username)
		}
	}
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("user", i)
	}
	return names
}

// TestTwentyUsersRegisterAtTheDefaultLimits is what an end-to-end suite does
// before anyone has read about limits.
func TestTwentyUsersRegisterAtTheDefaultLimits(t *testing.T) {
	s := apitest.Start(t, apitest.Embedded(t.TempDir()), "--rate-limit", "20")
	apitest.RegisterAll(t, s.URL, manyNames(20)...)
}

// TestDocumentsAreMerged looks for the markers of an unfinished merge.
func TestDocumentsAreMerged(t *testing.T) {
	for _, pattern := range []string{"*.md", "doc/*.md", "doc/decisions/*.md", "*/README.md"} {
		for _, document := range apitest.Must(filepath.Glob(filepath.Join(root, pattern)))(t) {
			text := apitest.Must(os.ReadFile(document))(t)
			if marker := regexp.MustCompile(`(?m)^(<<<<<<<|=======|>>>>>>>)( .*)?$`).Find(text); marker != nil {
				t.Errorf("%s has the line %q, want none of a merge", document, marker)
			}
		}
	}
}
