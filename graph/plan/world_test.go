package plan_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/internal/domain"
)

// world has resolvers whose results, faults included, depend only on their arguments and
// on a seed.
type world struct {
	seed uint64
	// faults is how many of a hundred calls return an error, nil or panic.
	faults uint64
}

var _ generated.ResolverRoot = world{}

func (w world) Chirp() generated.ChirpResolver               { return chirps{w} }
func (w world) Mutation() generated.MutationResolver         { return mutations{w} }
func (w world) Query() generated.QueryResolver               { return queries{w} }
func (w world) Subscription() generated.SubscriptionResolver { return subscriptions{w} }
func (w world) User() generated.UserResolver                 { return users{w} }

type (
	chirps        struct{ world }
	mutations     struct{ world }
	queries       struct{ world }
	subscriptions struct{ world }
	users         struct{ world }
)

// roll returns a number that depends on the seed and what is given.
func (w world) roll(of ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, of)
	return h.Sum64()
}

var errBroken = errors.New("it is broken")

// call returns what a resolver returns: a value, or nil, an error, or it panics.
func call[T any](w world, value *T, of ...any) (*T, error) {
	n := w.roll(of...)
	if n%100 >= w.faults {
		return value, nil
	}
	switch n / 100 % 5 {
	case 0:
		return nil, nil
	case 1:
		return value, fmt.Errorf("call %v: %w", of, errBroken)
	case 2:
		return nil, &domain.Error{Kind: domain.NotFound, Msg: fmt.Sprint("not found: ", of)}
	case 3:
		return nil, gqlerror.List{gqlerror.Errorf("first of %v", of), gqlerror.Errorf("second of %v", of)}
	default:
		panic(fmt.Sprint("panic at ", of))
	}
}

// must is call for a value that is no pointer.
func must[T any](w world, value T, of ...any) (T, error) {
	v, err := call(w, &value, of...)
	if v == nil {
		return value, err
	}
	return *v, err
}

// texts are values of strings, some of which need to be escaped.
var texts = []string{"", "hello", "a \"quoted\" \\ text", "line\nbreak\r\ttab", "\x00\x1f\x7f", "<b>&amp;</b> ünïcödé 🐦 \u2028", "broken \xff\xfe utf8"}

func (w world) text(of ...any) string { return texts[w.roll(of...)%uint64(len(texts))] }

func (w world) time(of ...any) time.Time {
	return time.UnixMilli(int64(w.roll(of...) % 4e12)).In(time.FixedZone("", 3600))
}

func (w world) user(of ...any) *model.User {
	n := w.roll(of...)
	return &model.User{ID: fmt.Sprint("user_", n%50), Username: w.text(n), JoinedAt: w.time(n)}
}

func (w world) chirp(of ...any) *model.Chirp {
	n := w.roll(of...)
	return &model.Chirp{ID: fmt.Sprint("chirp_", n%50), Content: w.text(n), PostedAt: w.time(n)}
}

func (w world) pageInfo(of ...any) model.PageInfo {
	n := w.roll(of...)
	p := model.PageInfo{HasNextPage: n&1 > 0, HasPreviousPage: n&2 > 0}
	if n&4 > 0 {
		p.StartCursor = new(w.text(n))
	}
	return p
}

func (w world) chirpEdge(of ...any) model.ChirpEdge {
	return model.ChirpEdge{Node: *w.chirp(of), Cursor: w.text(of, "cursor")}
}

func (w world) chirpsOf(of ...any) *model.ChirpConnection {
	c := &model.ChirpConnection{PageInfo: w.pageInfo(of)}
	for i := range w.roll(of, "rows") % 4 {
		c.Edges = append(c.Edges, w.chirpEdge(of, i))
	}
	return c
}

func (w world) usersOf(of ...any) *model.UserConnection {
	c := &model.UserConnection{PageInfo: w.pageInfo(of)}
	for i := range w.roll(of, "rows") % 4 {
		c.Edges = append(c.Edges, model.UserEdge{Node: *w.user(of, i), Cursor: w.text(of, i)})
	}
	return c
}

// plain replaces pointers by what they point to.
func plain(first *int, after *string, last *int, before *string) []any {
	return []any{deref(first), deref(after), deref(last), deref(before)}
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func (r chirps) Author(_ context.Context, c *model.Chirp) (*model.User, error) {
	return call(r.world, r.user("author", c.ID), "author", c.ID)
}

func (r users) FollowerCount(_ context.Context, u *model.User) (int, error) {
	return must(r.world, int(r.roll(u.ID, "n")%3000), "followerCount", u.ID)
}

func (r users) FollowingCount(_ context.Context, u *model.User) (int, error) {
	return must(r.world, -int(r.roll(u.ID, "n")%3000), "followingCount", u.ID)
}

func (r users) ChirpCount(context.Context, *model.User) (int, error) { return 0, nil }

func (r users) IsCelebrity(_ context.Context, u *model.User) (bool, error) {
	return must(r.world, r.roll(u.ID)&1 > 0, "isCelebrity", u.ID)
}

func (r users) ViewerFollows(_ context.Context, u *model.User) (bool, error) {
	return must(r.world, r.roll(u.ID)&1 > 0, "viewerFollows", u.ID)
}

func (r users) Chirps(_ context.Context, u *model.User, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.chirpsOf(u.ID, page), "chirps", u.ID, page)
}

