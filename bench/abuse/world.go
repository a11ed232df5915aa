package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"chirp/bench/history"
	"chirp/internal/apitest"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Users of the world, by their numbers. The crowd begins at firstCrowd.
const (
	victim = iota // reads a feed
	writer        // posts, and waits until the post is visible
	prolific
	popular   // is followed by the crowd
	viewer    // follows much of the crowd
	latecomer // follows the writers of the crowd, since after they wrote
	firstAuthor
	firstAttacker = firstAuthor + authors
	firstCrowd    = firstAttacker + attackers

	authors   = 10
	attackers = 60
)

// world says how large the network is that every server starts with.
type world struct {
	Crowd         int // users besides the named ones, with a chirp each
	Follows       int // how many of them the viewer follows
	Writers       int // how many of them have writersChirps chirps: the last ones
	Chirps        int // of the prolific user
	AuthorsChirps int // of each author
}

// writersChirps is a little more than a follow copies.
const writersChirps = 130

// fullWorld is that of the measurements. Popular stays below the default
// threshold from which a user is a celebrity.
var fullWorld = world{Crowd: 9_000, Follows: 5_000, Writers: 500, Chirps: 50_000, AuthorsChirps: 2_500}

func nameOf(user int) domain.Username {
	named := []domain.Username{"victim", "writer", "prolific", "popular", "viewer", "latecomer"}
	switch {
	case user < len(named):
		return named[user]
	case user < firstAttacker:
		return domain.Username(fmt.Sprintf("author_%d", user-firstAuthor))
	case user < firstCrowd:
		return domain.Username(fmt.Sprintf("attacker_%d", user-firstAttacker))
	}
	return domain.Username(fmt.Sprintf("crowd_%d", user-firstCrowd))
}

// attackerNumbers returns the numbers of the first n attackers.
func attackerNumbers(n int) []int { return numbers(firstAttacker, n) }

func numbers(first, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = first + i
	}
	return list
}

// write writes the world as an archive for chirp import. The named users and the
// office have the password of the tests.
func (w world) write(path string) error {
	hash, err := auth.NewPasswords(1).Hash(context.Background(), apitest.Password)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var named []domain.UserID
	for user := range firstCrowd + min(office, w.Crowd) {
		named = append(named, history.UserID(user))
	}
	follows, posts := w.follows(), w.posts()
	users := firstCrowd + w.Crowd
	h := history.NewWriter(f, "abuse", 2*users+len(follows)+len(posts)+w.Writers, history.Credentials{Hash: hash, Users: named})
	for user := range users {
		h.Register(history.UserID(user), nameOf(user))
	}
	follow := func(follower, followee int) {
		a, b := history.UserID(follower), history.UserID(followee)
		h.Append(string(a), domain.UserFollowed{FollowerID: a, FolloweeID: b})
	}
	for _, pair := range follows {
		follow(pair[0], pair[1])
	}
	for i, user := range posts {
		author := history.UserID(user)
		content := domain.Content(fmt.Sprintf("What a chirp says in the middle of a measurement is about this long: %d.", i))
		h.Append(string(author), domain.ChirpPosted{ChirpID: history.ChirpID(i), AuthorID: author, Content: content})
	}
	for i := range w.Writers {
		follow(latecomer, users-1-i)
	}
	return errors.Join(h.Close(), f.Close())
}

// follows returns who follows whom. The viewer follows an attacker too, who can
// make pushes.
func (w world) follows() [][2]int {
	pairs := [][2]int{{victim, writer}, {viewer, writer}, {viewer, firstAttacker}}
	for i := range w.Crowd {
		pairs = append(pairs, [2]int{firstCrowd + i, popular})
		if i < 150 {
			pairs = append(pairs, [2]int{victim, firstCrowd + i})
		}
		if i < w.Follows {
			pairs = append(pairs, [2]int{viewer, firstCrowd + i})
		}
	}
	return pairs
}

// posts returns the authors of the chirps, in a random order that is the same
// every time.
func (w world) posts() []int {
	var by []int
	add := func(user, n int) {
		for range n {
			by = append(by, user)
		}
	}
	add(prolific, w.Chirps)
	add(writer, 100)
	add(firstAttacker, 100)
	for i := range authors {
		add(firstAuthor+i, w.AuthorsChirps)
	}
	for i := range w.Crowd {
		if i < w.Crowd-w.Writers {
			add(firstCrowd+i, 1)
		} else {
			add(firstCrowd+i, writersChirps)
		}
	}
	r := rand.New(rand.NewPCG(1, 0))
	r.Shuffle(len(by), func(i, j int) { by[i], by[j] = by[j], by[i] })
	return by
}
