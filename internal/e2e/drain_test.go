package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"

	"github.com/gorilla/websocket"

	"chirp/internal/storage/mongodb/mongotest"
)

func TestStopFinishesRequestsUnderWay(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		ann, bob := users[0].At(s.URL), users[1].At(s.URL)
		apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
		watch := apitest.Must(ann.Connect(t.Context()))(t)
		defer watch.Close()
		if err := watch.Subscribe("feed", apitest.FeedAddedDocument, nil); err != nil {
			t.Fatal(err)
		}
		slow := beginPost(t, bob, "under way")

		s.Interrupt(t)
		if code, reason := apitest.ClosedWith(watch); code != websocket.CloseGoingAway || reason != "the server is stopping" {
			t.Errorf("the socket was closed with %d %q, want 1001 and that the server is stopping", code, reason)
		}
		select {
		case <-s.Ended:
			t.Fatal("the server ended while a request was under way")
		default:
		}
		slow.finish(t)
		s.Terminate(t)
		if _, _, err := apitest.Probe(t.Context(), s.URL+"/healthz"); err == nil {
			t.Error("the server still answers after it ended")
		}

		again := apitest.Start(t, p)
		ann.URL = again.URL
		if got, err := ann.Feed(t.Context(), 10); err != nil || !slices.Equal(apitest.Contents(got), []string{"under way"}) {
			t.Errorf("feed after the restart: got %q, error %v; want the chirp that was under way", apitest.Contents(got), err)
		}
		bob.URL = again.URL
		apitest.PostAll(t, bob, "after the restart")
	})
}

// slowPost is a request whose body has not been sent yet.
type slowPost struct {
	conn    net.Conn
	answers *bufio.Reader
	body    []byte
}

// beginPost sends the head of a request and waits until the server, which then
// handles it, asks for the body.
func beginPost(t testing.TB, as apitest.API, content string) slowPost {
	t.Helper()
	body, err := json.Marshal(apitest.Vars{"query": apitest.PostDocument, "variables": apitest.Vars{"content": content}})
	if err != nil {
		t.Fatal(err)
	}
	conn := apitest.Must(net.Dial("tcp", strings.TrimPrefix(as.URL, "http://")))(t)
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(apitest.Patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", as.Token, len(body))
	p := slowPost{conn, bufio.NewReader(conn), body}
	if line, err := p.answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the server asks for the body with %q, error %v", line, err)
	}
	if _, err := p.answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return p
}

// finish sends the body and expects the chirp to be posted.
func (p slowPost) finish(t testing.TB) {
	t.Helper()
	if _, err := p.conn.Write(p.body); err != nil {
		t.Fatal(err)
	}
	resp := apitest.Must(http.ReadResponse(p.answers, nil))(t)
	defer resp.Body.Close()
	var answer struct {
		Data   struct{ PostChirp struct{ Position string } }
		Errors []apitest.AnswerError
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Data.PostChirp.Position == "" {
		t.Errorf("the request under way: got status %s, %+v, error %v; want a position", resp.Status, answer, err)
	}
}

func TestStopEndsEventStreamsWithAReason(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		ann := apitest.RegisterAll(t, s.URL, "Ann")[0].At(s.URL)
		body, err := json.Marshal(apitest.Vars{"query": apitest.FeedAddedDocument})
		if err != nil {
			t.Fatal(err)
		}
		resp := apitest.Must(ann.Request(t.Context(), body, "text/event-stream"))(t)
		defer resp.Body.Close()
		s.Interrupt(t)
		var told error
		completed := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				told = apitest.ReadAnswer([]byte(data), nil)
			}
			completed = completed || lines.Text() == "event: complete"
		}
		if apitest.Code(told) != "UNAVAILABLE" || !strings.Contains(told.Error(), "the server is stopping") || !completed {
			t.Errorf("the stream ended with %v, complete %t; want UNAVAILABLE, that the server is stopping, and complete", told, completed)
		}
	})
}

func TestServerWaitsForMongoDB(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1)
	database := set.Nodes[0]
	database.Stop()
	s := apitest.Launch(t, apitest.OnMongoDB(set.URI(), "chirp"))
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "the store cannot be reached")
	if status, body, err := apitest.Probe(t.Context(), s.URL+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("GET /healthz while the store is down: got status %d, body %q, error %v; want 200", status, body, err)
	}
	if _, err := (apitest.API{URL: s.URL}).Register(t.Context(), "Ann"); apitest.Code(err) != "UNAVAILABLE" {
		t.Errorf("registration while the store is down: got %v, want UNAVAILABLE", err)
	}
	database.Restart(t)
	apitest.Ready(t, s.URL)
	ann := apitest.RegisterAll(t, s.URL, "Ann")[0]

	database.Kill()
	answer := make(chan error, 1)
	go func() {
		_, err := ann.At(s.URL).Post(t.Context(), "into the void", "c1")
		answer <- err
	}()
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "cannot be read")
	database.Restart(t)
	apitest.Ready(t, s.URL)
	if err := <-answer; apitest.Code(err) != "UNAVAILABLE" && apitest.Code(err) != "OK" {
		t.Errorf("post while the store is down: got %v, want UNAVAILABLE, or OK in the end", err)
	}
	apitest.Eventually(t, "the post succeeds under the same command id", func() bool {
		_, err := ann.At(s.URL).Post(t.Context(), "into the void", "c1")
		return err == nil
	})
	if n := len(apitest.OnMongoDB(set.URI(), "chirp").Events(t)); n != 3 {
		t.Errorf("the log has %d events, want the registration's two and the post", n)
	}
}

func TestServerStopsWhileItWaitsForMongoDB(t *testing.T) {
	t.Parallel()
	node := mongotest.StartPlain(t)
	node.Stop()
	s := apitest.Launch(t, apitest.OnMongoDB(node.URI(), "chirp"))
	s.Terminate(t)
}
