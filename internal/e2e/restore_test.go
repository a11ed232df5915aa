package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"github.com/gorilla/websocket"
)

// cursorLists are the documents of all lists that are paged by cursor. Each
// names its page "it".
var cursorLists = map[string]string{
	"feed":         `query($first: Int, $after: String, $before: String) { it: feed(first: $first, after: $after, before: $before) { edges { cursor } } }`,
	"recentChirps": `query($first: Int, $after: String, $before: String) { it: recentChirps(first: $first, after: $after, before: $before) { edges { cursor } } }`,
	"recentUsers":  `query($first: Int, $after: String, $before: String) { it: recentUsers(first: $first, after: $after, before: $before) { edges { cursor } } }`,
	"chirps":       ofBob(`chirps`),
	"followers":    ofBob(`followers`),
	"following":    ofBob(`following`),
}

func ofBob(list string) string {
	return `query($first: Int, $after: String, $before: String) { user(username: "bob") { it: ` + list + `(first: $first, after: $after, before: $before) { edges { cursor } } } }`
}

// readCursors reads the cursors of one list, the newest first.
func readCursors(t testing.TB, a apitest.API, list string, v apitest.Vars) ([]string, error) {
	t.Helper()
	type edges struct{ Edges []struct{ Cursor string } }
	var got struct {
		It   edges
		User struct{ It edges }
	}
	err := a.Do(t.Context(), cursorLists[list], v, &got)
	var cursors []string
	for _, e := range append(got.It.Edges, got.User.It.Edges...) {
		cursors = append(cursors, e.Cursor)
	}
	return cursors, err
}

// allCursors reads the cursors of all lists.
func allCursors(t testing.TB, a apitest.API) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for list := range cursorLists {
		all[list] = apitest.Must(readCursors(t, a, list, apitest.Vars{"first": 100}))(t)
		if len(all[list]) == 0 {
			t.Fatalf("%s is empty, want cursors to try", list)
		}
	}
	return all
}

// wantRefused checks that every list and every kind of request refuses a cursor
// as one of another history.
func wantRefused(t testing.TB, a apitest.API, what, cursor string) {
	t.Helper()
	for list := range cursorLists {
		for _, side := range []string{"after", "before"} {
			if got, err := readCursors(t, a, list, apitest.Vars{"first": 5, side: cursor}); apitest.Code(err) != "CURSOR_INVALID" {
				t.Errorf("%s, %s %s: got %d rows and %s, want CURSOR_INVALID", list, side, what, len(got), apitest.Code(err))
			}
		}
	}
	if body := getFeed(t, a, cursor); !strings.Contains(body, "CURSOR_INVALID") {
		t.Errorf("GET of a page after %s: got %s, want CURSOR_INVALID", what, body)
	}
	for _, transport := range []string{"text/event-stream", "multipart/mixed;subscriptionSpec=1.0", "graphql-transport-ws", "graphql-ws"} {
		if text := firstAnswer(t, a, transport, cursor); !strings.Contains(text, "CURSOR_INVALID") || !strings.Contains(text, "start again without it") {
			t.Errorf("%s after %s: got %q first, want CURSOR_INVALID and what to do", transport, what, text)
		}
	}
}

// getFeed reads a page after a cursor by GET.
func getFeed(t testing.TB, a apitest.API, cursor string) string {
	t.Helper()
	query := url.Values{"query": {cursorLists["feed"]}, "variables": {fmt.Sprintf(`{"after":%q}`, cursor)}}
	r := apitest.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"/graphql?"+query.Encode(), nil))(t)
	r.Header.Set("Authorization", "Bearer "+a.Token)
	r.Header.Set("Accept", "application/graphql-response+json")
	response := apitest.Must(apitest.Client.Do(r))(t)
	defer response.Body.Close()
	return string(apitest.Must(io.ReadAll(response.Body))(t))
}

// firstAnswer subscribes to the feed after a cursor and returns the first answer.
func firstAnswer(t testing.TB, a apitest.API, transport, cursor string) string {
	t.Helper()
	if strings.Contains(transport, "/") {
		body := apitest.Must(json.Marshal(apitest.Vars{"query": apitest.FeedAddedDocument, "variables": apitest.Vars{"after": cursor}}))(t)
		resp := apitest.Must(a.Request(t.Context(), body, transport))(t)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), `"data"`) || strings.Contains(lines.Text(), `"errors"`) {
				return lines.Text()
			}
		}
		return ""
	}
	dialer := websocket.Dialer{Subprotocols: []string{transport}, HandshakeTimeout: apitest.Patience}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.URL, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s := &apitest.Socket{WS: ws}
	defer s.Close()
	start := map[string]string{"graphql-ws": "start", "graphql-transport-ws": "subscribe"}[transport]
	for kind, payload := range map[string]apitest.Vars{"connection_init": {"authorization": "Bearer " + a.Token}} {
		if err := s.Write("", kind, payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write("f", start, apitest.Vars{"query": apitest.FeedAddedDocument, "variables": apitest.Vars{"after": cursor}}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := s.Read()
		if err != nil || f.ID == "f" {
			return string(f.Payload)
		}
	}
}

// posted posts chirps, and returns what was posted.
func posted(t testing.TB, a apitest.API, prefix string, n int) (texts []string, last string) {
	t.Helper()
	for i := range n {
		texts = append(texts, fmt.Sprint(prefix, " ", i))
		last = apitest.Must(a.Post(t.Context(), texts[i], ""))(t).Position
	}
	return texts, last
}

// After a restore, new events take the positions of those that it undid. Every
// list refuses cursors of the undone events, and continues without a gap after
// cursors of those in the backup.
func TestCursorsOfAHistoryThatARestoreHasUndone(t *testing.T) {
	for name, of := range map[string]func(string) bool{"all of it": everything, "the log alone": ofTheLog} {
		t.Run(name, func(t *testing.T) {
			apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) { undoneHistory(t, p, of) })
		})
	}
}

