package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// The documents that the tests send.
const (
	registerDocument = `mutation($username: String!, $password: String!, $commandId: String) {
		registerUser(input: {username: $username, password: $password, commandId: $commandId}) { user { id username } token position } }`
	postDocument = `mutation($content: String!, $commandId: String) {
		postChirp(input: {content: $content, commandId: $commandId}) { chirp { id content } position } }`
	followDocument = `mutation($userId: ID!, $commandId: String) {
		followUser(input: {userId: $userId, commandId: $commandId}) { relationshipId followee { id } position } }`
	unfollowDocument = `mutation($userId: ID!, $commandId: String) {
		unfollowUser(input: {userId: $userId, commandId: $commandId}) { relationshipId followee { id } position } }`
	feedDocument = `query($first: Int, $after: String) {
		feed(first: $first, after: $after) { edges { cursor node { id content author { id username } } } pageInfo { hasNextPage endCursor } } }`
	feedAddedDocument = `subscription($after: String) {
		feedChirpAdded(after: $after) { cursor node { id content author { id username } } } }`
	profileDocument = `subscription($userId: ID!) { profileUpdated(userId: $userId) { username followerCount chirpCount } }`
)

const password = "correct horse"

// browser makes all HTTP requests of the tests.
var browser = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}

type vars map[string]any

// api calls one server as one user, or as nobody.
type api struct {
	url       string
	token     string
	readAfter string // position to be visible in queries
}

// user is an account.
type user struct{ ID, Username, Token, Position string }

func (u user) at(url string) api { return api{url: url, token: u.Token} }

// refused is an answer with an error.
type refused struct{ Code, Message string }

// Error gives the code and the message.
func (r *refused) Error() string { return r.Code + ": " + r.Message }

// code gives the code of an answer, "OK" for one without an error, and
// "NO ANSWER" if there is none.
func code(err error) string {
	var r *refused
	switch {
	case err == nil:
		return "OK"
	case errors.As(err, &r):
		return r.Code
	default:
		return "NO ANSWER"
	}
}

