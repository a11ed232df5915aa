package command_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func TestRegisterUserMakesAnAccount(t *testing.T) {
	w := newWorld()
	got, err := w.RegisterUser(t.Context(), command.RegisterUser{
		Meta:     command.Meta{CommandID: "c 1~", CorrelationID: "corr", TraceID: "trace"},
		Username: "Ann_1", Password: secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	joined := time.Date(2025, 3, 1, 11, 0, 0, 123_000_000, time.UTC)
	if got.User.Username != "Ann_1" || got.User.JoinedAt != joined || got.Position != 2 || got.Repeated {
		t.Errorf("got %+v, want Ann_1, joined %v, at position 2", got, joined)
	}
	if _, err := domain.ParseUserID(string(got.User.ID)); err != nil {
		t.Error(err)
	}
	if saved := w.credentials(); len(saved) != 1 || saved[got.User.ID] != secret {
		t.Errorf("got credentials %v, want the password under the new id", saved)
	}
	w.wantAppended(t, 0, "user.registered.v1", "username.reserved.v1")
	for i, stream := range []domain.StreamID{domain.UserStream(got.User.ID), "username:ann_1"} {
		e := w.log.all()[i]
		want := eventstore.Event{
			Position: domain.Position(i + 1), Stream: stream, Version: 1, Type: e.Type, RecordedAt: joined,
			Actor: "ann_1", CommandID: "c 1~", CorrelationID: "corr", TraceID: "trace",
		}
		if marked := e.Command != nil && e.Command.Events == 2; marked != (i == 0) {
			t.Errorf("event %d: got command mark %+v, want one for two events on the first alone", i+1, e.Command)
		}
		if e.Data, e.Command, want.Data = nil, nil, nil; fmt.Sprint(e) != fmt.Sprint(want) {
			t.Errorf("event %d: got %+v, want %+v", i+1, e, want)
		}
	}
}

func TestRegisterUserRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  command.RegisterUser
		kind domain.Kind
	}{
		{"no username", command.RegisterUser{Password: secret}, domain.Invalid},
		{"a long username", command.RegisterUser{Username: "abcdefghijklmnop", Password: secret}, domain.Invalid},
		{"a short password", command.RegisterUser{Username: "bob", Password: "1234567"}, domain.Invalid},
		{"a long command id", command.RegisterUser{Meta: as(strings.Repeat("x", 65)), Username: "bob", Password: secret}, domain.Invalid},
		{"a taken name", command.RegisterUser{Username: "Ann", Password: secret}, domain.UsernameTaken},
		{"a taken name in another case", command.RegisterUser{Username: "aNN", Password: secret}, domain.UsernameTaken},
		{"a taken name under a new command id", command.RegisterUser{Meta: as("new"), Username: "Ann", Password: secret}, domain.UsernameTaken},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.register(t, "Ann")
			got, err := w.RegisterUser(t.Context(), c.cmd)
			wantKind(t, "RegisterUser", err, c.kind)
			if got != (command.Registered{}) {
				t.Errorf("got %+v beside the error", got)
			}
			w.wantAppended(t, 2)
			if n := len(w.credentials()); n != 1 {
				t.Errorf("got %d credentials, want 1: a name that is taken must not cost a hash", n)
			}
		})
	}
}

func TestRegisterUserRepeated(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	cmd := command.RegisterUser{Meta: as("1"), Username: "Ann", Password: secret}
	first, err := w.RegisterUser(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	w.register(t, "bob")
	for name, password := range map[string]string{"with its password": secret, "with another": "another password"} {
		cmd.Password = password
		again, err := w.RegisterUser(ctx, cmd)
		if want := (command.Registered{User: first.User, Position: first.Position, Repeated: true}); err != nil || again != want {
			t.Errorf("RegisterUser again %s: got %+v, error %v; want %+v", name, again, err, want)
		}
	}
	if saved := w.credentials(); len(saved) != 2 || saved[first.User.ID] != secret {
		t.Errorf("got credentials %v, want the first password kept and no further one", saved)
	}
	cmd.Username = "ANN"
	_, err = w.RegisterUser(ctx, cmd)
	wantKind(t, "RegisterUser as ANN under the same id", err, domain.Conflict)
	w.wantAppended(t, 4)
}

func TestRegisterUserRacesForOneName(t *testing.T) {
	w := newWorld()
	const servers = 8
	var ready, done sync.WaitGroup
	ready.Add(servers)
	w.log.before = func(n int, _ eventstore.Append) error {
		if n <= servers { // all have found the name free by now
			ready.Done()
			ready.Wait()
		}
		return nil
	}
	results := make([]command.Registered, servers)
	errs := make([]error, servers)
	for i := range servers {
		h := w.newHandler(byte(i + 1))
		done.Go(func() {
			name := []string{"ann", "Ann", "ANN", "aNn"}[i%4]
			results[i], errs[i] = h.RegisterUser(t.Context(), command.RegisterUser{Username: name, Password: secret})
		})
	}
	done.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			if u, err := w.FindUser(t.Context(), "ann"); err != nil || u != results[i].User {
				t.Errorf("FindUser: got %+v, error %v; want the winner %+v", u, err, results[i].User)
			}
			continue
		}
		wantKind(t, "a loser", err, domain.UsernameTaken)
	}
	if won != 1 {
		t.Errorf("got %d winners, want 1", won)
	}
	w.wantAppended(t, 0, "user.registered.v1", "username.reserved.v1")
}

