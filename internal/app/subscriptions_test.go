package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/domain"
)

// TestSubscriptionsOfOneUserDelayNoOne has a user replay a long feed in as many
// subscriptions as it may have, with an expensive selection. What they get is bounded
// by the user's budget and comes in order, and others are served meanwhile.
func TestSubscriptionsOfOneUserDelayNoOne(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		const posted, sockets, each, cost = 600, 5, 50, 62
		s := start(t, p, func(c *app.Config) { c.Guard.RateLimit = 20 })
		users := apitest.RegisterAll(t, s.URL, "star", "mallory", "ann", "bob")
		mallory, ann, bob := users[1].At(s.URL), users[2].At(s.URL), users[3].At(s.URL)
		writeChirps(t, p, domain.UserID(users[0].ID), posted)
		mallory.ReadAfter = apitest.Must(mallory.Follow(t.Context(), users[0].ID, ""))(t).Position
		bob.ReadAfter = apitest.Must(bob.Follow(t.Context(), users[2].ID, ""))(t).Position
		var oldest struct{ Feed apitest.Page }
		if err := mallory.Do(t.Context(), `{ feed(last: 1) { edges { cursor } } }`, nil, &oldest); err != nil {
			t.Fatal(err)
		}

		began := time.Now()
		replay := `subscription($after: String) { feedChirpAdded(after: $after) { cursor node { content author { username chirps(first: 50) { edges { __typename } } } } } }`
		var received atomic.Int64
		var reading sync.WaitGroup
		for range sockets {
			c := apitest.Must(mallory.Connect(t.Context()))(t)
			for i := range each {
				if err := c.Subscribe(fmt.Sprint(i), replay, apitest.Vars{"after": oldest.Feed.Edges[0].Cursor}); err != nil {
					t.Fatal(err)
				}
			}
			reading.Go(func() { receiveInOrder(t, c, &received) })
			defer c.Close()
		}
		for i := range 10 {
			text := fmt.Sprint("victim ", i)
			bob.ReadAfter = apitest.Must(ann.Post(t.Context(), text, ""))(t).Position
			if page, err := bob.Page(t.Context(), 1, ""); err != nil || page.Edges[0].Node.Content != text {
				t.Errorf("a page after the post %q: got %+v, %v", text, page, err)
			}
		}
		apitest.Eventually(t, "each subscription has an answer", func() bool { return received.Load() > sockets*each })
		took := time.Since(began)
		if got, most := received.Load()*cost, int64(50_000+took.Seconds()*10_000)+sockets*each*cost; got > most {
			t.Errorf("in %s the subscriptions got answers at a cost of %d, want at most %d", took, got, most)
		}
		wantRefused(t, mallory)
		s.Interrupt() // ends the subscriptions
		reading.Wait()
	})
}

// TestSubscriptionsPayForTheirFollowees has a user who follows 4,000 begin a feed
// subscription, which is charged for them.
func TestSubscriptionsPayForTheirFollowees(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		const followees = 4000
		s := start(t, p, func(c *app.Config) { c.Guard.RateLimit = 2 }) // 5,000 at once, 1,000 a second
		mallory := apitest.RegisterAll(t, s.URL, "mallory")[0]
		var events []domain.Event
		for i := range followees {
			id := domain.UserIDFrom(uuid.Must(uuid.NewV7()))
			events = append(events,
				domain.UserRegistered{UserID: id, Username: domain.Username(fmt.Sprint("user", i))},
				domain.UserFollowed{FollowerID: domain.UserID(mallory.ID), FolloweeID: id})
		}
		writeEvents(t, p, events)
		as := mallory.At(s.URL)
		left := func() (tokens, following int) {
			resp := apitest.Must(as.Request(t.Context(), []byte(`{"query": "{ viewer { followingCount } }", "extensions": {"cost": true}}`), "application/json"))(t)
			defer resp.Body.Close()
			var got struct {
				Data       struct{ Viewer struct{ FollowingCount int } }
				Extensions struct {
					Cost struct {
						ThrottleStatus struct{ CurrentlyAvailable int }
					}
				}
			}
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			return got.Extensions.Cost.ThrottleStatus.CurrentlyAvailable, got.Data.Viewer.FollowingCount
		}
		apitest.Eventually(t, "the views show all follows, and nothing is owed", func() bool {
			tokens, following := left()
			return following == followees && tokens > 4_500
		})
		c := apitest.Must(as.Connect(t.Context()))(t)
		defer c.Close()
		if err := c.Subscribe("feed", apitest.FeedAddedDocument, nil); err != nil {
			t.Fatal(err)
		}
		apitest.Eventually(t, "the subscription is charged for its followees", func() bool {
			tokens, _ := left()
			return tokens < 3_500
		})
	})
}

// wantRefused subscribes until a subscription is refused, which the first need not be,
// because some of those before it may have been refused for their cost.
func wantRefused(t *testing.T, user apitest.API) {
	t.Helper()
	c := apitest.Must(user.Connect(t.Context()))(t)
	defer c.Close()
	for i := range 50 {
		if err := c.Subscribe(fmt.Sprint(i), apitest.FeedAddedDocument, nil); err != nil {
			t.Fatal(err)
		}
	}
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatalf("50 more subscriptions: got %v, want RATE_LIMITED", err)
		}
		if f.Type == "error" && strings.Contains(string(f.Payload), "RATE_LIMITED") {
			return
		}
	}
}

// receiveInOrder receives the answers of all subscriptions of a socket until it ends.
// Each subscription must get every chirp after the first.
func receiveInOrder(t *testing.T, c *apitest.Socket, received *atomic.Int64) {
	next := map[string]int{}
	for {
		f, err := c.Read()
		if err != nil {
			return
		}
		if f.Type != "next" {
			continue
		}
		var got struct{ FeedChirpAdded apitest.Edge }
		err = apitest.ReadAnswer(f.Payload, &got)
		if apitest.Code(err) == "UNAVAILABLE" { // the server stops
			return
		}
		next[f.ID]++
		if want := fmt.Sprint("chirp ", next[f.ID]); err != nil || got.FeedChirpAdded.Node.Content != want {
			t.Errorf("subscription %s got %q, %v, want %q", f.ID, got.FeedChirpAdded.Node.Content, err, want)
			return
		}
		received.Add(1)
	}
}
