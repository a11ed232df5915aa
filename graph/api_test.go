package graph_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"chirp/graph/graphtest"
	"chirp/internal/domain"
)

const register = `mutation($name: String!, $password: String = "a password", $id: String) {
	registerUser(input: {username: $name, password: $password, commandId: $id}) {
		user { id username joinedAt followerCount followingCount chirpCount isCelebrity viewerFollows } token position } }`

func TestRegistrationReturnsATokenAndAPosition(t *testing.T) {
	w := graphtest.New(t)
	got := w.Must("", register, map[string]any{"name": "Ada_1"})
	user := got.At("registerUser.user").(map[string]any)
	joined, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(user["joinedAt"]))
	if err != nil || time.Since(joined) > time.Hour {
		t.Errorf("joinedAt is %v, want now in UTC with milliseconds", user["joinedAt"])
	}
	delete(user, "joinedAt")
	want := map[string]any{"id": user["id"], "username": "Ada_1", "followerCount": 0.0, "followingCount": 0.0,
		"chirpCount": 0.0, "isCelebrity": false, "viewerFollows": false}
	if !reflect.DeepEqual(user, want) {
		t.Errorf("got user %v, want %v", user, want)
	}
	if got.At("registerUser.position") != "2" {
		t.Errorf("got position %#v, want \"2\"", got.At("registerUser.position"))
	}
	viewer := w.Must(got.At("registerUser.token").(string), `{ viewer { id } }`, nil)
	if viewer.At("viewer.id") != user["id"] {
		t.Errorf("the token stands for %v, want %v", viewer.At("viewer.id"), user["id"])
	}
}

func TestRegistrationRepeatedUnderItsCommandID(t *testing.T) {
	w := graphtest.New(t)
	first := w.Must("", register, map[string]any{"name": "ada", "id": "one"})
	for _, c := range []struct {
		name, password, code string
	}{
		{"with the account's password returns the first user and a token", "a password", ""},
		{"with another password returns no token", "another password", "UNAUTHENTICATED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.Ask("", register, map[string]any{"name": "ada", "id": "one", "password": c.password})
			if got.Code() != c.code {
				t.Fatalf("got code %q, want %q: %s", got.Code(), c.code, got.Body)
			}
			if c.code != "" {
				return
			}
			if got.At("registerUser.user.id") != first.At("registerUser.user.id") || got.At("registerUser.token") == "" {
				t.Errorf("got %s, want the first user and a token", got.Body)
			}
		})
	}
}

func TestLogInAcceptsTheNameInAnyCase(t *testing.T) {
	w := graphtest.New(t)
	const logIn = `mutation($name: String!, $password: String!) { logIn(input: {username: $name, password: $password}) { token user { id followerCount } } }`
	ada := w.Must("", register, map[string]any{"name": "Ada"}).At("registerUser.user.id")
	got := w.Must("", logIn, map[string]any{"name": "aDA", "password": "a password"})
	if got.At("logIn.user.id") != ada || got.At("logIn.token") == "" || got.At("logIn.user.followerCount") != 0.0 {
		t.Errorf("got %s, want user %v and a token", got.Body, ada)
	}
	var messages []string
	for _, c := range [][2]string{{"Ada", "not it at all"}, {"nobody", "a password"}, {"not a name!", "a password"}, {"Ada", ""}} {
		got := w.Ask("", logIn, map[string]any{"name": c[0], "password": c[1]})
		if got.Code() != "UNAUTHENTICATED" {
			t.Fatalf("%v: got code %q, want UNAUTHENTICATED", c, got.Code())
		}
		messages = append(messages, got.Errors[0].Message)
	}
	for _, m := range messages {
		if m != messages[0] {
			t.Errorf("got messages %q, want them all the same", messages)
		}
	}
}