func TestRegisterUserRacesWithItsOwnRepeat(t *testing.T) {
	w := newWorld()
	var ready, done sync.WaitGroup
	ready.Add(2)
	w.log.before = func(int, eventstore.Append) error {
		ready.Done()
		ready.Wait()
		return nil
	}
	results := make([]command.Registered, 2)
	for i := range results {
		h := w.newHandler(byte(i + 1))
		done.Go(func() {
			var err error
			results[i], err = h.RegisterUser(t.Context(), command.RegisterUser{Meta: as("1"), Username: "ann", Password: secret})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if a, b := results[0], results[1]; a.User != b.User || a.Position != b.Position || a.Repeated == b.Repeated {
		t.Errorf("got %+v and %+v, want the same account, one of them repeated", a, b)
	}
	w.wantAppended(t, 0, "user.registered.v1", "username.reserved.v1")
}

// The password is then known to be right, because this call saved it.
func TestRegisterUserSentTwiceByItselfIsNoRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.log.after = func(n int) error {
			if n == 1 {
				return outage()
			}
			return nil
		}
		got, err := w.RegisterUser(t.Context(), command.RegisterUser{Meta: as("1"), Username: "ann", Password: secret})
		if err != nil || got.Repeated || w.log.appends != 2 {
			t.Errorf("got %+v after %d appends, error %v; want a first answer after 2", got, w.log.appends, err)
		}
	})
}

func TestRegisterUserSavesTheCredentialFirst(t *testing.T) {
	w := newWorld()
	w.log.before = func(int, eventstore.Append) error {
		if len(w.credentials()) != 1 {
			t.Error("the events were appended before the credential was saved")
		}
		return nil
	}
	w.register(t, "ann")

	full := errors.New("disk is full")
	w.SaveCredential = func(context.Context, domain.UserID, string) error { return full }
	if _, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: "bob", Password: secret}); !errors.Is(err, full) {
		t.Errorf("RegisterUser: got error %v, want %v", err, full)
	}
	w.wantAppended(t, 2)
}

func TestFindUserAndUser(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "Ann")
	other := w.newHandler(2) // has cached no user yet
	for _, name := range []string{"Ann", "ann", "ANN"} {
		if got, err := other.FindUser(t.Context(), name); err != nil || got != ann {
			t.Errorf("FindUser %s: got %+v, error %v; want %+v", name, got, err, ann)
		}
	}
	other = w.newHandler(3)
	for range 2 {
		if got, err := other.User(t.Context(), ann.ID); err != nil || got != ann {
			t.Errorf("User: got %+v, error %v; want %+v", got, err, ann)
		}
	}
	_, err := other.FindUser(t.Context(), "bob")
	wantKind(t, "FindUser bob", err, domain.NotFound)
	_, err = other.FindUser(t.Context(), "not a name")
	wantKind(t, "FindUser of no name", err, domain.Invalid)
	_, err = other.User(t.Context(), "user_00000000000000000000000000")
	wantKind(t, "User unknown", err, domain.NotFound)
	_, err = other.User(t.Context(), "")
	wantKind(t, "User of no id", err, domain.NotFound)

	w.log.loading = func(domain.StreamID) error { return outage() }
	_, err = w.newHandler(4).FindUser(t.Context(), "ann")
	wantKind(t, "FindUser in an outage", err, domain.Unavailable)
	_, err = w.newHandler(4).User(t.Context(), ann.ID)
	wantKind(t, "User in an outage", err, domain.Unavailable)
	if got, err := other.User(t.Context(), ann.ID); err != nil || got != ann {
		t.Errorf("User remembered: got %+v, error %v; want %+v", got, err, ann)
	}
}
