package authtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// session returns a session that started some minutes after savedAt.
func session(n int) auth.Session {
	at := savedAt().Add(time.Duration(n) * time.Minute)
	return auth.Session{
		ID: auth.SessionID{0: byte(n >> 8), 15: byte(n)}, Started: at, Seen: at, Expires: at.Add(time.Hour),
		Client: auth.Client{Address: fmt.Sprint("192.0.2.", n), Agent: "$set {'a': \"☃\"}; --"},
	}
}

func add(t testing.TB, c auth.Credentials, user domain.UserID, sessions ...auth.Session) {
	t.Helper()
	for _, s := range sessions {
		if err := c.AddSession(t.Context(), user, s); err != nil {
			t.Fatalf("AddSession %d: %v", s.ID[15], err)
		}
	}
}

func wantAccess(t testing.TB, c auth.Credentials, user domain.UserID, want auth.Access) {
	t.Helper()
	got, err := c.Access(t.Context(), user)
	if err != nil {
		t.Fatalf("Access: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Access (-want +got): %s", diff)
	}
}

// must fails the test if a call returned an error.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// changes reads all changes from a number on.
func changes(t testing.TB, c auth.Credentials, since int64) (users []domain.UserID, last int64) {
	t.Helper()
	users, last, err := c.AccessChanges(t.Context(), since)
	must(t, "AccessChanges", err)
	return users, last
}

// wantChange checks that a call is a change of a user, after the others.
func wantChange(t testing.TB, c auth.Credentials, user domain.UserID, call func() error) {
	t.Helper()
	_, before := changes(t, c, math.MaxInt64)
	must(t, "the change", call())
	if got, last := changes(t, c, before+1); !slices.Equal(got, []domain.UserID{user}) || last <= before {
		t.Errorf("changes after %d: got %q up to %d, want %q", before, got, last, user)
	}
}

func accessIsZero(t testing.TB, open Open) {
	c := open(t)
	wantAccess(t, c, user(1), auth.Access{})
	save(t, c, user(1), "hash", savedAt())
	wantAccess(t, c, user(1), auth.Access{})
	if users, last := changes(t, c, 0); len(users) != 0 || last != 0 {
		t.Errorf("AccessChanges: got %q up to %d, want none", users, last)
	}
}

func addsSessions(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	add(t, c, user(1), session(1), session(2))
	add(t, c, user(2), session(3)) // without a credential
	wantAccess(t, c, user(1), auth.Access{Sessions: []auth.Session{session(1), session(2)}})
	wantAccess(t, c, user(2), auth.Access{Sessions: []auth.Session{session(3)}})
	wantHash(t, c, user(1), "hash")
	wantHash(t, c, user(2), "")
	if users, _ := changes(t, c, 0); len(users) != 0 {
		t.Errorf("AccessChanges: got %q, want none, because no token was made bad", users)
	}
	must(t, "DeleteCredential", c.DeleteCredential(t.Context(), user(1)))
	wantAccess(t, c, user(1), auth.Access{})
}

func refusesOldEpochs(t testing.TB, open Open) {
	c := open(t)
	refused := func(epoch int64) {
		t.Helper()
		s := session(9)
		s.Epoch = epoch
		if err := c.AddSession(t.Context(), user(1), s); !errors.Is(err, auth.ErrEpochMoved) {
			t.Errorf("AddSession at epoch %d: got error %v, want ErrEpochMoved", epoch, err)
		}
	}
	save(t, c, user(1), "hash", savedAt())
	refused(1)
	must(t, "EndSessions", c.EndSessions(t.Context(), user(1), auth.SessionID{}))
	refused(0)
	later := session(2)
	later.Epoch = 1
	add(t, c, user(1), later)
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(1), true))
	refused(1)
	refused(2)
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(1), false))
	later.Epoch = 2
	add(t, c, user(1), later)
	wantAccess(t, c, user(1), auth.Access{Epoch: 2, Sessions: []auth.Session{later}})
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(2), true)) // about whom nothing else is known
	if err := c.AddSession(t.Context(), user(2), session(1)); !errors.Is(err, auth.ErrEpochMoved) {
		t.Errorf("AddSession of a disabled user: got error %v, want ErrEpochMoved", err)
	}
}

func boundsSessions(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	all := make([]auth.Session, auth.MaxSessions+2)
	for i := range all {
		all[i] = session(i + 1)
	}
	add(t, c, user(1), all[:auth.MaxSessions]...)
	add(t, c, user(2), session(500))
	if users, _ := changes(t, c, 0); len(users) != 0 {
		t.Errorf("AccessChanges: got %q, want none before a session was removed", users)
	}
	for _, s := range all[auth.MaxSessions:] {
		wantChange(t, c, user(1), func() error { return c.AddSession(t.Context(), user(1), s) })
	}
	wantAccess(t, c, user(1), auth.Access{Sessions: all[2:]})
	wantAccess(t, c, user(2), auth.Access{Sessions: []auth.Session{session(500)}})
}

