package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Password is every user's.
const Password = "correct horse"

// Client sends the HTTP requests of all tests.
var Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: Patience}

// Vars are the variables of an operation.
type Vars map[string]any

// API calls a server as a user, or anonymously.
type API struct {
	URL       string
	Token     string
	ReadAfter string // the position that answers must show
	From      string // the address that a proxy says the call comes from
}

// User is an account.
type User struct{ ID, Username, Token, Position string }

// At returns the API of a server with the user's token.
func (u User) At(url string) API { return API{URL: url, Token: u.Token} }

// RefusedError is the first error of an answer.
type RefusedError struct{ Code, Message string }

// Error returns the code and the message.
func (r *RefusedError) Error() string { return r.Code + ": " + r.Message }

// Code returns the code of an answer's error, "OK" if the answer has none, and
// "NO ANSWER" if there is no answer.
func Code(err error) string {
	var r *RefusedError
	switch {
	case err == nil:
		return "OK"
	case errors.As(err, &r):
		return r.Code
	default:
		return "NO ANSWER"
	}
}

// Do sends an operation and decodes the data of the answer into into.
func (a API) Do(ctx context.Context, document string, variables Vars, into any) error {
	body, err := json.Marshal(Vars{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	return a.Send(ctx, body, into)
}

// Send posts a body as it is, and decodes the data of the answer.
func (a API) Send(ctx context.Context, body []byte, into any) error {
	resp, err := a.Request(ctx, body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return ReadAnswer(text, into)
}

// Request posts a body and returns the response.
func (a API) Request(ctx context.Context, body []byte, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	if a.Token != "" {
		req.Header.Set("Authorization", "Bearer "+a.Token)
	}
	if a.ReadAfter != "" {
		req.Header.Set("Chirp-Read-After", a.ReadAfter)
	}
	if a.From != "" {
		req.Header.Set("X-Forwarded-For", a.From)
	}
	return Client.Do(req)
}

// ReadAnswer decodes the data of a GraphQL response, or returns its first error
// as a *RefusedError.
func ReadAnswer(text []byte, into any) error {
	var answer struct {
		Data   json.RawMessage
		Errors []AnswerError
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

// AnswerError is an error in a GraphQL response.
type AnswerError struct {
	Message    string
	Path       []any
	Extensions struct{ Code string }
}

// leads reports whether a path leads through data, to a value or to a null on the
// way to it.
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

func (e AnswerError) refused() error { return &RefusedError{e.Extensions.Code, e.Message} }

// Register registers a user.
func (a API) Register(ctx context.Context, name string) (User, error) {
	var got struct {
		RegisterUser struct {
			User            User
			Token, Position string
		}
	}
	err := a.Do(ctx, RegisterDocument, Vars{"username": name, "password": Password}, &got)
	r := got.RegisterUser
	return User{r.User.ID, r.User.Username, r.Token, r.Position}, err
}

// LogIn logs a user in and returns the token.
func (a API) LogIn(ctx context.Context, username, password string) (token string, err error) {
	var got struct{ LogIn struct{ Token string } }
	err = a.Do(ctx, `mutation($u: String!, $p: String!) { logIn(input: {username: $u, password: $p}) { token } }`, Vars{"u": username, "p": password}, &got)
	return got.LogIn.Token, err
}

// Receipt is what a mutation answers: the id of what is new, and the position.
type Receipt struct{ ID, Position string }

// Post posts a chirp.
func (a API) Post(ctx context.Context, content, commandID string) (Receipt, error) {
	var got struct {
		PostChirp struct {
			Chirp    struct{ ID string }
			Position string
		}
	}
	err := a.Do(ctx, PostDocument, withCommand(Vars{"content": content}, commandID), &got)
	return Receipt{got.PostChirp.Chirp.ID, got.PostChirp.Position}, err
}

// Follow follows a user.
func (a API) Follow(ctx context.Context, userID, commandID string) (Receipt, error) {
	var got struct {
		FollowUser struct{ RelationshipID, Position string }
	}
	err := a.Do(ctx, FollowDocument, withCommand(Vars{"userId": userID}, commandID), &got)
	return Receipt{got.FollowUser.RelationshipID, got.FollowUser.Position}, err
}

// Unfollow stops following a user.
func (a API) Unfollow(ctx context.Context, userID, commandID string) (Receipt, error) {
	var got struct {
		UnfollowUser struct{ RelationshipID, Position string }
	}
	err := a.Do(ctx, UnfollowDocument, withCommand(Vars{"userId": userID}, commandID), &got)
	return Receipt{got.UnfollowUser.RelationshipID, got.UnfollowUser.Position}, err
}

func withCommand(v Vars, commandID string) Vars {
	if commandID != "" {
		v["commandId"] = commandID
	}
	return v
}

// Edge is a chirp in a feed.
type Edge struct {
	Cursor string
	Node   struct {
		ID, Content string
		Author      struct{ ID, Username string }
	}
}

// Page is a page of a feed.
type Page struct {
	Edges    []Edge
	PageInfo struct {
		HasNextPage bool
		EndCursor   string
	}
}

// Page reads a page of the feed.
func (a API) Page(ctx context.Context, first int, after string) (Page, error) {
	var got struct{ Feed Page }
	v := Vars{"first": first}
	if after != "" {
		v["after"] = after
	}
	err := a.Do(ctx, FeedDocument, v, &got)
	return got.Feed, err
}

// Feed reads the whole feed, page by page.
func (a API) Feed(ctx context.Context, pageSize int) ([]Edge, error) {
	var all []Edge
	for after := ""; ; {
		p, err := a.Page(ctx, pageSize, after)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Edges...)
		if after = p.PageInfo.EndCursor; !p.PageInfo.HasNextPage {
			return all, nil
		}
	}
}

// Contents returns the texts of chirps.
func Contents(edges []Edge) []string {
	texts := make([]string, len(edges))
	for i, e := range edges {
		texts[i] = e.Node.Content
	}
	return texts
}

// Must returns a func that returns the value, or ends the test if there is an
// error.
func Must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// RegisterAll registers users.
func RegisterAll(t testing.TB, url string, names ...string) []User {
	t.Helper()
	users := make([]User, len(names))
	for i, name := range names {
		users[i] = Must(API{URL: url}.Register(t.Context(), name))(t)
	}
	return users
}

// PostAll posts texts in their order.
func PostAll(t testing.TB, as API, texts ...string) {
	t.Helper()
	for _, text := range texts {
		Must(as.Post(t.Context(), text, ""))(t)
	}
}

// Fetch sends a request without a body. It discards the body of the response.
func Fetch(t *testing.T, method, url string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response
}
