package command_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// calls returns one command of each kind, none of which the log has seen. Each
// reports whether its result was that of an earlier call.
func calls(w *world, ann, bob command.User) map[string]func(ctx context.Context, meta command.Meta) (repeated bool, err error) {
	return map[string]func(ctx context.Context, meta command.Meta) (bool, error){
		"RegisterUser": func(ctx context.Context, meta command.Meta) (bool, error) {
			r, err := w.RegisterUser(ctx, command.RegisterUser{Meta: meta, Username: "carol", Password: secret})
			return r.Repeated, err
		},
		"PostChirp": func(ctx context.Context, meta command.Meta) (bool, error) {
			r, err := w.PostChirp(ctx, command.PostChirp{Meta: meta, Author: ann.ID, Content: "hi"})
			return r.Repeated, err
		},
		"FollowUser": func(ctx context.Context, meta command.Meta) (bool, error) {
			r, err := w.FollowUser(ctx, command.FollowUser{Meta: meta, Follower: ann.ID, Followee: string(bob.ID)})
			return r.Repeated, err
		},
		"UnfollowUser": func(ctx context.Context, meta command.Meta) (bool, error) {
			r, err := w.UnfollowUser(ctx, command.UnfollowUser{Meta: meta, Follower: bob.ID, Followee: string(ann.ID)})
			return r.Repeated, err
		},
	}
}

// commands returns the names of the Handler's methods that carry out a command:
// those that take a struct with a Meta.
func commands() (names []string) {
	for m := range reflect.TypeFor[*command.Handler]().Methods() {
		if m.Type.NumIn() != 3 || m.Type.In(2).Kind() != reflect.Struct {
			continue
		}
		if _, carries := m.Type.In(2).FieldByName("Meta"); carries {
			names = append(names, m.Name)
		}
	}
	return names
}

// eachCommand runs a test on every kind of command, in a world where ann and bob
// exist and bob follows ann, and on a fake clock.
func eachCommand(t *testing.T, test func(t *testing.T, w *world, call func(ctx context.Context, meta command.Meta) (bool, error))) {
	for _, name := range commands() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ann, bob := w.register(t, "ann"), w.register(t, "bob")
				if _, err := w.FollowUser(t.Context(), command.FollowUser{Follower: bob.ID, Followee: string(ann.ID)}); err != nil {
					t.Fatal(err)
				}
				w.log.appends = 0
				call, ok := calls(w, ann, bob)[name]
				if !ok {
					t.Fatalf("calls has no %s", name)
				}
				test(t, w, call)
			})
		})
	}
}

// once checks that the log has the command's events once, however often it was
// sent.
func (w *world) once(t *testing.T) {
	t.Helper()
	names := w.log.types(5)
	want := 1
	if len(names) > 0 && names[0] == "user.registered.v1" {
		want = 2 // the reservation goes with it
	}
	if len(names) != want {
		t.Errorf("appended: got %v, want the command's events once", names)
	}
}

func TestAnAppendOfUnknownOutcomeIsSentAgain(t *testing.T) {
	for name, outcome := range map[string]error{"outage": outage(), "time-out in the store": context.DeadlineExceeded} {
		t.Run("committed, then "+name, func(t *testing.T) {
			eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
				w.log.after = func(n int) error {
					if n < 3 {
						return outcome
					}
					return nil
				}
				if _, err := call(t.Context(), as("")); err != nil {
					t.Error(err)
				}
				w.once(t)
			})
		})
		t.Run("not committed, then "+name, func(t *testing.T) {
			eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
				w.log.before = func(n int, _ eventstore.Append) error {
					if n < 3 {
						return outcome
					}
					return nil
				}
				if repeated, err := call(t.Context(), as("1")); err != nil || repeated {
					t.Errorf("got repeated %t, error %v", repeated, err)
				}
				w.once(t)
			})
		})
	}
}

func TestALongOutageEndsAsUnavailable(t *testing.T) {
	eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
		w.log.after = func(int) error { return outage() }
		_, err := call(t.Context(), as("my id"))
		wantKind(t, "in the outage", err, domain.Unavailable)
		var told *domain.Error
		if !errors.As(err, &told) || !strings.Contains(told.Msg, `commandId "my id" is safe`) {
			t.Errorf("got message %v, want one that says how to repeat the command", told)
		}
		if w.log.appends < 2 || w.log.appends > 10 {
			t.Errorf("got %d appends, want a few", w.log.appends)
		}
		w.log.after = nil
		if repeated, err := call(t.Context(), as("my id")); err != nil || !repeated {
			t.Errorf("after the outage: got repeated %t, error %v; want the first answer", repeated, err)
		}
		w.once(t)
	})
}

