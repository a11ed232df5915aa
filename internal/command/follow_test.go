package command_test

import (
	"errors"
	"sync"
	"testing"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// TestStreamsOfANewerVersionAreLeftAlone loads streams whose last event this
// program cannot decode.
func TestStreamsOfANewerVersionAreLeftAlone(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	follow := command.FollowUser{Follower: ann.ID, Followee: string(bob.ID)}
	if _, err := w.FollowUser(ctx, follow); err != nil {
		t.Fatal(err)
	}
	w.log.Tamper(w.head(), func(e *eventstore.Event) { e.Type = "user.followed.v2" })
	before := w.head()
	_, err := w.FollowUser(ctx, follow)
	wantKind(t, "FollowUser", err, domain.Unavailable)
	_, err = w.UnfollowUser(ctx, command.UnfollowUser(follow))
	wantKind(t, "UnfollowUser", err, domain.Unavailable)
	w.wantAppended(t, before)
}

func TestFollowAndUnfollow(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	follow := command.FollowUser{Follower: ann.ID, Followee: string(bob.ID)}
	unfollow := command.UnfollowUser(follow)
	want := command.Followed{RelationshipID: "follow:" + string(ann.ID) + ":" + string(bob.ID), Followee: bob}
	for range 2 {
		want.Position = w.head() + 1
		if got, err := w.FollowUser(ctx, follow); err != nil || got != want {
			t.Errorf("FollowUser: got %+v, error %v; want %+v", got, err, want)
		}
		_, err := w.FollowUser(ctx, follow)
		wantKind(t, "FollowUser twice", err, domain.AlreadyFollowing)
		want.Position = w.head() + 1
		if got, err := w.UnfollowUser(ctx, unfollow); err != nil || got != want {
			t.Errorf("UnfollowUser: got %+v, error %v; want %+v", got, err, want)
		}
		_, err = w.UnfollowUser(ctx, unfollow)
		wantKind(t, "UnfollowUser twice", err, domain.NotFollowing)
	}
	if w.log.lookUps != 0 {
		t.Errorf("got %d look-ups, want none for commands without an id of the caller's", w.log.lookUps)
	}
	w.wantAppended(t, 4, "user.followed.v1", "user.unfollowed.v1", "user.followed.v1", "user.unfollowed.v1")
	for i, e := range w.log.all()[4:] {
		if e.Stream != domain.FollowStream(ann.ID, bob.ID) || e.Version != int64(i)+1 || e.Actor != string(ann.ID) {
			t.Errorf("got event %+v, want version %d of the two's stream, by ann", e, i+1)
		}
	}
}

func TestFollowRefuses(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	for _, c := range []struct {
		name     string
		cmd      command.FollowUser
		follow   domain.Kind
		unfollow domain.Kind
	}{
		{"a malformed id", command.FollowUser{Follower: ann.ID, Followee: "bob"}, domain.Invalid, domain.Invalid},
		{"a chirp", command.FollowUser{Follower: ann.ID, Followee: "chirp_01h455vb4pex5vsknk084sn02q"}, domain.Invalid, domain.Invalid},
		{"no id", command.FollowUser{Follower: ann.ID}, domain.Invalid, domain.Invalid},
		{"a malformed command id", command.FollowUser{Meta: as("\t"), Follower: ann.ID, Followee: string(bob.ID)}, domain.Invalid, domain.Invalid},
		{"oneself", command.FollowUser{Follower: ann.ID, Followee: string(ann.ID)}, domain.Invalid, domain.NotFollowing},
		{"an unknown user", command.FollowUser{Follower: ann.ID, Followee: string(stranger)}, domain.NotFound, domain.NotFound},
		{"an unknown user, under a command id", command.FollowUser{Meta: as("1"), Follower: ann.ID, Followee: string(stranger)}, domain.NotFound, domain.NotFound},
		{"an anonymous caller", command.FollowUser{Followee: string(bob.ID)}, domain.Unauthenticated, domain.Unauthenticated},
		{"by a stranger", command.FollowUser{Follower: stranger, Followee: string(bob.ID)}, domain.Unauthenticated, domain.Unauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.FollowUser(t.Context(), c.cmd)
			wantKind(t, "FollowUser", err, c.follow)
			_, err = w.UnfollowUser(t.Context(), command.UnfollowUser(c.cmd))
			wantKind(t, "UnfollowUser", err, c.unfollow)
			w.wantAppended(t, 4)
		})
	}
}

