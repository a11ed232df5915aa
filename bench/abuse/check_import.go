package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/bench/history"
	"chirp/internal/domain"
)

// knownSecret is a token secret that the author of an archive knows.
var knownSecret = []byte("a secret that is known to a stranger")

// forgeToken signs a token as a server with the known secret would have.
func forgeToken(user domain.UserID) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "chirp", Audience: jwt.ClaimStrings{"chirp"}, Subject: string(user),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}).SignedString(knownSecret)
}

// importNamesSecrets imports an archive that has a token secret, and no user's
// credentials.
func importNamesSecrets(ctx context.Context, t *trial) error {
	archive := registered(history.UserID(0), "ada")
	secret := fmt.Sprintf(`{"tokenSecret":%q}`+"\n"+`{"credentials":0}`+"\n", base64.StdEncoding.EncodeToString(knownSecret))
	archive = strings.Replace(archive, "}\n", `,"credentials":true}`+"\n"+secret, 1)
	file := filepath.Join(t.dir, "archive.jsonl")
	if err := os.WriteFile(file, []byte(archive), 0o600); err != nil {
		return err
	}
	place := t.place()
	out, log, err := t.command(ctx, append([]string{"import", file}, place...)...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, log)
	}
	accepted, err := t.acceptsForged(ctx, place)
	if err == nil && accepted && !strings.Contains(out+log, "secret") {
		err = errors.New("the file's token secret is in use, which import did not say")
	}
	place = t.place()
	if _, log, failed := t.command(ctx, append([]string{"import", file, "--without-credentials"}, place...)...); failed != nil {
		return errors.Join(err, fmt.Errorf("--without-credentials: %w: %s", failed, lastLine(log)))
	}
	accepted, failed := t.acceptsForged(ctx, place)
	if accepted {
		failed = errors.New("the file's token secret is in use in spite of --without-credentials")
	}
	return errors.Join(err, failed)
}

// acceptsForged reports whether a server takes tokens that are signed with the
// known secret.
func (t *trial) acceptsForged(ctx context.Context, place []string) (accepted bool, err error) {
	token, err := forgeToken(history.UserID(0))
	if err != nil {
		return false, err
	}
	err = t.serve(ctx, place, func(s *server) error {
		var got struct{ Viewer *struct{ ID string } }
		err := newCaller(s.URL, token, victimAddress).do(ctx, `{ viewer { id } }`, nil, "", &got)
		accepted = err == nil && got.Viewer != nil
		return nil
	})
	return accepted, err
}

// made returns an archive that a func fills.
func made(head int, fill func(*history.Writer)) string {
	var b strings.Builder
	w := history.NewWriter(&b, "made-up", head, history.Credentials{})
	fill(w)
	if err := w.Close(); err != nil {
		panic(err) // the head is wrong
	}
	return b.String()
}

// registered returns an archive with a user.
func registered(id domain.UserID, name domain.Username) string {
	return made(2, func(w *history.Writer) { w.Register(id, name) })
}

// badArchives are archives that import must refuse.
func badArchives() map[string]string {
	ada, bob := history.UserID(0), history.UserID(1)
	with := func(actor domain.UserID, facts ...domain.Event) string {
		return made(4+len(facts), func(w *history.Writer) {
			w.Register(ada, "ada")
			w.Register(bob, "bob")
			for _, e := range facts {
				w.Append(string(actor), e)
			}
		})
	}
	chirp := func(by domain.UserID, content domain.Content) domain.Event {
		return domain.ChirpPosted{ChirpID: history.ChirpID(0), AuthorID: by, Content: content}
	}
	follow := domain.UserFollowed{FollowerID: ada, FolloweeID: bob}
	return map[string]string{
		"an impossible username":       registered(ada, "not a name!"),
		"a name that is taken":         made(4, func(w *history.Writer) { w.Register(ada, "ada"); w.Register(bob, "Ada") }),
		"a chirp of 100 kB":            with(ada, chirp(ada, domain.Content(strings.Repeat("x", 100_000)))),
		"an empty chirp":               with(ada, chirp(ada, "")),
		"a chirp by another actor":     with(bob, chirp(ada, "Not by me.")),
		"a chirp by an unknown user":   with(history.UserID(9), chirp(history.UserID(9), "From nowhere.")),
		"a follow by another actor":    with(bob, follow),
		"a follow of oneself":          with(ada, domain.UserFollowed{FollowerID: ada, FolloweeID: ada}),
		"a follow of an unknown user":  with(ada, domain.UserFollowed{FollowerID: ada, FolloweeID: history.UserID(9)}),
		"a follow twice":               with(ada, follow, follow),
		"an unfollow without a follow": with(ada, domain.UserUnfollowed{FollowerID: ada, FolloweeID: bob}),
		"an event of an unknown type":  strings.Replace(with(ada, follow), "user.followed.v1", "user.blessed.v1", 1),
	}
}

// importChecksEvents expects that an import names the position of the bad event.
func importChecksEvents(ctx context.Context, t *trial) error {
	var errs error
	archives := badArchives()
	for _, what := range slices.Sorted(maps.Keys(archives)) {
		file := filepath.Join(t.dir, "bad.jsonl")
		if err := os.WriteFile(file, []byte(archives[what]), 0o600); err != nil {
			return err
		}
		_, log, err := t.command(ctx, append([]string{"import", file}, t.place()...)...)
		if err == nil {
			errs = errors.Join(errs, fmt.Errorf("it takes %s", what))
		} else if !strings.Contains(log, "position") {
			errs = errors.Join(errs, fmt.Errorf("%s: no position in %q", what, lastLine(log)))
		}
	}
	return errs
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func exportWritesOutput(ctx context.Context, t *trial) error {
	place := t.place()
	if err := t.serve(ctx, place, func(s *server) error { _, err := s.register(ctx, "ada"); return err }); err != nil {
		return err
	}
	out, log, err := t.command(ctx, append([]string{"export", "-"}, place...)...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, log)
	}
	if _, err := os.Stat(filepath.Join(t.dir, "-")); err == nil {
		return errors.New("there is a file named -")
	}
	if !strings.HasPrefix(out, `{"chirp":"log"`) {
		return fmt.Errorf("standard output is %.60q", out)
	}
	return nil
}