func TestAnAppendThatCertainlyFailedIsReportedAsSuch(t *testing.T) {
	for name, c := range map[string]struct {
		answers []error // the last one from then on
		want    string
	}{
		"nothing was appended":                       {[]error{eventstore.NotAppended(outage())}, "nothing was done; try again later: the store is away"},
		"nothing was, because time ran out":          {[]error{eventstore.NotAppended(context.DeadlineExceeded)}, "nothing was done because the store did not answer in time"},
		"one attempt may have been, the others none": {[]error{outage(), eventstore.NotAppended(outage())}, "it is not known whether this was done"},
	} {
		t.Run(name, func(t *testing.T) {
			eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
				w.log.before = func(n int, _ eventstore.Append) error { return c.answers[min(n, len(c.answers))-1] }
				_, err := call(t.Context(), as(""))
				wantKind(t, "in the outage", err, domain.Unavailable)
				var told *domain.Error
				if !errors.As(err, &told) || !strings.HasPrefix(told.Msg, c.want) {
					t.Errorf("got message %v, want %q", told, c.want)
				}
			})
		})
	}
}

func TestACallThatEndsInAnOutageSaysSo(t *testing.T) {
	eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
		ctx, cancel := context.WithCancel(t.Context())
		w.log.after = func(int) error {
			cancel()
			return ctx.Err()
		}
		_, err := call(ctx, as("1"))
		wantKind(t, "as ctx ended", err, domain.Unavailable)
		if !errors.Is(err, context.Canceled) || w.log.appends != 1 {
			t.Errorf("got error %v after %d appends, want context.Canceled after 1", err, w.log.appends)
		}
	})
}

func TestADefiniteFailureIsNotSentAgain(t *testing.T) {
	broken := errors.New("broken")
	eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
		w.log.before = func(int, eventstore.Append) error { return broken }
		if _, err := call(t.Context(), as("1")); !errors.Is(err, broken) || w.log.appends != 1 {
			t.Errorf("got error %v after %d appends, want %v after 1", err, w.log.appends, broken)
		}
	})
}

func TestACommandThatLosesEveryRaceGivesUp(t *testing.T) {
	eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
		w.log.before = func(_ int, a eventstore.Append) error {
			return &eventstore.ConflictError{Stream: a.Events[0].Stream, Actual: 7}
		}
		_, err := call(t.Context(), as("1"))
		wantKind(t, "losing", err, domain.Unavailable)
		if w.log.appends != 16 {
			t.Errorf("got %d appends, want 16", w.log.appends)
		}
		if w.saves > 3 {
			t.Errorf("got %d credentials saved, want one for all tries", w.saves-2)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.log.appends = 0
		if _, err := call(ctx, as("2")); !errors.Is(err, context.Canceled) || w.log.appends > 1 {
			t.Errorf("got error %v after %d appends, want context.Canceled after at most 1", err, w.log.appends)
		}
	})
}

func TestAnOutageOfReadsIsReported(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	w.log.loading = func(domain.StreamID) error { return outage() }
	for name, call := range calls(w, ann, bob) {
		if name == "PostChirp" { // loads nothing: the author is remembered
			continue
		}
		_, err := call(t.Context(), as("1"))
		wantKind(t, name, err, domain.Unavailable)
	}
	if w.log.lookUps != 0 {
		t.Errorf("got %d look-ups, want none: nothing was decided", w.log.lookUps)
	}
	w.wantAppended(t, 4)
}

// Fingerprints are stored in the log: computed differently, they would turn
// repeats of old commands into conflicts.
func TestFingerprintsStay(t *testing.T) {
	want := map[string]string{
		"RegisterUser": "ebDPm54w-zqhiBsxzmbC7w",
		"PostChirp":    "Np-LiGSAtNbCUW6d7ippUw",
		"FollowUser":   "dSU3P0uMeFyOBp1XI8XCig",
		"UnfollowUser": "e6qV18OhhL4TeBH4jUlcfg",
	}
	eachCommand(t, func(t *testing.T, w *world, call func(context.Context, command.Meta) (bool, error)) {
		var got string
		w.log.before = func(_ int, a eventstore.Append) error {
			got = a.Command.Fingerprint
			return nil
		}
		if _, err := call(t.Context(), as("1")); err != nil {
			t.Fatal(err)
		}
		name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		if got != want[name] {
			t.Errorf("got fingerprint %q, want %q", got, want[name])
		}
	})
}