func TestFollowRepeatedGivesTheFirstAnswer(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	follow := command.FollowUser{Meta: as("f"), Follower: ann.ID, Followee: string(bob.ID)}
	unfollow := command.UnfollowUser{Meta: as("u"), Follower: ann.ID, Followee: string(bob.ID)}
	followed, err := w.FollowUser(ctx, follow)
	if err != nil {
		t.Fatal(err)
	}
	followed.Repeated = true
	wantFollowed := func(when string) {
		t.Helper()
		if got, err := w.newHandler(2).FollowUser(ctx, follow); err != nil || got != followed {
			t.Errorf("FollowUser again %s: got %+v, error %v; want %+v", when, got, err, followed)
		}
	}
	wantFollowed("while following")
	unfollowed, err := w.UnfollowUser(ctx, unfollow)
	if err != nil {
		t.Fatal(err)
	}
	unfollowed.Repeated = true
	wantFollowed("after the unfollow") // which the rules would allow by now
	if got, err := w.UnfollowUser(ctx, unfollow); err != nil || got != unfollowed {
		t.Errorf("UnfollowUser again: got %+v, error %v; want %+v", got, err, unfollowed)
	}
	w.wantAppended(t, 4, "user.followed.v1", "user.unfollowed.v1")

	carol := w.register(t, "carol")
	for name, cmd := range map[string]command.FollowUser{
		"another followee":          {Meta: as("f"), Follower: ann.ID, Followee: string(carol.ID)},
		"an unknown followee":       {Meta: as("f"), Follower: ann.ID, Followee: string(stranger)},
		"the unfollow's command id": {Meta: as("u"), Follower: ann.ID, Followee: string(bob.ID)},
	} {
		_, err = w.FollowUser(ctx, cmd)
		wantKind(t, "FollowUser with "+name, err, domain.Conflict)
	}
	_, err = w.UnfollowUser(ctx, command.UnfollowUser{Meta: as("f"), Follower: ann.ID, Followee: string(bob.ID)})
	wantKind(t, "UnfollowUser with the follow's command id", err, domain.Conflict)
	_, err = w.PostChirp(ctx, command.PostChirp{Meta: as("f"), Author: ann.ID, Content: string(bob.ID)})
	wantKind(t, "PostChirp with the follow's command id", err, domain.Conflict)
	w.wantAppended(t, 6, "user.registered.v1", "username.reserved.v1")
}

// A call that loses the race for the stream's version must decide again and find
// that the follow exists.
func TestFollowsRace(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	const servers = 8
	errs := race(w, servers, func(h *command.Handler) error {
		_, err := h.FollowUser(t.Context(), command.FollowUser{Follower: ann.ID, Followee: string(bob.ID)})
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantKind(t, "a loser", err, domain.AlreadyFollowing)
	}
	if won != 1 {
		t.Errorf("got %d that followed, want 1", won)
	}
	w.wantAppended(t, 4, "user.followed.v1")
}

// race makes a call on each of several servers, all of which have loaded before
// the first appends.
func race(w *world, servers int, call func(h *command.Handler) error) []error {
	var ready, done sync.WaitGroup
	ready.Add(servers)
	begin := w.log.appends
	w.log.before = func(n int, _ eventstore.Append) error {
		if n <= begin+servers {
			ready.Done()
			ready.Wait()
		}
		return nil
	}
	errs := make([]error, servers)
	for i := range servers {
		h := w.newHandler(byte(i + 2))
		done.Go(func() { errs[i] = call(h) })
	}
	done.Wait()
	return errs
}

func TestARepeatThatRacesWithItsFirstGetsTheSameAnswer(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	var mu sync.Mutex
	var repeated int
	errs := race(w, 4, func(h *command.Handler) error {
		got, err := h.FollowUser(t.Context(), command.FollowUser{Meta: as("1"), Follower: ann.ID, Followee: string(bob.ID)})
		mu.Lock()
		defer mu.Unlock()
		if got.Repeated {
			repeated++
		}
		if got.Position != 5 {
			t.Errorf("got position %d, want 5", got.Position)
		}
		return err
	})
	if err := errors.Join(errs...); err != nil || repeated != 3 {
		t.Errorf("got %d repeated, error %v; want 3", repeated, err)
	}
	w.wantAppended(t, 4, "user.followed.v1")
}

// A repeat that loads after its first has committed is refused by the rules;
// a look-up from before would have missed that commit.
func TestARepeatThatIsOvertakenByItsFirstGetsTheSameAnswer(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	cmd := command.FollowUser{Meta: as("1"), Follower: ann.ID, Followee: string(bob.ID)}
	overtaken := false
	w.log.loading = func(stream domain.StreamID) error {
		if stream != domain.FollowStream(ann.ID, bob.ID) || overtaken {
			return nil
		}
		overtaken = true
		_, err := w.newHandler(2).FollowUser(t.Context(), cmd)
		return err
	}
	got, err := w.FollowUser(t.Context(), cmd)
	if err != nil || !overtaken || !got.Repeated || got.Position != 5 {
		t.Errorf("got %+v, error %v; want the first answer, repeated", got, err)
	}
}