func (r users) Followers(_ context.Context, u *model.User, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.usersOf(u.ID, page), "followers", u.ID, page)
}

func (r users) Following(_ context.Context, u *model.User, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.usersOf(u.ID, page, "following"), "following", u.ID, page)
}

func (r users) Sessions(_ context.Context, u *model.User) ([]model.Session, error) {
	all, err := call(r.world, &[]model.Session{{ID: "session_1", StartedAt: r.time(1), Address: "::"}, {ID: "session_2", UserAgent: r.text(u.ID)}}, "sessions", u.ID)
	if all == nil {
		return nil, err
	}
	return *all, err
}

func (r queries) Node(_ context.Context, id string) (model.Node, error) {
	switch r.roll("node", id) % 3 {
	case 0:
		return call(r.world, r.user(id), "node", id)
	case 1:
		return call(r.world, r.chirp(id), "node", id)
	default:
		return nil, nil
	}
}

func (r queries) Chirp(_ context.Context, id string) (*model.Chirp, error) {
	return call(r.world, r.chirp(id), "chirp", id)
}

func (r queries) Feed(_ context.Context, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.chirpsOf(page), "feed", page)
}

func (r queries) RecentChirps(_ context.Context, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.chirpsOf(page, "recent"), "recentChirps", page)
}

func (r queries) RecentUsers(_ context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	page := plain(first, after, last, before)
	return call(r.world, r.usersOf(page), "recentUsers", page)
}

func (r queries) Viewer(context.Context) (*model.User, error) {
	return call(r.world, r.user("viewer"), "viewer")
}

func (r queries) User(_ context.Context, id, username *string) (*model.User, error) {
	return call(r.world, r.user(deref(id), deref(username)), "user", deref(id), deref(username))
}

func (r mutations) FollowUser(_ context.Context, in model.FollowUserInput) (*model.FollowUserPayload, error) {
	of := []any{in.UserID, deref(in.CommandID)}
	return call(r.world, &model.FollowUserPayload{RelationshipID: r.text(of), Followee: *r.user(of), Position: 7}, of...)
}

func (r mutations) UnfollowUser(_ context.Context, in model.UnfollowUserInput) (*model.UnfollowUserPayload, error) {
	of := []any{in.UserID, deref(in.CommandID), "not"}
	return call(r.world, &model.UnfollowUserPayload{RelationshipID: r.text(of), Followee: *r.user(of), Position: 8}, of...)
}

func (r mutations) RegisterUser(_ context.Context, in model.RegisterUserInput) (*model.RegisterUserPayload, error) {
	of := []any{in.Username, deref(in.Password), deref(in.CommandID)}
	return call(r.world, &model.RegisterUserPayload{User: *r.user(of), Token: in.Password, Position: -1}, of...)
}

func (r mutations) LogIn(_ context.Context, in model.LogInInput) (*model.LogInPayload, error) {
	return call(r.world, &model.LogInPayload{User: *r.user(in.Username), Token: in.Password}, in.Username, in.Password)
}

func (r mutations) PostChirp(_ context.Context, in model.PostChirpInput) (*model.PostChirpPayload, error) {
	of := []any{in.Content, deref(in.CommandID)}
	return call(r.world, &model.PostChirpPayload{Chirp: *r.chirp(of), Position: 9}, of...)
}

func (r mutations) ChangePassword(_ context.Context, in model.ChangePasswordInput) (*model.ChangePasswordPayload, error) {
	return call(r.world, &model.ChangePasswordPayload{Token: in.CurrentPassword + in.NewPassword}, in.NewPassword)
}

func (r mutations) EndSession(_ context.Context, in model.EndSessionInput) (*model.EndSessionPayload, error) {
	return call(r.world, &model.EndSessionPayload{SessionID: in.SessionID, User: *r.user("me")}, in.SessionID)
}

func (r mutations) EndAllSessions(_ context.Context, in model.EndAllSessionsInput) (*model.EndAllSessionsPayload, error) {
	return call(r.world, &model.EndAllSessionsPayload{User: *r.user(in.KeepCurrent)}, "all", in.KeepCurrent)
}

// sent returns a channel with some items, or a fault.
func sent[T any](w world, item func(i int) *T, of ...any) (<-chan *T, error) {
	out := make(chan *T, 3)
	for i := range 3 {
		out <- item(i)
	}
	close(out)
	_, err := call(w, &out, of...)
	return out, err
}

func (r subscriptions) ProfileUpdated(_ context.Context, userID string) (<-chan *model.User, error) {
	return sent(r.world, func(i int) *model.User { return r.user(userID, i) }, "profileUpdated", userID)
}

func (r subscriptions) FeedChirpAdded(_ context.Context, after *string) (<-chan *model.ChirpEdge, error) {
	return sent(r.world, func(i int) *model.ChirpEdge {
		if slices.Contains([]uint64{0}, r.roll("nil", i)%10) {
			return nil
		}
		return new(r.chirpEdge(deref(after), i))
	}, "feedChirpAdded", deref(after))
}
