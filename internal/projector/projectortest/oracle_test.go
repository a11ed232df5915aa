package projectortest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector/projectortest"
	"chirp/internal/readmodel"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// list returns a log of some facts, recorded one second apart.
func list(t testing.TB, facts ...domain.Event) []eventstore.Event {
	t.Helper()
	var events []eventstore.Event
	for i, fact := range facts {
		wireName, data, err := domain.EncodeEvent(fact)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, eventstore.Event{
			Position: domain.Position(i + 1), Type: wireName, Data: data,
			RecordedAt: start.Add(time.Duration(i+1) * time.Second),
		})
	}
	return events
}

func registered(user domain.UserID) domain.Event {
	return domain.UserRegistered{UserID: user, Username: domain.Username(user)}
}

func posted(id domain.ChirpID, by domain.UserID) domain.Event {
	return domain.ChirpPosted{ChirpID: id, AuthorID: by, Content: "hello"}
}

func followed(by, whom domain.UserID) domain.Event {
	return domain.UserFollowed{FollowerID: by, FolloweeID: whom}
}

func unfollowed(by, whom domain.UserID) domain.Event {
	return domain.UserUnfollowed{FollowerID: by, FolloweeID: whom}
}

func TestFeedHasTheChirpsOfFollowedUsers(t *testing.T) {
	events := list(t,
		registered("ann"), registered("bob"), registered("cy"), // 1 to 3
		posted("b1", "bob"), posted("a1", "ann"), posted("c1", "cy"), // 4 to 6
		followed("ann", "bob"), followed("ann", "cy"), // 7, 8
		posted("b2", "bob"), posted("c2", "cy"), // 9, 10
		unfollowed("ann", "bob"), posted("b3", "bob"), followed("ann", "bob"), // 11 to 13
		unfollowed("ann", "cy"), // 14
	)
	for _, c := range []struct {
		name    string
		through int
		viewer  domain.UserID
		want    []domain.ChirpID
	}{
		{"without follows the feed is empty, even of own chirps", 6, "ann", nil},
		{"a follow adds the chirps from before it", 7, "ann", []domain.ChirpID{"b1"}},
		{"authors are merged, newest first", 10, "ann", []domain.ChirpID{"c2", "b2", "c1", "b1"}},
		{"an unfollow removes all of an author's chirps", 12, "ann", []domain.ChirpID{"c2", "c1"}},
		{"another follow adds all of them again", 13, "ann", []domain.ChirpID{"b3", "c2", "b2", "c1", "b1"}},
		{"an unfollow leaves other authors' chirps", 14, "ann", []domain.ChirpID{"b3", "b2", "b1"}},
		{"a follow does not change the followee's feed", 14, "bob", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			feed, err := projectortest.Feed(events[:c.through], c.viewer)
			if err != nil {
				t.Fatal(err)
			}
			var got []domain.ChirpID
			for _, chirp := range feed {
				got = append(got, chirp.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("feed differs (-want +got):\n%s", diff)
			}
			whole, err := projectortest.Read(events)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(feed, whole.Through(domain.Position(c.through)).Feed(c.viewer)); diff != "" {
				t.Errorf("the oracle of all events returns another feed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRowsFollowTheCelebrityRule(t *testing.T) {
	oracle, err := projectortest.Read(list(t,
		registered("ann"), registered("bob"), registered("cy"), // 1 to 3
		posted("a1", "ann"),                           // 4
		followed("bob", "ann"), followed("cy", "ann"), // 5, 6
		posted("a2", "ann"),     // 7
		unfollowed("cy", "ann"), // 8
		posted("a3", "ann"),     // 9
	))
	if err != nil {
		t.Fatal(err)
	}
	at := func(p int) time.Time { return start.Add(time.Duration(p) * time.Second) }
	ann := readmodel.Profile{Key: 1, ID: "ann", Username: "ann", JoinedAt: at(1), Followers: 1, Chirps: 3, Pushed: 2, PullSource: true}
	want := projectortest.Rows{
		Profiles: []readmodel.Profile{
			ann,
			{Key: 2, ID: "bob", Username: "bob", JoinedAt: at(2), Following: 1},
			{Key: 3, ID: "cy", Username: "cy", JoinedAt: at(3)},
		},
		Chirps: []readmodel.Chirp{
			{Position: 4, ID: "a1", Author: 1, Content: "hello", PostedAt: at(4), Delivery: readmodel.Push},
			{Position: 7, ID: "a2", Author: 1, Content: "hello", PostedAt: at(7), Delivery: readmodel.Pull},
			{Position: 9, ID: "a3", Author: 1, Content: "hello", PostedAt: at(9), Delivery: readmodel.Push},
		},
		Follows: []readmodel.Follow{{Follower: 2, Followee: 1, Since: 5, Pull: true}},
	}
	if diff := cmp.Diff(want, oracle.Rows(projectortest.Rules{Threshold: 2})); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	before := oracle.Through(7).Rows(projectortest.Rules{Threshold: 2})
	if p := before.Profiles[0]; !p.Celebrity || p.Followers != 2 {
		t.Errorf("at position 7 ann is %+v, want a celebrity", p)
	}
	if got := before.Followers(1); len(got) != 2 || got[0].Follower != 3 || len(before.Following(1)) != 0 {
		t.Errorf("ann's followers are %+v, want newest first", got)
	}
}

func TestRowsSkipAllButTheLastGroups(t *testing.T) {
	facts := []domain.Event{registered("ann"), registered("bob")} // 1 and 2
	for range 4 {                                                 // 3 to 10
		facts = append(facts, posted("b", "bob"), posted("a", "ann"))
	}
	facts = append(facts, followed("ann", "bob"), posted("b", "bob"), followed("bob", "ann")) // 11 to 13
	oracle, err := projectortest.Read(list(t, facts...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		through  domain.Position
		backfill int
		profile  [2]readmodel.Split // bob's
		follow   readmodel.Split    // of bob
	}{
		{through: 11, backfill: 2, profile: [2]readmodel.Split{{Older: 5, Skipped: 2}, {Older: 9, Skipped: 4}}, follow: readmodel.Split{Older: 5, Skipped: 2}},
		{through: 13, backfill: 2, profile: [2]readmodel.Split{{Older: 5, Skipped: 2}, {Older: 9, Skipped: 4}}, follow: readmodel.Split{Older: 5, Skipped: 2}},
		{through: 13, backfill: 1, profile: [2]readmodel.Split{{Older: 9, Skipped: 4}, {Older: 12, Skipped: 5}}, follow: readmodel.Split{Older: 7, Skipped: 3}},
		{through: 13, backfill: 3, profile: [2]readmodel.Split{{}, {Older: 7, Skipped: 3}}},
		{through: 13, backfill: 0},
	} {
		rows := oracle.Through(c.through).Rows(projectortest.Rules{Threshold: 9, Backfill: c.backfill})
		if p := rows.Profiles[1]; p.Split != c.profile[0] || p.NextSplit != c.profile[1] {
			t.Errorf("groups of %d through %d: bob's splits are %v and %v, want %v", c.backfill, c.through, p.Split, p.NextSplit, c.profile)
		}
		if f := rows.Follows[0]; f.Followee != 2 || f.Split != c.follow {
			t.Errorf("groups of %d through %d: the follow is %+v, want the split %v", c.backfill, c.through, f, c.follow)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	facts := []domain.Event{registered("ann"), registered("bob"), followed("ann", "bob")}
	for range 100_000 {
		facts = append(facts, posted("b", "bob"))
	}
	events := list(b, facts...)
	for b.Loop() {
		feed, err := projectortest.Feed(events, "ann")
		if err != nil || len(feed) != 100_000 {
			b.Fatal(len(feed), err)
		}
	}
}
