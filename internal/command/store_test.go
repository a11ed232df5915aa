package command_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/storage/sqlite"
)

// The same races on a real store. Nothing makes the callers wait until all have
// loaded, so the store and the scheduler decide how they interleave.
func TestRacesOnTheEmbeddedStore(t *testing.T) {
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	newHandler := func() *command.Handler {
		return &command.Handler{
			Events: store.Log(), Now: time.Now,
			NewID:          func() [16]byte { return uuid.Must(uuid.NewV7()) },
			SaveCredential: func(context.Context, domain.UserID, string) error { return nil },
		}
	}
	all := func(what string, refusal domain.Kind, call func(h *command.Handler) error) {
		t.Helper()
		wantOneWinner(t, what, refusal, func() error { return call(newHandler()) })
	}
	register := func(name string) func(h *command.Handler) error {
		return func(h *command.Handler) error {
			_, err := h.RegisterUser(t.Context(), command.RegisterUser{Username: name, Password: secret})
			return err
		}
	}
	all("RegisterUser ann", domain.UsernameTaken, register("Ann"))
	all("RegisterUser bob", domain.UsernameTaken, register("bob"))
	ann, bob := find(t, newHandler(), "ann"), find(t, newHandler(), "bob")
	for range 3 {
		all("FollowUser", domain.AlreadyFollowing, func(h *command.Handler) error {
			_, err := h.FollowUser(t.Context(), command.FollowUser{Follower: ann.ID, Followee: string(bob.ID)})
			return err
		})
		all("UnfollowUser", domain.NotFollowing, func(h *command.Handler) error {
			_, err := h.UnfollowUser(t.Context(), command.UnfollowUser{Follower: ann.ID, Followee: string(bob.ID)})
			return err
		})
	}
	if head, err := store.Log().Head(t.Context()); err != nil || head.Position != 10 {
		t.Errorf("got head %d, error %v; want 10: two accounts of two events each, three follows, three unfollows", head.Position, err)
	}
}

// wantOneWinner makes a call eight times at once, and checks that one succeeds
// and the others are refused with a kind.
func wantOneWinner(t *testing.T, what string, refusal domain.Kind, call func() error) {
	t.Helper()
	errs := make([]error, 8)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { errs[i] = call() })
	}
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantKind(t, what, err, refusal)
	}
	if won != 1 {
		t.Errorf("%s: got %d that succeeded, want 1", what, won)
	}
}

func find(t *testing.T, h *command.Handler, name string) command.User {
	t.Helper()
	u, err := h.FindUser(t.Context(), name)
	if err != nil {
		t.Fatalf("FindUser %s: %v", name, err)
	}
	return u
}