func TestPostedChirpIsReturnedFromTheEvent(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must(ada.Token, `{ viewer { id } }`, nil)
	w.Stop() // nothing is projected any more
	before := w.Views.Opened.Load()
	got := w.Send(ada.Token, `mutation { postChirp(input: {content: "  hello\r\nworld "}) { chirp { id content postedAt author { id username joinedAt } } position } }`, nil, nil)
	if got.At("postChirp.chirp.content") != "hello\nworld" || got.At("postChirp.chirp.author.username") != "ada" || got.At("postChirp.position") != "3" {
		t.Errorf("got %s, want the chirp in normal form, its author, and position 3", got.Body)
	}
	if opened := w.Views.Opened.Load() - before; opened != 0 {
		t.Errorf("the read model was read %d times, want 0", opened)
	}
}

func TestFollowAndUnfollowShowTheirOwnEffect(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	const selection = `(input: {userId: $id}) { relationshipId position followee { username followerCount viewerFollows } }`
	for _, c := range []struct {
		mutation string
		count    float64
		follows  bool
	}{{"followUser", 1, true}, {"unfollowUser", 0, false}} {
		// No header: the mutation alone must make its selection wait.
		got := w.Send(ada.Token, `mutation($id: ID!) { it: `+c.mutation+selection+` }`, map[string]any{"id": bob.ID}, nil)
		followee, _ := got.At("it.followee").(map[string]any)
		want := map[string]any{"username": "bob", "followerCount": c.count, "viewerFollows": c.follows}
		if !reflect.DeepEqual(followee, want) {
			t.Errorf("%s: got %s, want followee %v", c.mutation, got.Body, want)
		}
		if id := fmt.Sprint(got.At("it.relationshipId")); id != fmt.Sprintf("follow:%s:%s", ada.ID, bob.ID) {
			t.Errorf("%s: got relationshipId %q", c.mutation, id)
		}
	}
}

func TestSeveralMutationsInOneOperationEachSeeTheirOwnPosition(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	got := w.Send(ada.Token, `mutation($id: ID!) {
		a: followUser(input: {userId: $id}) { followee { followerCount } }
		b: unfollowUser(input: {userId: $id}) { followee { followerCount } }
		c: followUser(input: {userId: $id}) { followee { followerCount } } }`, map[string]any{"id": bob.ID}, nil)
	for path, want := range map[string]float64{"a.followee.followerCount": 1, "b.followee.followerCount": 0, "c.followee.followerCount": 1} {
		if got.At(path) != want {
			t.Errorf("%s is %v, want %v", path, got.At(path), want)
		}
	}
}

func TestARepeatedCommandReturnsTheFirstResult(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	for _, mutation := range []string{
		`mutation { postChirp(input: {content: "hello", commandId: "p"}) { chirp { id content postedAt } position } }`,
		fmt.Sprintf(`mutation { followUser(input: {userId: %q, commandId: "f"}) { relationshipId position } }`, bob.ID),
		fmt.Sprintf(`mutation { unfollowUser(input: {userId: %q, commandId: "u"}) { relationshipId position } }`, bob.ID),
	} {
		first, second := w.Must(ada.Token, mutation, nil), w.Must(ada.Token, mutation, nil)
		if !reflect.DeepEqual(first.Data, second.Data) {
			t.Errorf("got %v the second time, want %v", second.Data, first.Data)
		}
	}
}

