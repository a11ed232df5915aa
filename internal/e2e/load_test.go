package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector/projectortest"
)

// mutation is a request of a user, under a command id.
type mutation struct {
	kind      string // "post", "follow" or "unfollow"
	actor     int
	other     int // who is followed or unfollowed
	content   string
	commandID string
}

// fact is what a server acknowledged, or what an event records.
type fact struct {
	position domain.Position
	kind     string
	id       string // of the chirp; none for follows
	actor    string
	subject  string // the followee, or the content
}

// load is a number of clients that send mutations to servers which may die.
type load struct {
	users []apitest.User
	// url returns the URL of the server to send to.
	url func() string

	// pad is added to each chirp.
	pad string
	// rest is how long a client pauses after each mutation.
	rest time.Duration

	repeats atomic.Int64 // mutations that were sent again
	mu      sync.Mutex
	facts   []fact
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.facts)
}

// client sends mutations until stop is closed. It repeats those without an
// answer, under the same command id, until they get one.
func (l *load) client(t testing.TB, n int, seed uint64, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		m := l.choose(random)
		m.commandID = fmt.Sprintf("%d-%d", n, i)
		m.content = strings.TrimSpace(fmt.Sprintf("chirp %s of client %d %s", m.commandID, n, l.pad))
		if !l.carryOut(t, m) {
			return
		}
		time.Sleep(l.rest)
	}
}

// choose picks a mutation. The last user is never involved.
func (l *load) choose(random *rand.Rand) mutation {
	active := len(l.users) - 1
	m := mutation{kind: "post", actor: random.IntN(active)}
	m.other = (m.actor + 1 + random.IntN(active-1)) % active
	switch n := random.IntN(10); {
	case n < 3:
		m.kind = "follow"
	case n < 5:
		m.kind = "unfollow"
	}
	return m
}

// carryOut sends a mutation until it is answered. It reports whether it was; if
// not, the test has failed.
func (l *load) carryOut(t testing.TB, m mutation) bool {
	for deadline := time.Now().Add(apitest.Patience); time.Now().Before(deadline); {
		f, err := l.send(t.Context(), m)
		switch apitest.Code(err) {
		case "OK":
			l.mu.Lock()
			l.facts = append(l.facts, f)
			l.mu.Unlock()
			return true
		case "ALREADY_FOLLOWING", "NOT_FOLLOWING":
			return true
		case "NO ANSWER", "UNAVAILABLE":
			l.repeats.Add(1)
			time.Sleep(5 * time.Millisecond)
		default:
			t.Errorf("%v: %v", m, err)
			return false
		}
	}
	t.Errorf("%v: no answer in %s", m, apitest.Patience)
	return false
}

func (l *load) send(ctx context.Context, m mutation) (fact, error) {
	as := l.users[m.actor].At(l.url())
	f := fact{kind: m.kind, actor: l.users[m.actor].ID, subject: l.users[m.other].ID}
	var d apitest.Receipt
	var err error
	switch m.kind {
	case "post":
		d, err = as.Post(ctx, m.content, m.commandID)
		f.id, f.subject = d.ID, m.content
	case "follow":
		d, err = as.Follow(ctx, f.subject, m.commandID)
	default:
		d, err = as.Unfollow(ctx, f.subject, m.commandID)
	}
	if err != nil {
		return fact{}, err
	}
	position, err := strconv.ParseInt(d.Position, 10, 64)
	f.position = domain.Position(position)
	return f, err
}

// run runs clients until during returns.
func (l *load) run(t testing.TB, clients int, seed uint64, during func()) {
	stop := make(chan struct{})
	var g sync.WaitGroup
	for n := range clients {
		g.Go(func() { l.client(t, n, seed, stop) })
	}
	func() {
		defer g.Wait()
		defer close(stop)
		during()
	}()
}