func seesSessions(t testing.TB, open Open) {
	c := open(t)
	add(t, c, user(1), session(1), session(2))
	seen := session(2)
	seen.Seen, seen.Client = savedAt().Add(time.Hour), auth.Client{Address: "2001:db8::/64", Agent: "other"}
	for _, id := range []auth.SessionID{seen.ID, session(3).ID} { // the latter has ended
		must(t, "SeeSession", c.SeeSession(t.Context(), user(1), id, seen.Seen, seen.Client))
	}
	must(t, "SeeSession", c.SeeSession(t.Context(), user(2), seen.ID, savedAt(), auth.Client{})) // not this user's
	wantAccess(t, c, user(1), auth.Access{Sessions: []auth.Session{session(1), seen}})
	wantAccess(t, c, user(2), auth.Access{})
}

func endsSession(t testing.TB, open Open) {
	c := open(t)
	add(t, c, user(1), session(1), session(2), session(3))
	add(t, c, user(2), session(4))
	wantChange(t, c, user(1), func() error { return c.EndSession(t.Context(), user(1), session(2).ID) })
	for _, id := range []auth.SessionID{session(2).ID, session(4).ID} { // which has ended, and is another user's
		must(t, "EndSession", c.EndSession(t.Context(), user(1), id))
	}
	wantAccess(t, c, user(1), auth.Access{Sessions: []auth.Session{session(1), session(3)}})
	wantAccess(t, c, user(2), auth.Access{Sessions: []auth.Session{session(4)}})
}

func endsSessions(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	add(t, c, user(1), session(1), session(2), session(3))
	add(t, c, user(2), session(4))
	wantChange(t, c, user(1), func() error { return c.EndSessions(t.Context(), user(1), session(2).ID) })
	wantAccess(t, c, user(1), auth.Access{Epoch: 1, Sessions: []auth.Session{session(2)}})
	wantChange(t, c, user(1), func() error { return c.EndSessions(t.Context(), user(1), auth.SessionID{}) })
	wantAccess(t, c, user(1), auth.Access{Epoch: 2})
	wantChange(t, c, user(3), func() error { return c.EndSessions(t.Context(), user(3), session(4).ID) }) // who has none
	wantAccess(t, c, user(3), auth.Access{Epoch: 1})
	wantAccess(t, c, user(2), auth.Access{Sessions: []auth.Session{session(4)}})
	wantHash(t, c, user(1), "hash")
	wantHash(t, c, user(3), "")
}

func replacesCredential(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "first", savedAt())
	save(t, c, user(2), "other", savedAt())
	must(t, "ConfirmCredential", c.ConfirmCredential(t.Context(), user(1)))
	add(t, c, user(1), session(1), session(2))
	wantChange(t, c, user(1), func() error {
		return c.ReplaceCredential(t.Context(), auth.Credential{User: user(1), Hash: "first"}, "second")
	})
	wantHash(t, c, user(1), "second")
	wantHash(t, c, user(2), "other")
	wantAccess(t, c, user(1), auth.Access{Epoch: 1})
	wantUnconfirmed(t, c, savedAt().Add(time.Hour), user(2))
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(3), true)) // who has no hash
	for _, without := range []domain.UserID{user(3), user(4)} {
		if err := c.ReplaceCredential(t.Context(), auth.Credential{User: without}, "hash"); !errors.Is(err, auth.ErrNoCredential) {
			t.Errorf("ReplaceCredential of a user without one: got error %v, want ErrNoCredential", err)
		}
	}
	wantHash(t, c, user(3), "")
	wantAccess(t, c, user(4), auth.Access{})
}

func replacesOnlyWhatWas(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	must(t, "EndSessions", c.EndSessions(t.Context(), user(1), auth.SessionID{}))
	_, last := changes(t, c, math.MaxInt64)
	refused := func(why, hash string, epoch int64) {
		t.Helper()
		was := auth.Credential{User: user(1), Hash: hash, Access: auth.Access{Epoch: epoch}}
		if err := c.ReplaceCredential(t.Context(), was, "next"); !errors.Is(err, auth.ErrEpochMoved) {
			t.Errorf("ReplaceCredential of %s: got error %v, want ErrEpochMoved", why, err)
		}
	}
	refused("another hash", "hast", 1)
	refused("no hash", "", 1)
	refused("an earlier epoch", "hash", 0)
	refused("a later epoch", "hash", 2)
	wantHash(t, c, user(1), "hash")
	wantAccess(t, c, user(1), auth.Access{Epoch: 1})
	if _, now := changes(t, c, math.MaxInt64); now != last {
		t.Errorf("refused changes have the numbers up to %d, want none after %d", now, last)
	}
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(1), true))
	refused("a disabled user", "hash", 2)
	must(t, "SetDisabled", c.SetDisabled(t.Context(), user(1), false))
	was := auth.Credential{User: user(1), Hash: "hash", Access: auth.Access{Epoch: 2}}
	must(t, "ReplaceCredential", c.ReplaceCredential(t.Context(), was, "next"))
	wantHash(t, c, user(1), "next")
	wantAccess(t, c, user(1), auth.Access{Epoch: 3})
}