func TestUserHasEveryFieldAndList(t *testing.T) {
	w := graphtest.New(t)
	ada, bob, cyd := w.Person("ada"), w.Person("bob"), w.Person("cyd")
	w.Follow(bob, ada)
	w.Follow(cyd, ada)
	w.Follow(ada, bob)
	for i := range 3 {
		w.Post(ada, fmt.Sprint("chirp ", i))
	}
	got := w.Must(bob.Token, `query($id: ID!) { user(id: $id) {
		__typename id username joinedAt followerCount followingCount chirpCount isCelebrity viewerFollows
		chirps(first: 2) { edges { cursor node { id content postedAt author { username viewerFollows } } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
		followers { edges { cursor node { username viewerFollows } } pageInfo { hasNextPage hasPreviousPage } }
		following { edges { node { username followerCount } } }
	} }`, map[string]any{"id": ada.ID})
	for path, want := range map[string]any{
		"user.id": string(ada.ID), "user.username": "ada", "user.followerCount": 2.0, "user.followingCount": 1.0, "user.chirpCount": 3.0,
		"user.isCelebrity": false, "user.viewerFollows": true, "user.chirps.pageInfo.hasNextPage": true, "user.chirps.pageInfo.hasPreviousPage": false,
		"user.chirps.edges.0.node.content": "chirp 2", "user.chirps.edges.1.node.author.viewerFollows": true,
		"user.followers.edges.0.node.username": "cyd", "user.followers.edges.1.node.username": "bob", "user.followers.edges.0.node.viewerFollows": false,
		"user.following.edges.0.node.username": "bob", "user.following.edges.0.node.followerCount": 1.0,
		"user.chirps.pageInfo.startCursor": got.At("user.chirps.edges.0.cursor"), "user.chirps.pageInfo.endCursor": got.At("user.chirps.edges.1.cursor"),
	} {
		if got.At(path) != want {
			t.Errorf("%s is %v, want %v", path, got.At(path), want)
		}
	}
	rest := w.Must("", `query($name: String!, $after: String) { user(username: $name) { viewerFollows chirps(after: $after) { edges { node { content } } pageInfo { hasNextPage hasPreviousPage } } } }`,
		map[string]any{"name": "ADA", "after": got.At("user.chirps.pageInfo.endCursor")})
	if contents := rest.List("user.chirps.edges", "node.content"); !reflect.DeepEqual(contents, []any{"chirp 0"}) {
		t.Errorf("the second page has %v, want [chirp 0]", contents)
	}
	if rest.At("user.chirps.pageInfo.hasPreviousPage") != true || rest.At("user.chirps.pageInfo.hasNextPage") != false {
		t.Errorf("the second page has pageInfo %v", rest.At("user.chirps.pageInfo"))
	}
	if rest.At("user.viewerFollows") != false {
		t.Error("an anonymous caller follows a user")
	}
}

func TestUserBecomesACelebrity(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for i := range 50 {
		w.Follow(w.Person(fmt.Sprint("fan", i)), ada)
	}
	got := w.Must("", `{ user(username: "ada") { isCelebrity followerCount } }`, nil)
	if got.At("user.isCelebrity") != true || got.At("user.followerCount") != 50.0 {
		t.Errorf("got %s, want a celebrity with 50 followers", got.Body)
	}
}

func TestFeedHasTheChirpsOfTheViewersFollowees(t *testing.T) {
	w := graphtest.New(t)
	ada, bob, cyd := w.Person("ada"), w.Person("bob"), w.Person("cyd")
	w.Follow(ada, bob)
	w.Post(bob, "one")
	w.Post(cyd, "not seen")
	w.Post(bob, "two")
	const feed = `query($first: Int, $after: String) { feed(first: $first, after: $after) { edges { cursor node { content author { username viewerFollows } } } pageInfo { hasNextPage endCursor } } }`
	got := w.Must(ada.Token, feed, nil)
	if contents := got.List("feed.edges", "node.content"); !reflect.DeepEqual(contents, []any{"two", "one"}) {
		t.Errorf("the feed is %v, want [two one]", contents)
	}
	if got.At("feed.edges.0.node.author.username") != "bob" || got.At("feed.edges.0.node.author.viewerFollows") != true {
		t.Errorf("got author %v, want bob, followed", got.At("feed.edges.0.node.author"))
	}
	older := w.Must(ada.Token, feed, map[string]any{"first": 1, "after": got.At("feed.edges.0.cursor")})
	if contents := older.List("feed.edges", "node.content"); !reflect.DeepEqual(contents, []any{"one"}) {
		t.Errorf("the page after the first chirp is %v, want [one]", contents)
	}
	empty := w.Must(cyd.Token, feed, nil)
	if empty.At("feed.pageInfo.endCursor") != nil || len(empty.List("feed.edges", "cursor")) != 0 {
		t.Errorf("got %s, want an empty feed without a cursor", empty.Body)
	}
}

