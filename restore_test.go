package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

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

// cursors reads the cursors of one list, the newest first.
func (a api) cursors(t testing.TB, list string, v vars) ([]string, error) {
	t.Helper()
	type edges struct{ Edges []struct{ Cursor string } }
	var got struct {
		It   edges
		User struct{ It edges }
	}
	err := a.do(t.Context(), cursorLists[list], v, &got)
	var cursors []string
	for _, e := range append(got.It.Edges, got.User.It.Edges...) {
		cursors = append(cursors, e.Cursor)
	}
	return cursors, err
}

// allCursors reads the cursors of all lists.
func (a api) allCursors(t testing.TB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for list := range cursorLists {
		all[list] = must(a.cursors(t, list, vars{"first": 100}))(t)
		if len(all[list]) == 0 {
			t.Fatalf("%s is empty, want cursors to try", list)
		}
	}
	return all
}

// wantRefused checks that a cursor is refused as one of another history, in
// every list, by every kind of request.
func (a api) wantRefused(t testing.TB, what, cursor string) {
	t.Helper()
	for list := range cursorLists {
		for _, side := range []string{"after", "before"} {
			if got, err := a.cursors(t, list, vars{"first": 5, side: cursor}); code(err) != "CURSOR_INVALID" {
				t.Errorf("%s, %s %s: got %d rows and %s, want CURSOR_INVALID", list, side, what, len(got), code(err))
			}
		}
	}
	if body := a.getFeed(t, cursor); !strings.Contains(body, "CURSOR_INVALID") {
		t.Errorf("GET of a page after %s: got %s, want CURSOR_INVALID", what, body)
	}
	for _, transport := range []string{"text/event-stream", "multipart/mixed;subscriptionSpec=1.0", "graphql-transport-ws", "graphql-ws"} {
		if text := a.firstAnswer(t, transport, cursor); !strings.Contains(text, "CURSOR_INVALID") || !strings.Contains(text, "start again without it") {
			t.Errorf("%s after %s: got %q first, want CURSOR_INVALID and what to do", transport, what, text)
		}
	}
}

// getFeed reads a page after a cursor by GET.
func (a api) getFeed(t testing.TB, cursor string) string {
	t.Helper()
	query := url.Values{"query": {cursorLists["feed"]}, "variables": {fmt.Sprintf(`{"after":%q}`, cursor)}}
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/graphql?"+query.Encode(), nil))(t)
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Accept", "application/graphql-response+json")
	response := must(browser.Do(r))(t)
	defer response.Body.Close()
	return string(must(io.ReadAll(response.Body))(t))
}

// firstAnswer subscribes to the feed after a cursor and returns the first thing
// that is said of it.
func (a api) firstAnswer(t testing.TB, transport, cursor string) string {
	t.Helper()
	if strings.Contains(transport, "/") {
		body := must(json.Marshal(vars{"query": feedAddedDocument, "variables": vars{"after": cursor}}))(t)
		resp := must(a.request(t.Context(), body, transport))(t)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), `"data"`) || strings.Contains(lines.Text(), `"errors"`) {
				return lines.Text()
			}
		}
		return ""
	}
	dialer := websocket.Dialer{Subprotocols: []string{transport}, HandshakeTimeout: patience}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s := &socket{ws}
	defer s.close()
	start := map[string]string{"graphql-ws": "start", "graphql-transport-ws": "subscribe"}[transport]
	for kind, payload := range map[string]vars{"connection_init": {"authorization": "Bearer " + a.token}} {
		if err := s.write("", kind, payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write("f", start, vars{"query": feedAddedDocument, "variables": vars{"after": cursor}}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := s.read()
		if err != nil || f.ID == "f" {
			return string(f.Payload)
		}
	}
}

// posted posts chirps, and returns what was posted.
func posted(t testing.TB, a api, prefix string, n int) (texts []string, last string) {
	t.Helper()
	for i := range n {
		texts = append(texts, fmt.Sprint(prefix, " ", i))
		last = must(a.post(t.Context(), texts[i], ""))(t).Position
	}
	return texts, last
}

// A backup is restored, life goes on, and positions are used again. What was
// given out before the restore, and is not in the backup, is refused
// everywhere; what is in the backup goes on without a gap.
func TestCursorsOfAHistoryThatARestoreHasUndone(t *testing.T) {
	for name, of := range map[string]func(string) bool{"all of it": everything, "the log alone": ofTheLog} {
		t.Run(name, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, p place) { undoneHistory(t, p, of) })
		})
	}
}

