package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"chirp/internal/storage/mongodb/mongotest"
)

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		watch := must(ann.connect(t.Context()))(t)
		defer watch.close()
		if err := watch.subscribe("feed", feedAddedDocument, nil); err != nil {
			t.Fatal(err)
		}
		slow := beginPost(t, bob, "under way")

		s.end()
		if code, reason := closedWith(watch); code != websocket.CloseGoingAway || reason != "the server is stopping" {
			t.Errorf("the socket was closed with %d %q, want 1001 and that the server is stopping", code, reason)
		}
		select {
		case <-s.done:
			t.Fatal("run returned while a request was under way")
		default:
		}
		slow.finish(t)
		s.stop(t)
		if _, _, err := probe(t.Context(), s.url+"/healthz"); err == nil {
			t.Error("the server still answers after run returned")
		}

		again := start(t, p)
		ann.url = again.url
		if got, err := ann.feed(t.Context(), 10); err != nil || !slices.Equal(contents(got), []string{"under way"}) {
			t.Errorf("feed after the restart: got %q, error %v; want the chirp that was under way", contents(got), err)
		}
		bob.url = again.url
		postAll(t, bob, "after the restart")
	})
}

// slowPost is a request whose body is yet to be sent.
type slowPost struct {
	conn    net.Conn
	answers *bufio.Reader
	body    []byte
}

// beginPost sends the head of a request and waits until the server, which is
// at work on it then, asks for the body.
func beginPost(t testing.TB, as api, content string) slowPost {
	t.Helper()
	body, err := json.Marshal(vars{"query": postDocument, "variables": vars{"content": content}})
	if err != nil {
		t.Fatal(err)
	}
	conn := must(net.Dial("tcp", strings.TrimPrefix(as.url, "http://")))(t)
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: chirp\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", as.token, len(body))
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
	resp := must(http.ReadResponse(p.answers, nil))(t)
	defer resp.Body.Close()
	var answer struct {
		Data   struct{ PostChirp struct{ Position string } }
		Errors []answerError
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Data.PostChirp.Position == "" {
		t.Errorf("the request under way: got status %s, %+v, error %v; want a position", resp.Status, answer, err)
	}
}

func TestStopEndsEventStreamsWithAReason(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		ann := registerAll(t, s.url, "Ann")[0].at(s.url)
		body, err := json.Marshal(vars{"query": feedAddedDocument})
		if err != nil {
			t.Fatal(err)
		}
		resp := must(ann.request(t.Context(), body, "text/event-stream"))(t)
		defer resp.Body.Close()
		s.end()
		var told error
		completed := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				told = readAnswer([]byte(data), nil)
			}
			completed = completed || lines.Text() == "event: complete"
		}
		if code(told) != "UNAVAILABLE" || !strings.Contains(told.Error(), "the server is stopping") || !completed {
			t.Errorf("the stream ended with %v, complete %t; want UNAVAILABLE, that the server is stopping, and complete", told, completed)
		}
	})
}

// This test is not parallel, so that all goroutines which it sees begin are its
// own.
func TestRunLeavesNothingBehind(t *testing.T) {
	places := map[string]place{"embedded": embedded(t.TempDir()), "mongodb": onMongoDB(mongotest.URI(t), mongotest.Database(t))}
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			s := start(t, p)
			users := registerAll(t, s.url, "Ann", "Bob")
			watch := must(users[0].at(s.url).connect(t.Context()))(t)
			if err := watch.subscribe("feed", feedAddedDocument, nil); err != nil {
				t.Fatal(err)
			}
			postAll(t, users[1].at(s.url), "one", "two")
			s.stop(t)
			watch.close()
			browser.CloseIdleConnections()
			goleak.VerifyNone(t, before)
		})
	}
}

func TestServerWaitsForMongoDB(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1)
	database := set.Nodes[0]
	database.Stop()
	s := begin(t, onMongoDB(set.URI(), "chirp"))
	awaitProbe(t, s.url, http.StatusServiceUnavailable, "the store cannot be reached")
	if status, body, err := probe(t.Context(), s.url+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("GET /healthz while the store is down: got status %d, body %q, error %v; want 200", status, body, err)
	}
	if _, err := (api{url: s.url}).register(t.Context(), "Ann"); code(err) != "UNAVAILABLE" {
		t.Errorf("registration while the store is down: got %v, want UNAVAILABLE", err)
	}
	database.Restart(t)
	ready(t, s.url)
	ann := registerAll(t, s.url, "Ann")[0]

	database.Kill()
	answer := make(chan error, 1)
	go func() {
		_, err := ann.at(s.url).post(t.Context(), "into the void", "c1")
		answer <- err
	}()
	awaitProbe(t, s.url, http.StatusServiceUnavailable, "cannot be read")
	database.Restart(t)
	ready(t, s.url)
	if err := <-answer; code(err) != "UNAVAILABLE" && code(err) != "OK" {
		t.Errorf("post while the store is down: got %v, want UNAVAILABLE, or OK in the end", err)
	}
	eventually(t, "the post succeeds under the same command id", func() bool {
		_, err := ann.at(s.url).post(t.Context(), "into the void", "c1")
		return err == nil
	})
	if n := len(onMongoDB(set.URI(), "chirp").events(t)); n != 3 {
		t.Errorf("the log has %d events, want the registration's two and the post", n)
	}
}

func TestServerStopsWhileItWaitsForMongoDB(t *testing.T) {
	t.Parallel()
	node := mongotest.StartPlain(t)
	node.Stop()
	s := begin(t, onMongoDB(node.URI(), "chirp"))
	s.stop(t)
}

func TestListenRefusesAnAddressInUse(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	cfg := must(parseConfig([]string{"--data", t.TempDir(), "--addr", l.Addr().String()}, nil))(t)
	err := run(t.Context(), cfg, cfg.logger(&output{}))
	if err == nil || !strings.Contains(err.Error(), "listen on "+l.Addr().String()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("run: got error %v, want one line that names the address", err)
	}
	var network *net.OpError
	if !errors.As(err, &network) {
		t.Errorf("run: got error %v, want the network's in its chain", err)
	}
}