func TestNodesAndChirpsAreFoundByID(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	chirp := w.Post(ada, "hello")
	got := w.Must("", `query($user: ID!, $chirp: ID!) { u: node(id: $user) { __typename id ... on User { username } }
		c: node(id: $chirp) { __typename id ... on Chirp { content author { id } } } chirp(id: $chirp) { id content author { username } } }`,
		map[string]any{"user": ada.ID, "chirp": chirp.ID})
	for path, want := range map[string]any{
		"u.__typename": "User", "u.username": "ada", "c.__typename": "Chirp", "c.content": "hello", "c.author.id": string(ada.ID),
		"chirp.author.username": "ada", "chirp.id": string(chirp.ID),
	} {
		if got.At(path) != want {
			t.Errorf("%s is %v, want %v", path, got.At(path), want)
		}
	}
}

func TestWhatDoesNotExistIsNull(t *testing.T) {
	w := graphtest.New(t)
	user, chirp := domain.UserIDFrom([16]byte{1}), domain.ChirpIDFrom([16]byte{1})
	for _, q := range []string{
		fmt.Sprintf(`{ it: node(id: %q) { id } }`, user), fmt.Sprintf(`{ it: node(id: %q) { id } }`, chirp),
		fmt.Sprintf(`{ it: user(id: %q) { id } }`, user), `{ it: user(username: "nobody") { id } }`,
		fmt.Sprintf(`{ it: chirp(id: %q) { id } }`, chirp), `{ it: viewer { id } }`,
	} {
		if got := w.Must("", q, nil); got.At("it") != nil || !strings.Contains(got.Body, `"it":null`) {
			t.Errorf("%s: got %s, want null", q, got.Body)
		}
	}
}

func TestReadAfterShowsWhatWasWritten(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for i := range 20 {
		position := w.Post(ada, fmt.Sprint(i)).Position
		got := w.Send("", `{ user(username: "ada") { chirpCount } }`, nil, http.Header{"Chirp-Read-After": {position.String()}})
		if got.At("user.chirpCount") != float64(i+1) {
			t.Fatalf("after position %d chirpCount is %v, want %d", position, got.At("user.chirpCount"), i+1)
		}
	}
}

func TestCommandsCarryTheRequestAndTraceIDs(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, c := range []struct {
		name, id, parent, wantID, wantTrace string
	}{
		{"given", "abc-1.2_3", "00-" + trace + "-00f067aa0ba902b7-01", "abc-1.2_3", trace},
		{"made when malformed", "no spaces\tor more", "00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01", "", ""},
		{"made when absent", "", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "", ""},
		{"made when too long", strings.Repeat("x", 65), "rubbish", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.Send(ada.Token, `mutation { postChirp(input: {content: "hello"}) { position } }`, nil,
				http.Header{"X-Request-Id": {c.id}, "Traceparent": {c.parent}})
			event, echoed := w.Log.Last(), got.Header.Get("X-Request-Id")
			if event.CorrelationID != echoed || echoed == "" || event.TraceID != c.wantTrace {
				t.Errorf("the event has ids %q and %q, want %q and %q", event.CorrelationID, event.TraceID, echoed, c.wantTrace)
			}
			if c.wantID != "" && echoed != c.wantID {
				t.Errorf("the answer has X-Request-Id %q, want %q", echoed, c.wantID)
			}
			if c.wantID == "" && echoed == c.id {
				t.Errorf("the request id %q was taken as it is", echoed)
			}
		})
	}
}