func undoneHistory(t *testing.T, p place, of func(string) bool) {
	s := start(t, p)
	users := registerAll(t, s.url, "ann", "bob", "cid")
	must(users[0].at(s.url).follow(t.Context(), users[1].ID, ""))(t)
	must(users[1].at(s.url).follow(t.Context(), users[0].ID, ""))(t)
	_, last := posted(t, users[1].at(s.url), "kept", 3)
	ann := users[0].at(s.url)
	ann.readAfter = last
	kept := ann.allCursors(t)
	s.stop(t)
	restore := p.backup(t, of)

	s = start(t, p)
	ann.url = s.url
	live := must(ann.connect(t.Context()))(t)
	// After the newest there is, for without a cursor it begins when it is heard.
	if err := live.subscribe("f", feedAddedDocument, vars{"after": kept["feed"][0]}); err != nil {
		t.Fatal(err)
	}
	// The same follow will stand at the same position again.
	must(users[2].at(s.url).follow(t.Context(), users[1].ID, "follow"))(t)
	_, ann.readAfter = posted(t, users[1].at(s.url), "undone", 3)
	ann.readAfter = registerAll(t, s.url, "dot")[0].Position
	undone := ann.allCursors(t)
	undone["a push"] = []string{must(live.nextEdge("f"))(t).Cursor}
	live.close()
	s.stop(t)
	restore()

	s = start(t, p)
	ann.url = s.url
	beyond := ann
	ann.readAfter = ""
	if _, err := beyond.page(t.Context(), 1, ""); code(err) != "NOT_YET_VISIBLE" {
		t.Errorf("a page after a position beyond the restored log: got %s, want NOT_YET_VISIBLE", code(err))
	}
	eventually(t, "the views follow the restored log", func() bool {
		return slices.Equal(contents(must(ann.feed(t.Context(), 10))(t)), []string{"kept 2", "kept 1", "kept 0"})
	})
	ann.wantRefused(t, "a push that is now beyond the log", undone["a push"][0])
	must(users[2].at(s.url).follow(t.Context(), users[1].ID, "follow"))(t)
	texts, position := posted(t, users[1].at(s.url), "new", 7)
	ann.readAfter = position
	for list, cursors := range undone {
		for _, cursor := range cursors {
			if !slices.Contains(slices.Concat(kept[list]), cursor) {
				ann.wantRefused(t, "a cursor of "+list+" that was undone", cursor)
			}
		}
	}
	for list, cursors := range kept {
		for _, cursor := range cursors {
			if _, err := ann.cursors(t, "feed", vars{"before": cursor}); err != nil {
				t.Errorf("a feed before a cursor of %s from the backup: %v", list, err)
			}
		}
	}
	wantResumed(t, ann, kept["feed"][0], texts)
	s.stop(t)
	wantSound(t, p)
}

// wantResumed checks that a subscription after a cursor gives some chirps, each
// once and in order, with the cursors that the feed has for them.
func wantResumed(t testing.TB, a api, cursor string, want []string) {
	t.Helper()
	inFeed := map[string]string{}
	for _, e := range must(a.feed(t.Context(), 3))(t) {
		inFeed[e.Node.Content] = e.Cursor
	}
	s := must(a.connect(t.Context()))(t)
	defer s.close()
	if err := s.subscribe("f", feedAddedDocument, vars{"after": cursor}); err != nil {
		t.Fatal(err)
	}
	for _, text := range want {
		e := must(s.nextEdge("f"))(t)
		if e.Node.Content != text || e.Cursor != inFeed[text] {
			t.Errorf("resumed: got %q with cursor %s, want %q with %s", e.Node.Content, e.Cursor, text, inFeed[text])
		}
	}
}

// wantSound checks the views of a place, whose server is stopped, against its
// log.
func wantSound(t testing.TB, p place) {
	t.Helper()
	out, err := runChirp(t, p, "verify")
	if err != nil || !strings.Contains(out, "differences: 0;") {
		t.Errorf("verify: got %v and %s, want no difference", err, out)
	}
}

// runChirp runs a command of the program on a place, as a process of its own,
// and returns all that it wrote, and an error unless it succeeded.
func runChirp(t testing.TB, p place, name string, more ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], slices.Concat([]string{name}, p.args, more)...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.CombinedOutput()
	return string(out), err
}
