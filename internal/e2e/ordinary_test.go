package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/apitest"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

const officeSecret = "a secret of more than 32 bytes, as it must be"

// office fills a store with users, who follow the next three, and returns tokens of
// theirs for a server with officeSecret.
func office(t *testing.T, p apitest.Place, users int) []string {
	store := p.OpenToWrite(t, true)
	h := &command.Handler{Events: store.Log(), Now: time.Now, NewID: func() [16]byte { return uuid.Must(uuid.NewV7()) },
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil }}
	tokens := apitest.Must(auth.NewTokens([]byte(officeSecret), time.Now))(t)
	ids, issued := make([]domain.UserID, users), make([]string, users)
	for i := range ids {
		r, err := h.RegisterUser(t.Context(), command.RegisterUser{Username: fmt.Sprint("user", i), Password: "no matter"})
		if err != nil {
			t.Fatal(err)
		}
		ids[i], issued[i] = r.User.ID, apitest.Must(tokens.Issue(auth.Bearer{User: r.User.ID}))(t)
	}
	for i := range ids {
		for next := 1; next <= 3 && users > 3; next++ {
			if _, err := h.FollowUser(t.Context(), command.FollowUser{Follower: ids[i], Followee: string(ids[(i+next)%users])}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return issued
}

// refusals counts the answers to ordinary use that say that it is too much.
type refusals struct {
	limited atomic.Int64
	first   atomic.Pointer[string]
}

func (r *refusals) check(err error) {
	if code := apitest.Code(err); code == "RATE_LIMITED" || err != nil && strings.Contains(err.Error(), "429") {
		r.limited.Add(1)
		text := err.Error()
		r.first.CompareAndSwap(nil, &text)
	}
}

// openTab does what the web client does at start: it asks who is calling, for the
// feed and for a profile, and opens a socket with two subscriptions.
func (r *refusals) openTab(ctx context.Context, as apitest.API) (*apitest.Socket, error) {
	for _, document := range []string{
		`{ viewer { id username followerCount followingCount chirpCount } }`,
		`{ feed(first: 20) { edges { cursor node { id content postedAt author { id username viewerFollows } } } pageInfo { endCursor hasNextPage } } }`,
		`{ viewer { followers(first: 20) { edges { node { id username viewerFollows } } } chirps(first: 20) { edges { node { id content postedAt } } } } }`,
	} {
		r.check(as.Do(ctx, document, nil, nil))
	}
	s, err := as.Connect(ctx)
	if err != nil {
		r.check(err)
		return nil, err
	}
	for id, document := range map[string]string{
		"feed": `subscription { feedChirpAdded { cursor node { id content author { id username } } } }`, "again": `subscription { feedChirpAdded { cursor } }`,
	} {
		r.check(s.Subscribe(id, document, nil))
	}
	return s, nil
}

// together calls do for each of some users, 20 at a time.
func together(users int, do func(i int)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, 20)
	for i := range users {
		places <- struct{}{}
		wg.Go(func() { defer func() { <-places }(); do(i) })
	}
	wg.Wait()
}

// TestAnOfficeIsNotLimited has 200 users behind one address open the web client and
// post, and one of them open 30 tabs, with the default settings.
func TestAnOfficeIsNotLimited(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		tokens := office(t, p, 200)
		s := apitest.Start(t, p, "--rate-limit", "20", "--token-secret", officeSecret)
		var r refusals
		open := func(i int) {
			socket, err := r.openTab(t.Context(), apitest.API{URL: s.URL, Token: tokens[i%200]})
			if err != nil {
				t.Errorf("user %d: %v", i, err)
				return
			}
			t.Cleanup(socket.Close)
		}
		together(200, func(i int) {
			open(i)
			_, err := (apitest.API{URL: s.URL, Token: tokens[i]}).Post(t.Context(), "good morning", "")
			r.check(err)
		})
		together(29, func(int) { open(0) }) // a tab more each
		if n := r.limited.Load(); n > 0 {
			t.Errorf("%d calls were refused, the first by %q", n, *r.first.Load())
		}
	})
}

// TestLargeInvalidRequestsAreLimited floods a server with the default settings, and
// asks as another address meanwhile.
func TestLargeInvalidRequestsAreLimited(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, behindProxy...)
		victim := apitest.API{URL: s.URL, From: "192.0.2.1"}
		ann, err := victim.Register(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		victim.Token = ann.Token
		body := []byte(`{"query":"{ nothing }","variables":{"x":[` + strings.Repeat("1,", 125_000) + `1]}}`)
		var decoded, refused atomic.Int64
		var flood sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		begun := time.Now()
		for range 50 {
			flood.Go(func() {
				for ctx.Err() == nil {
					resp, err := apitest.API{URL: s.URL, From: "198.51.100.1"}.Request(ctx, bytes.Clone(body), "application/json")
					if err != nil {
						continue
					}
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusTooManyRequests {
						refused.Add(1)
					} else {
						decoded.Add(1)
					}
				}
			})
		}
		apitest.Eventually(t, "the flood is refused", func() bool { return refused.Load() > 50 })
		for range 20 {
			var code *apitest.RefusedError
			if err := victim.Do(t.Context(), `{ viewer { username } feed { edges { cursor } } }`, nil, nil); errors.As(err, &code) && code.Code != "NOT_YET_VISIBLE" {
				t.Errorf("another address: got %v", err)
			}
		}
		stop()
		flood.Wait()
		// 50,000 at once, and 10,000 a second, are enough for 13 of them and 2.6 a second.
		if most := 15 + 3*int64(time.Since(begun)/time.Second+1); decoded.Load() > most {
			t.Errorf("%d were decoded in %s, want at most %d", decoded.Load(), time.Since(begun), most)
		}
	})
}
