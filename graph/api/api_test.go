package api_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"chirp/internal/domain"
)

const register = `mutation($name: String!, $password: String = "a password", $id: String) {
	registerUser(input: {username: $name, password: $password, commandId: $id}) {
		user { id username joinedAt followerCount followingCount chirpCount isCelebrity viewerFollows } token position } }`

func TestRegistrationGivesTheUserATokenAndAPosition(t *testing.T) {
	w := newWorld(t)
	got := w.must("", register, map[string]any{"name": "Ada_1"})
	user := got.at("registerUser.user").(map[string]any)
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
	if got.at("registerUser.position") != "2" {
		t.Errorf("got position %#v, want \"2\"", got.at("registerUser.position"))
	}
	viewer := w.must(got.at("registerUser.token").(string), `{ viewer { id } }`, nil)
	if viewer.at("viewer.id") != user["id"] {
		t.Errorf("the token stands for %v, want %v", viewer.at("viewer.id"), user["id"])
	}
}

func TestRegistrationRepeatedUnderItsCommandID(t *testing.T) {
	w := newWorld(t)
	first := w.must("", register, map[string]any{"name": "ada", "id": "one"})
	for _, c := range []struct {
		name, password, code string
	}{
		{"with the account's password gives the first user and a token", "a password", ""},
		{"with another password gives no token", "another password", "UNAUTHENTICATED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask("", register, map[string]any{"name": "ada", "id": "one", "password": c.password})
			if got.code() != c.code {
				t.Fatalf("got code %q, want %q: %s", got.code(), c.code, got.body)
			}
			if c.code != "" {
				return
			}
			if got.at("registerUser.user.id") != first.at("registerUser.user.id") || got.at("registerUser.token") == "" {
				t.Errorf("got %s, want the first user and a token", got.body)
			}
		})
	}
}

func TestLogInTakesTheNameInAnyCaseAndTheRightPassword(t *testing.T) {
	w := newWorld(t)
	const logIn = `mutation($name: String!, $password: String!) { logIn(input: {username: $name, password: $password}) { token user { id followerCount } } }`
	ada := w.must("", register, map[string]any{"name": "Ada"}).at("registerUser.user.id")
	got := w.must("", logIn, map[string]any{"name": "aDA", "password": "a password"})
	if got.at("logIn.user.id") != ada || got.at("logIn.token") == "" || got.at("logIn.user.followerCount") != 0.0 {
		t.Errorf("got %s, want user %v and a token", got.body, ada)
	}
	var messages []string
	for _, c := range [][2]string{{"Ada", "not it at all"}, {"nobody", "a password"}, {"not a name!", "a password"}, {"Ada", ""}} {
		got := w.ask("", logIn, map[string]any{"name": c[0], "password": c[1]})
		if got.code() != "UNAUTHENTICATED" {
			t.Fatalf("%v: got code %q, want UNAUTHENTICATED", c, got.code())
		}
		messages = append(messages, got.Errors[0].Message)
	}
	for _, m := range messages {
		if m != messages[0] {
			t.Errorf("got messages %q, want them all the same", messages)
		}
	}
}

func TestPostedChirpIsAnsweredFromTheEvent(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must(ada.token, `{ viewer { id } }`, nil)
	w.stop() // nothing is projected any more
	before := w.views.opened.Load()
	got := w.send(ada.token, `mutation { postChirp(input: {content: "  hello\r\nworld "}) { chirp { id content postedAt author { id username joinedAt } } position } }`, nil, nil)
	if got.at("postChirp.chirp.content") != "hello\nworld" || got.at("postChirp.chirp.author.username") != "ada" || got.at("postChirp.position") != "3" {
		t.Errorf("got %s, want the chirp in normal form, its author, and position 3", got.body)
	}
	if opened := w.views.opened.Load() - before; opened != 0 {
		t.Errorf("the read model was read %d times, want 0", opened)
	}
}

func TestFollowAndUnfollowShowTheirOwnEffect(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	const selection = `(input: {userId: $id}) { relationshipId position followee { username followerCount viewerFollows } }`
	for _, c := range []struct {
		mutation string
		count    float64
		follows  bool
	}{{"followUser", 1, true}, {"unfollowUser", 0, false}} {
		// No header: the mutation alone must make its selection wait.
		got := w.send(ada.token, `mutation($id: ID!) { it: `+c.mutation+selection+` }`, map[string]any{"id": bob.id}, nil)
		followee, _ := got.at("it.followee").(map[string]any)
		want := map[string]any{"username": "bob", "followerCount": c.count, "viewerFollows": c.follows}
		if !reflect.DeepEqual(followee, want) {
			t.Errorf("%s: got %s, want followee %v", c.mutation, got.body, want)
		}
		if id := fmt.Sprint(got.at("it.relationshipId")); id != fmt.Sprintf("follow:%s:%s", ada.id, bob.id) {
			t.Errorf("%s: got relationshipId %q", c.mutation, id)
		}
	}
}

