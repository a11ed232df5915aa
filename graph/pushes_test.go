package graph_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph"
	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// slowly lets each caller cause 500 a second, and 2,500 at once.
func slowly(c *api.Config) { c.Guard.RateLimit = 1 }

// watching returns a subscription to a user's profile.
func watching(p graphtest.Person, fields string) string {
	return fmt.Sprintf(`subscription { profileUpdated(userId: %q) { %s } }`, p.ID, fields)
}

// visible waits until the views show all events.
func visible(t *testing.T, w *graphtest.World) {
	t.Helper()
	head, err := w.Head(t.Context())
	if err == nil {
		_, err = w.Views.Await(t.Context(), head-1)
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// dear is a selection of an edge that costs 114.
const dear = `cursor node { content author { username chirps(first: 50) { edges { cursor } } } }`

func TestCatchingUpIsPaidFor(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		w.Post(bob, "first")
		visible(t, w)
		cursor := w.Must(ada.Token, `{ feed { edges { cursor } } }`, nil).At("feed.edges.0.cursor")
		const n = 150
		for i := range n {
			w.Post(bob, fmt.Sprint(i))
		}
		visible(t, w)
		c := w.Socket(t, ada.Token)
		begun := time.Now()
		c.Subscribe("f", fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { %s } }`, cursor, dear))
		for i := range n {
			if got := c.Next("f").At("feedChirpAdded.node.content"); got != fmt.Sprint(i) {
				t.Fatalf("got chirp %v, want %d", got, i)
			}
		}
		if took := time.Since(begun); took < 25*time.Second || took > time.Minute {
			t.Errorf("%d answers at a cost of 114, at 500 a second, took %s, want about 30s", n, took)
		}
	}, slowly)
}

// A feed subscription loads whom its viewer follows, which all of the viewer's share. It
// is charged whenever it is loaded.
func TestLoadingFolloweesIsPaidFor(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		const followees = 300
		ada := w.Person("ada")
		for i := range followees {
			w.Follow(ada, w.Person(fmt.Sprint("user", i)))
		}
		visible(t, w)
		left := func() int {
			got := w.Send(ada.Token, `{ viewer { id } }`, nil, http.Header{"Chirp-Cost": {"1"}})
			n, _ := graphtest.At(got.Extensions, "cost.throttleStatus.currentlyAvailable").(float64)
			return int(n)
		}
		c := w.Socket(t, ada.Token)
		spent := func(work func(id string)) int {
			before := left()
			for i := range 10 {
				c.Subscribe(fmt.Sprint(i), `subscription { feedChirpAdded { cursor } }`)
				synctest.Wait()
				work(fmt.Sprint(i))
			}
			return before - left()
		}
		if got := spent(func(id string) {
			c.Send(graphtest.Message{ID: id, Type: "complete"})
			synctest.Wait()
		}); got < 10*followees || got > 11*followees+2_000 {
			t.Errorf("10 subscriptions that load 300 followees each cost %d, want more than 3,000", got)
		}
		if got := spent(func(string) {}); got < followees || got > followees+2_000 {
			t.Errorf("10 subscriptions that share their followees cost %d, want more than 300", got)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 20 })
}

func TestALiveFeedThatCannotPayGoesBackToReading(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		visible(t, w)
		c := w.Socket(t, ada.Token)
		c.Subscribe("f", `subscription { feedChirpAdded { `+dear+` } }`)
		synctest.Wait()
		const n = 300 // more than the hub buffers
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range n {
				if got := c.Next("f").At("feedChirpAdded.node.content"); got != fmt.Sprint(i) {
					t.Errorf("got chirp %v, want %d", got, i)
				}
			}
		}()
		for i := range n {
			w.Post(bob, fmt.Sprint(i))
			time.Sleep(time.Millisecond) // for a client that may have it at once
		}
		<-done
		if got := w.Hub.Stats().CatchUps; got == 0 {
			t.Error("the feed has not caught up by reading")
		}
	}, slowly)
}

func TestProfilesThatCannotBePaidForShowTheNewestStateLater(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		visible(t, w)
		c := w.Socket(t, ada.Token)
		c.Subscribe("p", watching(bob, `chirpCount`))
		c.Next("p")
		const costly = `{ user(username: "bob") { chirps(first: 100) { edges { cursor node { id content postedAt } } } } }`
		for _, operation := range []string{costly, `{ viewer { username } }`} { // use up what ada may cause
			for w.Ask(ada.Token, operation, nil).Code() == "" {
			}
		}
		for range 20 {
			w.Post(bob, "x")
			visible(t, w)
		}
		begun := time.Now()
		if got := c.Next("p").At("profileUpdated.chirpCount"); got != 20.0 {
			t.Errorf("after a wait: chirpCount is %v, want 20", got)
		}
		if waited := time.Since(begun); waited == 0 || waited > 10*time.Second {
			t.Errorf("the answer came after %s, want it to wait a little", waited)
		}
		w.Post(bob, "y")
		if got := c.Next("p").At("profileUpdated.chirpCount"); got != 21.0 {
			t.Errorf("then chirpCount is %v, want 21 and nothing in between", got)
		}
	}, slowly)
}

func TestAnonymousWatchersPayForWhatTheyGet(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		bob := w.Person("bob")
		visible(t, w)
		var received atomic.Int64
		c := w.Socket(t, "")
		const n, cost = 20, 112
		for i := range n { // all different
			c.Subscribe(fmt.Sprint(i), watching(bob, fmt.Sprintf(`a%d: chirpCount chirps(first: 50) { edges { cursor node { __typename } } }`, i)))
		}
		go func() {
			for {
				if _, _, err := c.Conn.ReadMessage(); err != nil {
					return
				}
				received.Add(1)
			}
		}()
		begun := time.Now()
		for range 30 {
			w.Post(bob, "x")
			time.Sleep(time.Second)
		}
		limit := int64(2500+500*time.Since(begun).Seconds()) + 2*n*cost // and the debt of the last ones
		if got := received.Load() * cost; got > limit || got < limit/3 {
			t.Errorf("in %s anonymous watchers got answers at a cost of %d, want at most %d and not far less", time.Since(begun), got, limit)
		}
		_ = c.Conn.Close()
	}, slowly)
}

func TestEqualSubscriptionsShareTheirAnswers(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob, cat := w.Person("ada"), w.Person("bob"), w.Person("cat")
		w.Follow(ada, bob)
		w.Follow(cat, bob)
		visible(t, w)
		var sockets []*graphtest.Socket
		for _, token := range []string{"", ada.Token, cat.Token} {
			c := w.Socket(t, token)
			sockets = append(sockets, c)
			for i := range 10 {
				c.Subscribe(fmt.Sprint("p", i), watching(bob, `chirpCount chirps { edges { node { content author { username } } } }`))
			}
			for range 10 {
				c.Read()
			}
		}
		for _, c := range sockets[1:] {
			for i := range 10 {
				c.Subscribe(fmt.Sprint("f", i), `subscription { feedChirpAdded { cursor node { content author { username followerCount } } } }`)
			}
		}
		synctest.Wait()
		reads := w.Views.Reads.Load()
		w.Post(bob, "hello")
		for i, c := range sockets {
			for range 10 + 10*min(i, 1) {
				if m := c.Read(); m.Type != "next" || !strings.Contains(string(m.Payload), "hello") {
					t.Errorf("got %+v, want the chirp", m)
				}
			}
		}
		if got := w.Views.Reads.Load() - reads; got > 8 {
			t.Errorf("50 answers took %d reads, want those of two", got)
		}
	})
}

// Each client says after which chirp its feed is to begin, as the web client does.
func TestFeedsShareAnswersWhereverTheyBegan(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		for range 10 {
			w.Post(bob, "x")
		}
		visible(t, w)
		const fields = `cursor node { content author { username chirps(first: 2) { edges { node { content } } } } }`
		var sockets []*graphtest.Socket
		begin := func(query string, variables map[string]any) {
			c := w.Socket(t, ada.Token)
			c.Send(graphtest.Message{ID: "f", Type: "subscribe", Payload: []byte(graphtest.Marshal(map[string]any{"query": query, "variables": variables}))})
			sockets = append(sockets, c)
		}
		for i := range 10 {
			got := w.Must(ada.Token, fmt.Sprintf(`{ feed(first: %d) { pageInfo { endCursor } } }`, i+1), nil)
			cursor := got.At("feed.pageInfo.endCursor").(string)
			begin(`subscription($after: String) { feedChirpAdded(after: $after) { `+fields+` } }`, map[string]any{"after": cursor})
			begin(fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { `, cursor)+fields+` } }`, nil)
			for _, c := range sockets[2*i:] {
				for range i {
					c.Next("f")
				}
			}
		}
		synctest.Wait()
		reads := w.Views.Reads.Load()
		w.Post(bob, "hello")
		for _, c := range sockets {
			if got := c.Next("f").At("feedChirpAdded.node.content"); got != "hello" {
				t.Errorf("got %v, want the chirp", got)
			}
		}
		if got := w.Views.Reads.Load() - reads; got > 12 {
			t.Errorf("20 answers took %d reads, want those of two", got)
		}
	})
}