// racesToReplace has a hash replaced many times at once, by callers who have all seen
// the same one.
func racesToReplace(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	errs := make([]error, 8)
	var g errgroup.Group
	for i := range errs {
		g.Go(func() error {
			errs[i] = c.ReplaceCredential(t.Context(), auth.Credential{User: user(1), Hash: "hash"}, fmt.Sprint("next ", i))
			return nil
		})
	}
	_ = g.Wait()
	won := slices.Index(errs, nil)
	if won < 0 {
		t.Fatalf("ReplaceCredential: got errors %v, want one without", errs)
	}
	for i, err := range errs {
		if i != won && !errors.Is(err, auth.ErrEpochMoved) {
			t.Errorf("ReplaceCredential beside another one: got error %v, want ErrEpochMoved", err)
		}
	}
	wantHash(t, c, user(1), fmt.Sprint("next ", won))
	wantAccess(t, c, user(1), auth.Access{Epoch: 1})
}

func disables(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	add(t, c, user(1), session(1))
	for n, who := range []domain.UserID{user(1), user(2)} { // the latter has no credential
		for i := range 2 {
			wantChange(t, c, who, func() error { return c.SetDisabled(t.Context(), who, true) })
			wantAccess(t, c, who, auth.Access{Epoch: int64(i + 1), Disabled: true})
		}
		for range 2 {
			wantChange(t, c, who, func() error { return c.SetDisabled(t.Context(), who, false) })
			wantAccess(t, c, who, auth.Access{Epoch: 2})
		}
		wantHash(t, c, who, []string{"hash", ""}[n])
	}
}

func removesExpired(t testing.TB, open Open) {
	c := open(t)
	add(t, c, user(1), session(1), session(2), session(3))
	add(t, c, user(2), session(1))
	must(t, "RemoveExpired", c.RemoveExpired(t.Context(), session(2).Expires))
	wantAccess(t, c, user(1), auth.Access{Sessions: []auth.Session{session(2), session(3)}})
	wantAccess(t, c, user(2), auth.Access{})
}

func numbersChanges(t testing.TB, open Open) {
	c := open(t)
	var numbers []int64
	for n := range 3 {
		must(t, "EndSessions", c.EndSessions(t.Context(), user(n), auth.SessionID{}))
		_, last := changes(t, c, math.MaxInt64)
		numbers = append(numbers, last)
	}
	for i, want := range [][]domain.UserID{{user(0), user(1), user(2)}, {user(1), user(2)}, {user(2)}} {
		if got, last := changes(t, c, numbers[i]); !slices.Equal(got, want) || last != numbers[2] {
			t.Errorf("changes from %d on: got %q up to %d, want %q up to %d", numbers[i], got, last, want, numbers[2])
		}
	}
	must(t, "EndSessions", c.EndSessions(t.Context(), user(0), auth.SessionID{})) // which takes another number
	if got, last := changes(t, c, numbers[0]); !slices.Equal(got, []domain.UserID{user(1), user(2), user(0)}) || last <= numbers[2] {
		t.Errorf("after another change of the first: got %q up to %d, want the first at the end", got, last)
	}
	if got, last := changes(t, c, numbers[2]+2); len(got) != 0 || last != numbers[2]+1 {
		t.Errorf("changes beyond the last: got %q up to %d, want none and %d", got, last, numbers[2]+1)
	}
}