// do carries an operation out; into receives the data.
func (a api) do(ctx context.Context, document string, variables vars, into any) error {
	body, err := json.Marshal(vars{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	return a.send(ctx, body, into)
}

// send posts a request's body as it is.
func (a api) send(ctx context.Context, body []byte, into any) error {
	resp, err := a.request(ctx, body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return readAnswer(text, into)
}

func (a api) request(ctx context.Context, body []byte, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.readAfter != "" {
		req.Header.Set("Chirp-Read-After", a.readAfter)
	}
	return browser.Do(req)
}

// readAnswer reads a GraphQL response.
func readAnswer(text []byte, into any) error {
	var answer struct {
		Data   json.RawMessage
		Errors []answerError
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read the answer %.200q: %w", text, err)
	}
	for _, e := range answer.Errors {
		if e.Path != nil && !leads(answer.Data, e.Path) {
			return fmt.Errorf("the path %v does not lead through the answer %.500s", e.Path, text)
		}
	}
	if len(answer.Errors) > 0 {
		return answer.Errors[0].refused()
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, into)
}

type answerError struct {
	Message    string
	Path       []any
	Extensions struct{ Code string }
}

// leads reports whether a path leads through data, to something or to the null
// that stands for it.
func leads(data json.RawMessage, path []any) bool {
	if len(path) == 0 || string(data) == "null" {
		return len(data) > 0
	}
	switch step := path[0].(type) {
	case string:
		var fields map[string]json.RawMessage
		return json.Unmarshal(data, &fields) == nil && leads(fields[step], path[1:])
	case float64:
		var items []json.RawMessage
		return json.Unmarshal(data, &items) == nil && int(step) >= 0 && int(step) < len(items) && leads(items[int(step)], path[1:])
	default:
		return false
	}
}

func (e answerError) refused() error { return &refused{e.Extensions.Code, e.Message} }

func (a api) register(ctx context.Context, name string) (user, error) {
	var got struct {
		RegisterUser struct {
			User            user
			Token, Position string
		}
	}
	err := a.do(ctx, registerDocument, vars{"username": name, "password": password}, &got)
	r := got.RegisterUser
	return user{r.User.ID, r.User.Username, r.Token, r.Position}, err
}

// done is what a mutation gives: an id of what is new, and the position.
type done struct{ ID, Position string }

func (a api) post(ctx context.Context, content, commandID string) (done, error) {
	var got struct {
		PostChirp struct {
			Chirp    struct{ ID string }
			Position string
		}
	}
	err := a.do(ctx, postDocument, withCommand(vars{"content": content}, commandID), &got)
	return done{got.PostChirp.Chirp.ID, got.PostChirp.Position}, err
}

func (a api) follow(ctx context.Context, userID, commandID string) (done, error) {
	var got struct {
		FollowUser struct{ RelationshipID, Position string }
	}
	err := a.do(ctx, followDocument, withCommand(vars{"userId": userID}, commandID), &got)
	return done{got.FollowUser.RelationshipID, got.FollowUser.Position}, err
}

func (a api) unfollow(ctx context.Context, userID, commandID string) (done, error) {
	var got struct {
		UnfollowUser struct{ RelationshipID, Position string }
	}
	err := a.do(ctx, unfollowDocument, withCommand(vars{"userId": userID}, commandID), &got)
	return done{got.UnfollowUser.RelationshipID, got.UnfollowUser.Position}, err
}

func withCommand(v vars, commandID string) vars {
	if commandID != "" {
		v["commandId"] = commandID
	}
	return v
}

// edge is a chirp in a feed.
type edge struct {
	Cursor string
	Node   struct {
		ID, Content string
		Author      struct{ ID, Username string }
	}
}

// page is a page of a feed.
type page struct {
	Edges    []edge
	PageInfo struct {
		HasNextPage bool
		EndCursor   string
	}
}

func (a api) page(ctx context.Context, first int, after string) (page, error) {
	var got struct{ Feed page }
	v := vars{"first": first}
	if after != "" {
		v["after"] = after
	}
	err := a.do(ctx, feedDocument, v, &got)
	return got.Feed, err
}

// feed reads the whole feed, page by page.
func (a api) feed(ctx context.Context, pageSize int) ([]edge, error) {
	var all []edge
	for after := ""; ; {
		p, err := a.page(ctx, pageSize, after)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Edges...)
		if after = p.PageInfo.EndCursor; !p.PageInfo.HasNextPage {
			return all, nil
		}
	}
}

func contents(edges []edge) []string {
	texts := make([]string, len(edges))
	for i, e := range edges {
		texts[i] = e.Node.Content
	}
	return texts
}

// must gives a value, and ends the test for an error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// registerAll makes accounts.
func registerAll(t testing.TB, url string, names ...string) []user {
	t.Helper()
	users := make([]user, len(names))
	for i, name := range names {
		users[i] = must(api{url: url}.register(t.Context(), name))(t)
	}
	return users
}

// socket is a WebSocket connection that speaks graphql-transport-ws.
type socket struct{ ws *websocket.Conn }

type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// connect opens a socket and has it acknowledged.
func (a api) connect(ctx context.Context) (*socket, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: patience}
	ws, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(a.url, "http")+"/graphql", nil)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	s := &socket{ws}
	if err := s.write("", "connection_init", vars{"authorization": "Bearer " + a.token}); err != nil {
		return nil, errors.Join(err, ws.Close())
	}
	if f, err := s.read(); err != nil || f.Type != "connection_ack" {
		return nil, errors.Join(fmt.Errorf("got %q, want connection_ack: %w", f.Type, err), ws.Close())
	}
	return s, nil
}

func (s *socket) close() { s.ws.Close() }

func (s *socket) write(id, kind string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return s.ws.WriteJSON(frame{id, kind, text})
}

func (s *socket) read() (frame, error) {
	if err := s.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return frame{}, err
	}
	var f frame
	err := s.ws.ReadJSON(&f)
	return f, err
}

func (s *socket) subscribe(id, document string, variables vars) error {
	return s.write(id, "subscribe", vars{"query": document, "variables": variables})
}

// next gives the data of the next result of an operation. It passes over those
// of other operations.
func (s *socket) next(id string, into any) error {
	for {
		f, err := s.read()
		switch {
		case err != nil:
			return err
		case f.ID != id:
		case f.Type == "next":
			return readAnswer(f.Payload, into)
		case f.Type == "error":
			var errs []answerError
			if err := json.Unmarshal(f.Payload, &errs); err != nil || len(errs) == 0 {
				return fmt.Errorf("read the error %s: %w", f.Payload, err)
			}
			return errs[0].refused()
		default:
			return fmt.Errorf("got a message %q, want next", f.Type)
		}
	}
}

// nextEdge gives the next chirp of a feed subscription.
func (s *socket) nextEdge(id string) (edge, error) {
	var got struct{ FeedChirpAdded edge }
	err := s.next(id, &got)
	return got.FeedChirpAdded, err
}