func TestAnswersThatDependOnTheViewerAreTheViewersOwn(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob, cat := w.Person("ada"), w.Person("bob"), w.Person("cat")
		w.Follow(ada, bob)
		visible(t, w)
		for _, fields := range []string{`chirpCount viewerFollows`, `chirpCount ... on User { ... @include(if: true) { viewerFollows: viewerFollows } }`} {
			sockets := map[bool][]*graphtest.Socket{}
			for _, token := range []string{ada.Token, cat.Token, "", ada.Token, cat.Token} {
				c := w.Socket(t, token)
				c.Subscribe("p", watching(bob, fields))
				c.Next("p")
				sockets[token == ada.Token] = append(sockets[token == ada.Token], c)
			}
			w.Post(bob, "x")
			for follows, all := range sockets {
				for _, c := range all {
					if got := c.Next("p").At("profileUpdated.viewerFollows"); got != follows {
						t.Errorf("viewerFollows is %v, want %t", got, follows)
					}
				}
			}
		}
	})
}

// Fields that depend on who is asking must be among viewerFields. Their descriptions
// say so.
func TestFieldsThatDependOnTheViewerAreKnown(t *testing.T) {
	schema := graph.Schema()
	seen := map[string]bool{}
	var visit func(d *ast.Definition)
	visit = func(d *ast.Definition) {
		if seen[d.Name] {
			return
		}
		seen[d.Name] = true
		for _, f := range d.Fields {
			about := strings.ToLower(f.Name + " " + f.Description)
			depends := strings.Contains(about, "caller") || strings.Contains(about, "viewer")
			if known := graph.ViewerFields[f.Name]; d.Name != "Subscription" && depends != known {
				t.Errorf("%s.%s: its description and viewerFields disagree: %t and %t", d.Name, f.Name, depends, known)
			}
			visit(schema.Types[f.Type.Name()])
		}
	}
	visit(schema.Subscription)
	if !seen["User"] || !seen["Chirp"] {
		t.Fatalf("visited %v, want users and chirps", seen)
	}
}