// factsOf returns the facts that the events after a position record.
func factsOf(t testing.TB, events []eventstore.Event, after domain.Position) []fact {
	t.Helper()
	var facts []fact
	for _, e := range events[after:] {
		decoded := apitest.Must(domain.DecodeEvent(e.Type, e.Data))(t)
		f := fact{position: e.Position}
		switch d := decoded.(type) {
		case domain.ChirpPosted:
			f.kind, f.id, f.actor, f.subject = "post", string(d.ChirpID), string(d.AuthorID), string(d.Content)
		case domain.UserFollowed:
			f.kind, f.actor, f.subject = "follow", string(d.FollowerID), string(d.FolloweeID)
		case domain.UserUnfollowed:
			f.kind, f.actor, f.subject = "unfollow", string(d.FollowerID), string(d.FolloweeID)
		case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
			t.Fatalf("position %d: got a %s, want no such event after the load began", e.Position, e.Type)
		}
		facts = append(facts, f)
	}
	return facts
}

// inOrder sorts facts by position.
func inOrder(facts []fact) []fact {
	return slices.SortedFunc(slices.Values(facts), func(a, b fact) int { return cmp.Compare(a.position, b.position) })
}

// checkFacts compares what was acknowledged with the log: every mutation was
// answered in the end, so each must be there once, and no other.
func checkFacts(t testing.TB, acknowledged, logged []fact) {
	t.Helper()
	acknowledged = inOrder(acknowledged)
	if slices.Equal(acknowledged, logged) {
		return
	}
	count := map[fact]int{}
	for _, f := range acknowledged {
		count[f]--
	}
	for _, f := range logged {
		count[f]++
	}
	for f, n := range count {
		switch {
		case n < 0:
			t.Errorf("%+v was acknowledged %d times more often than it is in the log", f, -n)
		case n > 0:
			t.Errorf("%+v is in the log %d times more often than it was acknowledged", f, n)
		}
	}
}

// event is the event that a fact is about.
func (f fact) event() domain.Event {
	actor := domain.UserID(f.actor)
	switch f.kind {
	case "post":
		return domain.ChirpPosted{ChirpID: domain.ChirpID(f.id), AuthorID: actor, Content: domain.Content(f.subject)}
	case "follow":
		return domain.UserFollowed{FollowerID: actor, FolloweeID: domain.UserID(f.subject)}
	default:
		return domain.UserUnfollowed{FollowerID: actor, FolloweeID: domain.UserID(f.subject)}
	}
}

// feedOf returns a feed as the oracle has it, newest first.
func feedOf(oracle projectortest.Oracle, viewer string) []string {
	var feed []string
	for _, c := range oracle.Feed(domain.UserID(viewer)) {
		feed = append(feed, string(c.ID))
	}
	return feed
}

// checkFeeds compares every user's feed with the oracle's.
func checkFeeds(t testing.TB, url string, users []apitest.User, events []eventstore.Event) map[string][]string {
	t.Helper()
	oracle := apitest.Must(projectortest.Read(events))(t)
	feeds := map[string][]string{}
	for _, u := range users {
		want := feedOf(oracle, u.ID)
		as := u.At(url)
		as.ReadAfter = strconv.Itoa(len(events))
		got := ids(patientFeed(t, as))
		if !slices.Equal(got, want) {
			t.Errorf("feed of %s: got %d chirps, want %d; the first difference is at %d", u.Username, len(got), len(want), firstDifference(got, want))
		}
		feeds[u.ID] = got
	}
	return feeds
}

// patientFeed reads a feed, again until it is visible.
func patientFeed(t testing.TB, as apitest.API) []apitest.Edge {
	t.Helper()
	var feed []apitest.Edge
	apitest.Eventually(t, "the feed is visible after "+as.ReadAfter, func() (ok bool) {
		var err error
		feed, err = as.Feed(t.Context(), 100)
		if c := apitest.Code(err); c != "OK" && c != "NOT_YET_VISIBLE" && c != "UNAVAILABLE" {
			t.Fatalf("feed: %v", err)
		}
		return err == nil
	})
	return feed
}

func ids(edges []apitest.Edge) []string {
	var all []string
	for _, e := range edges {
		all = append(all, e.Node.ID)
	}
	return all
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// duplicates returns what occurs more than once.
func duplicates(all []string) []string {
	count := map[string]int{}
	for _, s := range all {
		count[s]++
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n == 1 })
	return slices.Sorted(maps.Keys(count))
}

// numbered returns names of users.
func numbered(name string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = name + strconv.Itoa(i)
	}
	return names
}
