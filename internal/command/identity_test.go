package command_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

const issuer = "https://issuer.example"

func identity(subject string) domain.Identity {
	return domain.Identity{Issuer: issuer, Subject: subject}
}

func TestAnIdentityIsReservedInTheSameAppend(t *testing.T) {
	w := newWorld()
	got, err := w.RegisterUser(t.Context(), command.RegisterUser{Meta: as("1"), Username: "Ann", Identity: identity("ann@issuer")})
	if err != nil || got.Position != 3 || got.User.Username != "Ann" || got.Repeated {
		t.Fatalf("got %+v, error %v; want Ann at position 3", got, err)
	}
	w.wantAppended(t, 0, "user.registered.v1", "username.reserved.v1", "identity.reserved.v1")
	stream := domain.IdentityStream(identity("ann@issuer"))
	last := w.log.all()[2]
	if last.Stream != stream || last.Actor != string(stream) || w.log.appends != 1 {
		t.Errorf("got %+v after %d appends, want the identity's stream, and it as the actor, in one", last, w.log.appends)
	}
	if n := len(w.credentials()); n != 0 {
		t.Errorf("got %d credentials, want none", n)
	}
	for _, h := range []*command.Handler{w.Handler, w.newHandler(2)} {
		for range 2 {
			if user, err := h.FindIdentity(t.Context(), identity("ann@issuer")); err != nil || user != got.User.ID {
				t.Errorf("FindIdentity: got %q, error %v; want %q", user, err, got.User.ID)
			}
		}
	}
	_, err = w.FindIdentity(t.Context(), identity("ANN@issuer"))
	wantKind(t, "FindIdentity of a subject in another case", err, domain.NotFound)
	_, err = w.FindIdentity(t.Context(), domain.Identity{Issuer: "https://other.example", Subject: "ann@issuer"})
	wantKind(t, "FindIdentity of another issuer's", err, domain.NotFound)
}

func TestAnIdentityIsRemembered(t *testing.T) {
	w := newWorld()
	if _, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: "ann", Identity: identity("ann")}); err != nil {
		t.Fatal(err)
	}
	h := w.newHandler(2)
	before := w.log.loads
	for range 5 {
		if _, err := h.FindIdentity(t.Context(), identity("ann")); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.log.loads - before; got != 1 {
		t.Errorf("got %d loads for five look-ups, want 1", got)
	}
	// An identity without an account is not cached: it may get one at any moment.
	_, err := h.FindIdentity(t.Context(), identity("bob"))
	wantKind(t, "FindIdentity", err, domain.NotFound)
	bob, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: "bob", Identity: identity("bob")})
	if err != nil {
		t.Fatal(err)
	}
	if user, err := h.FindIdentity(t.Context(), identity("bob")); err != nil || user != bob.User.ID {
		t.Errorf("FindIdentity after the registration: got %q, error %v; want %q", user, err, bob.User.ID)
	}
	w.log.loading = func(domain.StreamID) error { return outage() }
	_, err = w.newHandler(3).FindIdentity(t.Context(), identity("ann"))
	wantKind(t, "FindIdentity in an outage", err, domain.Unavailable)
}

func TestRegistrationByIdentityRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  command.RegisterUser
		kind domain.Kind
	}{
		{"a password beside it", command.RegisterUser{Username: "bob", Password: secret, Identity: identity("bob")}, domain.Invalid},
		{"neither", command.RegisterUser{Username: "bob"}, domain.Invalid},
		{"no subject", command.RegisterUser{Username: "bob", Identity: identity("")}, domain.Invalid},
		{"a long subject", command.RegisterUser{Username: "bob", Identity: identity(strings.Repeat("x", 256))}, domain.Invalid},
		{"a taken name", command.RegisterUser{Username: "ANN", Identity: identity("bob")}, domain.UsernameTaken},
		{"an identity that has an account", command.RegisterUser{Username: "bob", Identity: identity("ann")}, domain.Conflict},
		{"the same under a new command id", command.RegisterUser{Meta: as("2"), Username: "bob", Identity: identity("ann")}, domain.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			if _, err := w.RegisterUser(t.Context(), command.RegisterUser{Meta: as("1"), Username: "ann", Identity: identity("ann")}); err != nil {
				t.Fatal(err)
			}
			got, err := w.RegisterUser(t.Context(), c.cmd)
			wantKind(t, "RegisterUser", err, c.kind)
			if got != (command.Registered{}) {
				t.Errorf("got %+v beside the error", got)
			}
			w.wantAppended(t, 3)
		})
	}
}

func TestARepeatBelongsToTheIdentity(t *testing.T) {
	w := newWorld()
	cmd := command.RegisterUser{Meta: as("1"), Username: "ann", Identity: identity("ann")}
	first, err := w.RegisterUser(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.newHandler(2).RegisterUser(t.Context(), cmd)
	if err != nil || again.User != first.User || again.Position != first.Position || !again.Repeated {
		t.Errorf("again: got %+v, error %v; want the first answer %+v, repeated", again, err, first)
	}
	// A caller who overheard the command id cannot use it.
	cmd.Identity = identity("eve")
	_, err = w.RegisterUser(t.Context(), cmd)
	wantKind(t, "another identity with that command id", err, domain.UsernameTaken)
	_, err = w.RegisterUser(t.Context(), command.RegisterUser{Meta: as("1"), Username: "ann", Password: secret})
	wantKind(t, "another caller with a password and that command id", err, domain.UsernameTaken)
	cmd.Identity, cmd.Username = identity("ann"), "ann2"
	_, err = w.RegisterUser(t.Context(), cmd)
	wantKind(t, "another name under that command id", err, domain.Conflict)
	w.wantAppended(t, 3)
}

func TestOneIdentityRacesForTwoNames(t *testing.T) {
	w := newWorld()
	const servers = 8
	var ready, done sync.WaitGroup
	ready.Add(servers)
	w.log.before = func(n int, _ eventstore.Append) error {
		if n <= servers { // all have found name and identity free by now
			ready.Done()
			ready.Wait()
		}
		return nil
	}
	errs := make([]error, servers)
	for i := range servers {
		h := w.newHandler(byte(i + 1))
		done.Go(func() {
			_, errs[i] = h.RegisterUser(t.Context(), command.RegisterUser{Username: fmt.Sprint("ann", i), Identity: identity("ann")})
		})
	}
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantKind(t, "a loser", err, domain.Conflict)
	}
	if won != 1 {
		t.Errorf("got %d accounts of one identity, want 1", won)
	}
	w.wantAppended(t, 0, "user.registered.v1", "username.reserved.v1", "identity.reserved.v1")
}