// A user with 30 tabs, each with four subscriptions, gets what is pushed at once.
func TestPushesOfABusyUserDoNotWait(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		w.Follow(ada, bob)
		visible(t, w)
		var tabs []*graphtest.Socket
		for range 30 {
			c := w.Socket(t, ada.Token)
			for i := range 2 {
				c.Subscribe(fmt.Sprint("f", i), `subscription { feedChirpAdded { cursor node { id content postedAt author { id username } } } }`)
				c.Subscribe(fmt.Sprint("p", i), watching(bob, `id username followerCount followingCount chirpCount viewerFollows`))
			}
			for range 2 {
				c.Read()
			}
			tabs = append(tabs, c)
		}
		synctest.Wait()
		begun := time.Now()
		for range 10 {
			w.Post(bob, "hello")
			for _, c := range tabs {
				for range 4 {
					if m := c.Read(); m.Type != "next" {
						t.Fatalf("got %+v, want an answer", m)
					}
				}
			}
		}
		if waited := time.Since(begun); waited > 100*time.Millisecond {
			t.Errorf("ten chirps for 120 subscriptions took %s, want no wait", waited)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 20 })
}

func TestSubscriptionsPayForWhatTheyHold(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		visible(t, w)
		c := w.Socket(t, ada.Token)
		refused := 0
		for i := range 100 { // at a cost of 2 and what they hold, of 2,500 at once
			id := fmt.Sprint(i)
			c.Subscribe(id, watching(bob, `id`))
			if m := c.Read(); m.Type == "error" {
				refused++
			}
		}
		if refused < 20 || refused > 60 {
			t.Errorf("of 100 subscriptions %d were refused, want those for which there is no budget", refused)
		}
	}, slowly)
}

// The one who has an answer computed that others share is charged for its size, not
// the anonymous clients at the same address.
func TestSharedAnswersAreChargedToTheirCaller(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		for range 100 {
			w.Post(bob, strings.Repeat("è", 280))
		}
		visible(t, w)
		left := func(token string) float64 {
			header := http.Header{}
			if token != "" {
				header.Set("Authorization", "Bearer "+token)
			}
			got := w.Raw(http.MethodPost, "", "application/json", `{"query":"{ __typename }","extensions":{"cost":true}}`, header)
			left, _ := graphtest.At(got.Extensions["cost"], "throttleStatus.currentlyAvailable").(float64)
			return left
		}
		c := w.Socket(t, ada.Token)
		c.Subscribe("p", watching(bob, `chirps(first: 100) { edges { node { a: content b: content c: content d: content } } }`))
		c.Next("p")
		time.Sleep(10 * time.Second) // for budgets to be full
		adas, others := left(ada.Token), left("")
		w.Post(bob, "x")
		c.Next("p")
		if spent := adas - left(ada.Token); spent < 800 {
			t.Errorf("a large answer cost its caller %v, want what its size is worth", spent)
		}
		if spent := others - left(""); spent > 50 {
			t.Errorf("a large answer cost anonymous clients %v, want nothing", spent)
		}
	}, slowly)
}
