package guard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// asked is the request extension that asks for the cost.
var asked = map[string]any{"cost": true}

// askCost sends an operation with request extensions.
func askCost(w *graphtest.World, token, operation string, extensions map[string]any, header http.Header) graphtest.Answer {
	w.T.Helper()
	r, err := http.NewRequest(http.MethodPost, w.Server.URL, strings.NewReader(graphtest.Marshal(map[string]any{"query": operation, "extensions": extensions})))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return w.Do(r)
}

const tenChirps = `{ viewer { chirps(first: 10) { edges { node { id } } } } }` // 1 + 10 + 10 * 3 = 41

// TestTheReportedCostIncludesSources has a feed with one source, the chirps that the
// follow skips.
func TestTheReportedCostIncludesSources(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 20 })
	ada, bob := w.Person("ada"), w.Person("bob")
	for range 70 {
		w.Post(bob, "hello")
	}
	w.Follow(ada, bob)
	if head, err := w.Head(t.Context()); err != nil {
		t.Fatal(err)
	} else if _, err := w.Views.Await(t.Context(), head-1); err != nil {
		t.Fatal(err)
	}
	for selection, want := range map[string]string{"first: 1": `"requestedQueryCost":13,`, "last: 1": `"requestedQueryCost":15,`} {
		operation := fmt.Sprintf(`{ feed(%s) { edges { node { id } } } }`, selection)
		if got := askCost(w, ada.Token, operation, asked, nil); !strings.Contains(got.Body, want) {
			t.Errorf("%s: got %s, want %s", selection, got.Body, want)
		}
	}
}

func TestTheCostIsReportedOnRequest(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 20 })
	ada := w.Person("ada")
	w.Must(ada.Token, `{ viewer { id } }`, nil)
	for _, c := range []struct {
		name       string
		extensions map[string]any
		header     http.Header
		told       bool
	}{
		{"by an extension", asked, nil, true},
		{"by the header", nil, http.Header{"Chirp-Cost": {"1"}}, true},
		{"not at all", nil, nil, false},
		{"by the header, and not by the extension", map[string]any{"cost": false}, http.Header{"Chirp-Cost": {"1"}}, false},
		{"by the header's 0", nil, http.Header{"Chirp-Cost": {"0"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := askCost(w, ada.Token, tenChirps, c.extensions, c.header)
			if !c.told {
				if strings.Contains(got.Body, "extensions") {
					t.Errorf("got %s, want no extensions", got.Body)
				}
				return
			}
			cost := got.Extensions["cost"]
			if n := graphtest.At(cost, "requestedQueryCost"); n != 41.0 {
				t.Errorf("got the cost %v, want 41", n)
			}
			if most, rate := graphtest.At(cost, "throttleStatus.maximumAvailable"), graphtest.At(cost, "throttleStatus.restoreRate"); most != 50_000.0 || rate != 10_000.0 {
				t.Errorf("got %v at most and %v a second, want 50000 and 10000", most, rate)
			}
			if left, _ := graphtest.At(cost, "throttleStatus.currentlyAvailable").(float64); left < 45_000 || left > 50_000 {
				t.Errorf("%v is left, want a little less than 50000", left)
			}
			if most, registrations := graphtest.At(cost, "mutations.maximumAvailable"), graphtest.At(cost, "registrations.maximumAvailable"); most != 100.0 || registrations != 30.0 {
				t.Errorf("got %v mutations and %v registrations at most, want 100 and 30", most, registrations)
			}
		})
	}
}

func TestTheCostIsReportedWithoutARateLimit(t *testing.T) {
	w := graphtest.New(t)
	got := askCost(w, w.Person("ada").Token, `{ __typename }`, asked, nil)
	if !strings.Contains(got.Body, `"extensions":{"cost":{"requestedQueryCost":1}}`) {
		t.Errorf("got %s, want the cost alone", got.Body)
	}
}

func TestMutationsReduceTheReportedBuckets(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		for _, want := range []float64{1, 0} {
			got := askCost(w, ada.Token, graphtest.PostOnce, asked, nil)
			if left := graphtest.At(got.Extensions["cost"], "mutations.currentlyAvailable"); left != want {
				t.Errorf("got %s, want %v mutations left", got.Body, want)
			}
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 0.4 }) // a burst of 2
}

// TestARefusalReportsTheCost asks for more than the bucket holds.
func TestARefusalReportsTheCost(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 1 }) // 2,500 at once, 500 a second
	ada := w.Person("ada")
	const dear = `{ viewer { chirps(first: 100) { edges { cursor node { id content postedAt author { id username } } } } } }` // 1 + 10 + 100 * 9
	var got graphtest.Answer
	for range 20 {
		if got = askCost(w, ada.Token, dear, asked, nil); got.Code() != "" {
			break
		}
	}
	if got.Code() != "RATE_LIMITED" || graphtest.At(got.Errors[0].Extensions["cost"], "requestedQueryCost") != 911.0 {
		t.Errorf("got %s, want RATE_LIMITED with the cost of 911", got.Body)
	}
}

func TestTheCostIsReportedOnEveryTransport(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 20 })
	ada := w.Person("ada")
	w.Must(ada.Token, `{ viewer { id } }`, nil)
	const want = `"requestedQueryCost":41`
	for name, c := range map[string]struct{ method, accept string }{
		"POST":                              {http.MethodPost, "application/json"},
		"application/graphql-response+json": {http.MethodPost, "application/graphql-response+json"},
		"events":                            {http.MethodPost, "text/event-stream"},
		"multipart":                         {http.MethodPost, `multipart/mixed;subscriptionSpec="1.0"`},
		"GET":                               {http.MethodGet, "application/json"},
	} {
		r, err := http.NewRequest(c.method, w.Server.URL, strings.NewReader(graphtest.Marshal(map[string]any{"query": tenChirps, "extensions": asked})))
		if err != nil {
			t.Fatal(err)
		}
		if c.method == http.MethodGet {
			r.URL.RawQuery = url.Values{"query": {tenChirps}, "extensions": {graphtest.Marshal(asked)}}.Encode()
		} else {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Authorization", "Bearer "+ada.Token)
		response, err := w.Server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %s, %v, want %s", name, body, err, want)
		}
	}
	c := w.Dial(t, http.Header{"Chirp-Cost": {"1"}}) // asks for all operations of the socket
	c.Initiate(ada.Token)
	c.Subscribe("p", fmt.Sprintf(`subscription { profileUpdated(userId: %q) { username } }`, ada.ID))
	for range 2 { // the profile as it is, and after a change
		if got := c.Next("p"); graphtest.At(got.Extensions["cost"], "requestedQueryCost") != 2.0 {
			t.Errorf("a subscription: got %s, want the cost of 2", got.Body)
		}
		w.Post(ada, "a change")
	}
	payload := json.RawMessage(graphtest.Marshal(map[string]any{"query": tenChirps, "extensions": asked}))
	for kind, c := range map[string]*graphtest.Socket{"subscribe": w.Socket(t, ada.Token), "start": w.LegacySocket(t, ada.Token)} {
		c.Send(graphtest.Message{ID: "q", Type: kind, Payload: payload})
		if got := c.Read(); !strings.Contains(string(got.Payload), want) {
			t.Errorf("a socket: got %s, want %s", got.Payload, want)
		}
	}
}
