package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"chirp/bench/history"
	"chirp/internal/domain"
)

// writeHistory writes the network as the archive of a log, for chirp import: first
// the registrations, then the follows and posts in random order.
func writeHistory(path string, o options, edges [][2]int, texts []string, r *rand.Rand) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	h := history.NewWriter(f, fmt.Sprintf("history-%d", o.seed), 2*o.users+len(edges)+o.posts, "")
	for u := range o.users {
		h.Register(history.UserID(u), domain.Username(fmt.Sprintf("user_%d", u)))
	}
	for i, n := range r.Perm(len(edges) + o.posts) {
		if n < len(edges) {
			a, b := history.UserID(edges[n][0]), history.UserID(edges[n][1])
			h.Append(string(a), domain.UserFollowed{FollowerID: a, FolloweeID: b})
			continue
		}
		author := history.UserID(r.IntN(o.users))
		content, err := domain.ParseContent(strings.TrimSpace(texts[n%len(texts)]))
		if err != nil {
			return errors.Join(err, f.Close())
		}
		h.Append(string(author), domain.ChirpPosted{ChirpID: history.ChirpID(i), AuthorID: author, Content: content})
	}
	return errors.Join(h.Close(), f.Close())
}