func TestSeveralMutationsInOneOperationEachSeeTheirOwnPosition(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	got := w.send(ada.token, `mutation($id: ID!) {
		a: followUser(input: {userId: $id}) { followee { followerCount } }
		b: unfollowUser(input: {userId: $id}) { followee { followerCount } }
		c: followUser(input: {userId: $id}) { followee { followerCount } } }`, map[string]any{"id": bob.id}, nil)
	for path, want := range map[string]float64{"a.followee.followerCount": 1, "b.followee.followerCount": 0, "c.followee.followerCount": 1} {
		if got.at(path) != want {
			t.Errorf("%s is %v, want %v", path, got.at(path), want)
		}
	}
}

func TestCommandRepeatedUnderItsIDGivesTheFirstAnswer(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	for _, mutation := range []string{
		`mutation { postChirp(input: {content: "hello", commandId: "p"}) { chirp { id content postedAt } position } }`,
		fmt.Sprintf(`mutation { followUser(input: {userId: %q, commandId: "f"}) { relationshipId position } }`, bob.id),
		fmt.Sprintf(`mutation { unfollowUser(input: {userId: %q, commandId: "u"}) { relationshipId position } }`, bob.id),
	} {
		first, second := w.must(ada.token, mutation, nil), w.must(ada.token, mutation, nil)
		if !reflect.DeepEqual(first.Data, second.Data) {
			t.Errorf("got %v the second time, want %v", second.Data, first.Data)
		}
	}
}

func TestUserHasEveryFieldAndList(t *testing.T) {
	w := newWorld(t)
	ada, bob, cyd := w.person("ada"), w.person("bob"), w.person("cyd")
	w.follow(bob, ada)
	w.follow(cyd, ada)
	w.follow(ada, bob)
	for i := range 3 {
		w.post(ada, fmt.Sprint("chirp ", i))
	}
	got := w.must(bob.token, `query($id: ID!) { user(id: $id) {
		__typename id username joinedAt followerCount followingCount chirpCount isCelebrity viewerFollows
		chirps(first: 2) { edges { cursor node { id content postedAt author { username viewerFollows } } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
		followers { edges { cursor node { username viewerFollows } } pageInfo { hasNextPage hasPreviousPage } }
		following { edges { node { username followerCount } } }
	} }`, map[string]any{"id": ada.id})
	for path, want := range map[string]any{
		"user.id": string(ada.id), "user.username": "ada", "user.followerCount": 2.0, "user.followingCount": 1.0, "user.chirpCount": 3.0,
		"user.isCelebrity": false, "user.viewerFollows": true, "user.chirps.pageInfo.hasNextPage": true, "user.chirps.pageInfo.hasPreviousPage": false,
		"user.chirps.edges.0.node.content": "chirp 2", "user.chirps.edges.1.node.author.viewerFollows": true,
		"user.followers.edges.0.node.username": "cyd", "user.followers.edges.1.node.username": "bob", "user.followers.edges.0.node.viewerFollows": false,
		"user.following.edges.0.node.username": "bob", "user.following.edges.0.node.followerCount": 1.0,
		"user.chirps.pageInfo.startCursor": got.at("user.chirps.edges.0.cursor"), "user.chirps.pageInfo.endCursor": got.at("user.chirps.edges.1.cursor"),
	} {
		if got.at(path) != want {
			t.Errorf("%s is %v, want %v", path, got.at(path), want)
		}
	}
	rest := w.must("", `query($name: String!, $after: String) { user(username: $name) { viewerFollows chirps(after: $after) { edges { node { content } } pageInfo { hasNextPage hasPreviousPage } } } }`,
		map[string]any{"name": "ADA", "after": got.at("user.chirps.pageInfo.endCursor")})
	if contents := rest.list("user.chirps.edges", "node.content"); !reflect.DeepEqual(contents, []any{"chirp 0"}) {
		t.Errorf("the second page has %v, want [chirp 0]", contents)
	}
	if rest.at("user.chirps.pageInfo.hasPreviousPage") != true || rest.at("user.chirps.pageInfo.hasNextPage") != false {
		t.Errorf("the second page has pageInfo %v", rest.at("user.chirps.pageInfo"))
	}
	if rest.at("user.viewerFollows") != false {
		t.Error("an anonymous caller follows somebody")
	}
}

