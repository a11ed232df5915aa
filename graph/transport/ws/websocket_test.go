package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/graphtest"
	"chirp/internal/auth"
)

func TestSocketPushesChirpsAndResumesAfterACursor(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	c := w.Socket(t, ada.Token)
	c.Subscribe("feed", graphtest.FeedAdded)
	w.WaitForFeeds(1)
	w.Post(bob, "one")
	first := c.Next("feed")
	want := map[string]any{"content": "one", "author": map[string]any{"username": "bob", "viewerFollows": true, "chirpCount": 1.0}}
	if !reflect.DeepEqual(first.At("feedChirpAdded.node"), want) {
		t.Errorf("got %s, want %v", first.Body, want)
	}
	_ = c.Conn.Close()
	w.WaitForFeeds(0)
	for i := range 150 { // more than one page of catching up
		w.Post(bob, fmt.Sprint("missed ", i))
	}
	again := w.Socket(t, ada.Token)
	again.Subscribe("r", fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { cursor node { content } } }`, first.At("feedChirpAdded.cursor")))
	for i := range 150 {
		if got := again.Next("r"); got.At("feedChirpAdded.node.content") != fmt.Sprint("missed ", i) {
			t.Fatalf("got %s, want missed %d", got.Body, i)
		}
	}
	w.Post(bob, "live")
	last := again.Next("r")
	if last.At("feedChirpAdded.node.content") != "live" {
		t.Errorf("got %s, want live", last.Body)
	}
	feed := w.Must(ada.Token, `{ feed(first: 1) { edges { cursor } } }`, nil)
	if feed.At("feed.edges.0.cursor") != last.At("feedChirpAdded.cursor") {
		t.Errorf("the feed names the chirp %v, the push named it %v", feed.At("feed.edges.0.cursor"), last.At("feedChirpAdded.cursor"))
	}
}

func TestSocketWatchesAProfile(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	c := w.Socket(t, "")
	c.Subscribe("p", fmt.Sprintf(`subscription { profileUpdated(userId: %q) { username followerCount chirpCount } }`, ada.ID))
	if got := c.Next("p"); got.At("profileUpdated.followerCount") != 0.0 || got.At("profileUpdated.username") != "ada" {
		t.Errorf("got %s, want ada as she is", got.Body)
	}
	w.Follow(bob, ada)
	for c.Next("p").At("profileUpdated.followerCount") != 1.0 { // a state may be sent twice
	}
	for range 20 {
		w.Post(ada, "hello")
	}
	last := 0.0
	for last < 20 {
		count := c.Next("p").At("profileUpdated.chirpCount").(float64)
		if count < last {
			t.Fatalf("chirpCount went from %v to %v", last, count)
		}
		last = count
	}
}

func TestSocketAnswersQueriesAndMutations(t *testing.T) {
	w := graphtest.New(t)
	c := w.Socket(t, w.Person("ada").Token)
	c.Subscribe("m", `mutation { postChirp(input: {content: "hello"}) { chirp { content author { chirpCount } } } }`)
	if got := c.Next("m"); got.At("postChirp.chirp.author.chirpCount") != 1.0 {
		t.Errorf("got %s, want the author with 1 chirp", got.Body)
	}
	if m := c.Read(); m.Type != "complete" || m.ID != "m" {
		t.Errorf("got %+v, want complete", m)
	}
	c.Subscribe("m", `{ viewer { username } }`)
	if got := c.Next("m"); got.At("viewer.username") != "ada" {
		t.Errorf("got %s, want ada", got.Body)
	}
}

func TestSocketCallerComesFromThePayloadOrTheUpgrade(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	bearer := "Bearer " + ada.Token
	for _, c := range []struct {
		name    string
		header  http.Header
		payload string
		want    any // the viewer, or why the socket is closed
	}{
		{"payload", nil, `{"authorization": "` + bearer + `"}`, "ada"},
		{"payload with a capital", nil, `{"Authorization": "` + bearer + `"}`, "ada"},
		{"upgrade", http.Header{"Authorization": {bearer}}, `{}`, "ada"},
		{"upgrade, no payload", http.Header{"Authorization": {bearer}}, ``, "ada"},
		{"nobody", nil, `{}`, nil},
		{"null", nil, `{"authorization": null}`, nil},
		{"bad token", nil, `{"authorization": "Bearer nope"}`, 4403},
		{"bad upgrade", http.Header{"Authorization": {"Bearer nope"}}, `{}`, 4403},
		{"no text", nil, `{"authorization": 1}`, 4403},
		{"no object", nil, `1`, 4400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.Dial(t, c.header)
			s.Send(graphtest.Message{Type: "connection_init", Payload: json.RawMessage(c.payload)})
			if code, ok := c.want.(int); ok {
				if got, reason := s.WaitClosed(); got != code || reason == "" {
					t.Errorf("closed with %d %q, want %d and a reason", got, reason, code)
				}
				return
			}
			s.Read()
			s.Subscribe("v", `{ viewer { username } }`)
			if got := s.Next("v"); got.At("viewer.username") != c.want {
				t.Errorf("got %s, want %v", got.Body, c.want)
			}
		})
	}
}

func TestSocketClosedWithoutACloseFrameLeavesNoGoroutines(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	c := w.Socket(t, ada.Token)
	for i := range 5 {
		c.Subscribe(fmt.Sprint(i), graphtest.FeedAdded)
	}
	w.WaitForFeeds(5)
	_ = c.Conn.NetConn().Close()
	w.WaitForFeeds(0) // and TestMain looks for goroutines
}

func TestSocketOfADeadPeerIsClosed(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		dead, alive := w.Socket(t, ada.Token), w.Socket(t, ada.Token)
		dead.Subscribe("f", graphtest.FeedAdded)
		alive.Subscribe("f", graphtest.FeedAdded)
		answered := make(chan graphtest.Message)
		go func() { // reading answers pings
			_ = alive.Conn.SetReadDeadline(time.Time{})
			var m graphtest.Message
			_ = alive.Conn.ReadJSON(&m)
			answered <- m
		}()
		w.WaitForFeeds(2)
		time.Sleep(time.Minute)
		if feeds := w.Hub.Stats().Feeds; feeds != 1 {
			t.Errorf("after a minute there are %d feeds, want 1, because the dead peer reads nothing", feeds)
		}
		time.Sleep(time.Hour)
		w.Post(bob, "still there")
		if m := <-answered; m.Type != "next" {
			t.Errorf("the live peer got %+v, want next", m)
		}
	})
}

func TestSocketIsClosedWhenItsTokenExpires(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		c := w.Socket(t, w.Person("ada").Token)
		c.Subscribe("f", graphtest.FeedAdded)
		w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
		w.ClockSkew.Store(int64(auth.TokenLifetime + time.Hour))
		if code, reason := c.WaitClosed(); code != 4403 || !strings.Contains(reason, "expired") {
			t.Errorf("closed with %d %q, want 4403 and that the token expired", code, reason)
		}
	})
}

func TestASlowIssuerDelaysNoPush(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		c := w.Socket(t, ada.Token)
		c.Subscribe("f", graphtest.FeedAdded)
		e := w.Events(t, ada.Token, graphtest.FeedAdded)
		w.WaitForFeeds(2)
		slow := &graphtest.Issuer{Asked: make(chan struct{}, 100), Answers: make(chan struct{})}
		pushed := make(chan string, 1)
		go func() { // reading answers pings
			_, text, err := c.Conn.ReadMessage()
			pushed <- fmt.Sprint(string(text), err)
		}()
		w.SlowIssuer.Store(slow)
		defer close(slow.Answers)
		defer w.SlowIssuer.Store(nil)
		for range 2 { // one for each connection
			<-slow.Asked
		}
		w.Post(bob, "meanwhile")
		if got := <-pushed; !strings.Contains(got, `"content":"meanwhile"`) {
			t.Errorf("a socket: got %s, want the chirp", got)
		}
		if name, got := e.Next(); name != "next" || got.At("feedChirpAdded.node.content") != "meanwhile" {
			t.Errorf("events: got %s %s, want the chirp", name, got.Body)
		}
	})
}

func TestATokenExpiresOnTimeWhileTheIssuerIsSlow(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		c := w.Dial(t, nil)
		c.Initiate(w.Expiring(w.Person("ada"), 20*time.Second))
		begun := time.Now()
		slow := &graphtest.Issuer{Asked: make(chan struct{}, 100), Answers: make(chan struct{})}
		w.SlowIssuer.Store(slow)
		defer close(slow.Answers)
		defer w.SlowIssuer.Store(nil)
		code, reason := c.WaitClosed()
		if code != 4403 || !strings.Contains(reason, "expired") {
			t.Errorf("closed with %d %q, want 4403 and that the token expired", code, reason)
		}
		if took := time.Since(begun); took > 20*time.Second || len(slow.Asked) != 1 {
			t.Errorf("closed after %s and %d questions to the issuer, want 20 s and 1", took, len(slow.Asked))
		}
	})
}

func TestDrainClosesSocketsAndRefusesNewOnes(t *testing.T) {
	w := graphtest.New(t)
	c, idle := w.Socket(t, w.Person("ada").Token), w.Dial(t, nil)
	c.Subscribe("f", graphtest.FeedAdded)
	w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
	drained := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), graphtest.Hang)
		defer cancel()
		drained <- w.Handler.Drain(ctx, "the server is stopping")
	}()
	for _, s := range []*graphtest.Socket{c, idle} {
		if code, reason := s.WaitClosed(); code != 1001 || reason != "the server is stopping" {
			t.Errorf("closed with %d %q, want 1001 and the reason", code, reason)
		}
		_ = s.Conn.Close()
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if code, _ := w.Dial(t, nil).WaitClosed(); code != 1001 {
		t.Errorf("a new socket was closed with %d, want 1001", code)
	}
	if got := w.Ask("", `{ __typename }`, nil); got.At("__typename") != "Query" {
		t.Errorf("a plain request got %s, want an answer", got.Body)
	}
}

func TestSubscriptionEndedByTheServerSaysWhy(t *testing.T) {
	w := graphtest.New(t)
	c := w.Socket(t, w.Person("ada").Token)
	c.Subscribe("f", graphtest.FeedAdded)
	w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
	w.Hub.Close()
	m := c.Read()
	var errs []struct {
		Message    string
		Path       []any
		Extensions struct{ Code string }
	}
	if err := json.Unmarshal(m.Payload, &errs); err != nil || m.Type != "error" || m.ID != "f" || len(errs) != 1 {
		t.Fatalf("got %s %s %s, want error f", m.Type, m.ID, m.Payload)
	}
	if errs[0].Extensions.Code != "UNAVAILABLE" || errs[0].Path != nil {
		t.Errorf("got %+v, want UNAVAILABLE, without a path because there is no data", errs[0])
	}
	c.Subscribe("q", `{ __typename }`) // no more messages of f, and the socket stays open
	c.Next("q")
}

func TestSocketIsClosedWhenItsTokenExpiresOnBothProtocols(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		for _, protocol := range []string{"graphql-transport-ws", "graphql-ws"} {
			c := w.DialAs(t, protocol, nil)
			c.Initiate(w.Expiring(ada, 2*time.Second))
			if code, reason := c.WaitClosed(); code != 4403 || !strings.Contains(reason, "expired") {
				t.Errorf("%s: closed with %d %q, want 4403 and that the token expired", protocol, code, reason)
			}
		}
		c := w.Dial(t, nil)
		bearer := map[string]any{"authorization": "Bearer " + w.Expiring(ada, -5*time.Second)} // a request would still do
		c.Send(graphtest.Message{Type: "connection_init", Payload: json.RawMessage(graphtest.Marshal(bearer))})
		_ = c.Conn.SetReadDeadline(time.Now().Add(graphtest.Hang))
		if _, got, err := c.Conn.ReadMessage(); !websocket.IsCloseError(err, 4403) {
			t.Errorf("with a token that has just expired: got %s, %v, want close code 4403 and no more", got, err)
		}
	})
}