func undoneHistory(t *testing.T, p apitest.Place, of func(string) bool) {
	s := apitest.Start(t, p)
	users := apitest.RegisterAll(t, s.URL, "ann", "bob", "cid")
	apitest.Must(users[0].At(s.URL).Follow(t.Context(), users[1].ID, ""))(t)
	apitest.Must(users[1].At(s.URL).Follow(t.Context(), users[0].ID, ""))(t)
	_, last := posted(t, users[1].At(s.URL), "kept", 3)
	ann := users[0].At(s.URL)
	ann.ReadAfter = last
	kept := allCursors(t, ann)
	s.Terminate(t)
	restore := backUp(t, p, of)

	s = apitest.Start(t, p)
	ann.URL = s.URL
	live := apitest.Must(ann.Connect(t.Context()))(t)
	// After the newest chirp, because without a cursor it begins when the server
	// reads it.
	if err := live.Subscribe("f", apitest.FeedAddedDocument, apitest.Vars{"after": kept["feed"][0]}); err != nil {
		t.Fatal(err)
	}
	// The same follow will be at the same position again.
	apitest.Must(users[2].At(s.URL).Follow(t.Context(), users[1].ID, "follow"))(t)
	_, ann.ReadAfter = posted(t, users[1].At(s.URL), "undone", 3)
	ann.ReadAfter = apitest.RegisterAll(t, s.URL, "dot")[0].Position
	undone := allCursors(t, ann)
	undone["a push"] = []string{apitest.Must(live.NextEdge("f"))(t).Cursor}
	live.Close()
	s.Terminate(t)
	restore()

	s = apitest.Start(t, p)
	ann.URL = s.URL
	beyond := ann
	ann.ReadAfter = ""
	if _, err := beyond.Page(t.Context(), 1, ""); apitest.Code(err) != "NOT_YET_VISIBLE" {
		t.Errorf("a page after a position beyond the restored log: got %s, want NOT_YET_VISIBLE", apitest.Code(err))
	}
	apitest.Eventually(t, "the views follow the restored log", func() bool {
		return slices.Equal(apitest.Contents(apitest.Must(ann.Feed(t.Context(), 10))(t)), []string{"kept 2", "kept 1", "kept 0"})
	})
	wantRefused(t, ann, "a push that is now beyond the log", undone["a push"][0])
	apitest.Must(users[2].At(s.URL).Follow(t.Context(), users[1].ID, "follow"))(t)
	texts, position := posted(t, users[1].At(s.URL), "new", 7)
	ann.ReadAfter = position
	for list, cursors := range undone {
		for _, cursor := range cursors {
			if !slices.Contains(slices.Concat(kept[list]), cursor) {
				wantRefused(t, ann, "a cursor of "+list+" that was undone", cursor)
			}
		}
	}
	for list, cursors := range kept {
		for _, cursor := range cursors {
			if _, err := readCursors(t, ann, "feed", apitest.Vars{"before": cursor}); err != nil {
				t.Errorf("a feed before a cursor of %s from the backup: %v", list, err)
			}
		}
	}
	wantResumed(t, ann, kept["feed"][0], texts)
	s.Terminate(t)
	wantSound(t, p)
}

// wantResumed checks that a subscription after a cursor pushes the wanted chirps,
// each once and in order, with the same cursors as the feed.
func wantResumed(t testing.TB, a apitest.API, cursor string, want []string) {
	t.Helper()
	inFeed := map[string]string{}
	for _, e := range apitest.Must(a.Feed(t.Context(), 3))(t) {
		inFeed[e.Node.Content] = e.Cursor
	}
	s := apitest.Must(a.Connect(t.Context()))(t)
	defer s.Close()
	if err := s.Subscribe("f", apitest.FeedAddedDocument, apitest.Vars{"after": cursor}); err != nil {
		t.Fatal(err)
	}
	for _, text := range want {
		e := apitest.Must(s.NextEdge("f"))(t)
		if e.Node.Content != text || e.Cursor != inFeed[text] {
			t.Errorf("resumed: got %q with cursor %s, want %q with %s", e.Node.Content, e.Cursor, text, inFeed[text])
		}
	}
}

// wantSound verifies the views of a place.
func wantSound(t testing.TB, p apitest.Place) {
	t.Helper()
	if r := p.Command(t, "verify"); r.Code != 0 || !strings.Contains(r.Out, "differences: 0;") {
		t.Errorf("verify: got exit code %d and %s%s, want no difference", r.Code, r.Out, r.Log)
	}
}