func TestUserBecomesACelebrity(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for i := range 50 {
		w.follow(w.person(fmt.Sprint("fan", i)), ada)
	}
	got := w.must("", `{ user(username: "ada") { isCelebrity followerCount } }`, nil)
	if got.at("user.isCelebrity") != true || got.at("user.followerCount") != 50.0 {
		t.Errorf("got %s, want a celebrity with 50 followers", got.body)
	}
}

func TestFeedShowsThoseWhomTheViewerFollows(t *testing.T) {
	w := newWorld(t)
	ada, bob, cyd := w.person("ada"), w.person("bob"), w.person("cyd")
	w.follow(ada, bob)
	w.post(bob, "one")
	w.post(cyd, "not seen")
	w.post(bob, "two")
	const feed = `query($first: Int, $after: String) { feed(first: $first, after: $after) { edges { cursor node { content author { username viewerFollows } } } pageInfo { hasNextPage endCursor } } }`
	got := w.must(ada.token, feed, nil)
	if contents := got.list("feed.edges", "node.content"); !reflect.DeepEqual(contents, []any{"two", "one"}) {
		t.Errorf("the feed is %v, want [two one]", contents)
	}
	if got.at("feed.edges.0.node.author.username") != "bob" || got.at("feed.edges.0.node.author.viewerFollows") != true {
		t.Errorf("got author %v, want bob, followed", got.at("feed.edges.0.node.author"))
	}
	older := w.must(ada.token, feed, map[string]any{"first": 1, "after": got.at("feed.edges.0.cursor")})
	if contents := older.list("feed.edges", "node.content"); !reflect.DeepEqual(contents, []any{"one"}) {
		t.Errorf("the page after the first chirp is %v, want [one]", contents)
	}
	empty := w.must(cyd.token, feed, nil)
	if empty.at("feed.pageInfo.endCursor") != nil || len(empty.list("feed.edges", "cursor")) != 0 {
		t.Errorf("got %s, want an empty feed without a cursor", empty.body)
	}
}

func TestNodesAndChirpsAreFoundByID(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	chirp := w.post(ada, "hello")
	got := w.must("", `query($user: ID!, $chirp: ID!) { u: node(id: $user) { __typename id ... on User { username } }
		c: node(id: $chirp) { __typename id ... on Chirp { content author { id } } } chirp(id: $chirp) { id content author { username } } }`,
		map[string]any{"user": ada.id, "chirp": chirp.ID})
	for path, want := range map[string]any{
		"u.__typename": "User", "u.username": "ada", "c.__typename": "Chirp", "c.content": "hello", "c.author.id": string(ada.id),
		"chirp.author.username": "ada", "chirp.id": string(chirp.ID),
	} {
		if got.at(path) != want {
			t.Errorf("%s is %v, want %v", path, got.at(path), want)
		}
	}
}

func TestWhatDoesNotExistIsNull(t *testing.T) {
	w := newWorld(t)
	user, chirp := domain.UserIDFrom([16]byte{1}), domain.ChirpIDFrom([16]byte{1})
	for _, q := range []string{
		fmt.Sprintf(`{ it: node(id: %q) { id } }`, user), fmt.Sprintf(`{ it: node(id: %q) { id } }`, chirp),
		fmt.Sprintf(`{ it: user(id: %q) { id } }`, user), `{ it: user(username: "nobody") { id } }`,
		fmt.Sprintf(`{ it: chirp(id: %q) { id } }`, chirp), `{ it: viewer { id } }`,
	} {
		if got := w.must("", q, nil); got.at("it") != nil || !strings.Contains(got.body, `"it":null`) {
			t.Errorf("%s: got %s, want null", q, got.body)
		}
	}
}

func TestReadAfterShowsWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for i := range 20 {
		position := w.post(ada, fmt.Sprint(i)).Position
		got := w.send("", `{ user(username: "ada") { chirpCount } }`, nil, http.Header{"Chirp-Read-After": {position.String()}})
		if got.at("user.chirpCount") != float64(i+1) {
			t.Fatalf("after position %d chirpCount is %v, want %d", position, got.at("user.chirpCount"), i+1)
		}
	}
}

func TestCommandsCarryTheRequestAndTraceIDs(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
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
			got := w.send(ada.token, `mutation { postChirp(input: {content: "hello"}) { position } }`, nil,
				http.Header{"X-Request-Id": {c.id}, "Traceparent": {c.parent}})
			event, echoed := w.log.last(), got.header.Get("X-Request-Id")
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