// numbersOnlyOnce removes whatever has the last number, in every way in which that can
// happen, and checks that a server which has seen that number sees the next change.
func numbersOnlyOnce(t testing.TB, open Open) {
	c := open(t)
	must(t, "EndSessions", c.EndSessions(t.Context(), user(1), auth.SessionID{}))
	for i, remove := range []func(who domain.UserID) error{
		func(who domain.UserID) error { return c.DeleteCredential(t.Context(), who) },
		func(who domain.UserID) error {
			return c.Restore(t.Context(), nil, []auth.Credential{{User: who, Hash: "hash"}}, savedAt())
		},
		func(domain.UserID) error { return c.Discard(t.Context()) },
		func(domain.UserID) error { return c.Discard(t.Context()) },
	} {
		who, next := user(2*i+2), user(2*i+3)
		must(t, "EndSessions", c.EndSessions(t.Context(), who, auth.SessionID{}))
		_, before := changes(t, c, math.MaxInt64)
		must(t, "the removal", remove(who))
		if _, last := changes(t, c, before); last < before {
			t.Errorf("removal %d: got the last number %d, want at least %d", i, last, before)
		}
		must(t, "EndSessions", c.EndSessions(t.Context(), next, auth.SessionID{}))
		if got, last := changes(t, c, before+1); !slices.Contains(got, next) || last <= before {
			t.Errorf("removal %d: changes after %d: got %q up to %d, want that of %s", i, before, got, last, next)
		}
	}
	for i := range 8 {
		wantAccess(t, c, user(i+1), auth.Access{}) // all were discarded
	}
	wantAccess(t, c, user(9), auth.Access{Epoch: 1})
}

// racesForNumbers has many changes made at once, while a reader collects them. It must
// miss none.
func racesForNumbers(t testing.TB, open Open) {
	c := open(t)
	collects(t, c, func(who domain.UserID) error { return c.EndSessions(t.Context(), who, auth.SessionID{}) })
}

// racesToDelete is racesForNumbers with users deleted all the time who have just been
// changed.
func racesToDelete(t testing.TB, open Open) {
	c := open(t)
	collects(t, c, func(who domain.UserID) error {
		deleted := who + "d"
		return errors.Join(
			c.EndSessions(t.Context(), deleted, auth.SessionID{}),
			c.DeleteCredential(t.Context(), deleted),
			c.EndSessions(t.Context(), who, auth.SessionID{}),
		)
	})
}

// collects calls change for many users, some at once, while a reader collects the
// changes as a server does: each from the last one on that it has seen.
func collects(t testing.TB, c auth.Credentials, change func(who domain.UserID) error) {
	t.Helper()
	const each, of = 5, 8
	var g errgroup.Group
	for n := range of {
		g.Go(func() error {
			for i := range each {
				if err := change(user(n*each + i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	done := make(chan error, 1)
	go func() { done <- g.Wait() }()
	seen := map[domain.UserID]bool{}
	for last, ended := int64(0), false; ; {
		users, upTo, err := c.AccessChanges(t.Context(), last)
		must(t, "AccessChanges", err)
		for _, u := range users {
			seen[u] = true
		}
		if ended && upTo == last {
			break
		}
		last = upTo
		select {
		case err := <-done:
			must(t, "the changes", err)
			ended = true
		default:
		}
	}
	for i := range each * of {
		if !seen[user(i)] {
			t.Errorf("a reader has not seen the change of %s", user(i))
		}
	}
}

// numbersRacingChanges has many changes of one user made at once. Each must get a
// number of its own, because a server that has read one looks for greater ones.
func numbersRacingChanges(t testing.TB, open Open) {
	c := open(t)
	const each, of = 4, 6
	var g errgroup.Group
	for range of {
		g.Go(func() (err error) {
			for range each {
				err = errors.Join(err, c.EndSessions(t.Context(), user(1), auth.SessionID{}))
			}
			return err
		})
	}
	must(t, "EndSessions", g.Wait())
	wantAccess(t, c, user(1), auth.Access{Epoch: each * of})
	if _, last := changes(t, c, 0); last < each*of {
		t.Errorf("the last of %d changes has number %d, so some had the same", each*of, last)
	}
}

func restoresAccess(t testing.TB, open Open) {
	c := open(t)
	want := []auth.Credential{
		{User: user(1), Hash: "hash 1", Access: auth.Access{Epoch: 3, Sessions: []auth.Session{session(1), session(2)}}},
		{User: user(2), Hash: "hash 2", Access: auth.Access{Epoch: 1, Disabled: true}},
		{User: user(3), Hash: "hash 3"},
		{User: user(4), Access: auth.Access{Epoch: 1, Disabled: true}},
	}
	for range 2 {
		for _, was := range want { // more than is restored
			must(t, "EndSessions", c.EndSessions(t.Context(), was.User, auth.SessionID{}))
			other := session(9)
			other.Epoch = 1
			add(t, c, was.User, other)
		}
		must(t, "Restore", c.Restore(t.Context(), nil, want, savedAt()))
		wantAll(t, c, want)
		for _, r := range want {
			wantAccess(t, c, r.User, r.Access)
		}
		must(t, "Discard", c.Discard(t.Context()))
		wantAll(t, c, nil)
		for _, r := range want {
			wantAccess(t, c, r.User, auth.Access{})
		}
	}
}
