package main

import (
	"math/rand/v2"

	"chirp/bench/history"
)

// celebrities is a world in which some users follow many celebrities, whose chirps are
// merged into feeds when they are read. All follow before anyone posts, so every chirp
// of a celebrity is merged.
type celebrities struct {
	*world
	star  int   // a celebrity whom all fans follow
	wide  []int // users who follow every celebrity
	mixed []int // users who follow 21 celebrities, and 500 others
	plain []int // users who follow 6 others, as the median user does
	fans  []int
}

const (
	readersOfEach = 16
	// celebrityChirps is how many chirps each celebrity has, and otherChirps each of
	// the others.
	celebrityChirps, otherChirps = 40, 20
	// fansOfEach is more followers than any of the others has.
	fansOfEach = 40
)

// newCelebrities returns the world with n celebrities and as many others.
func newCelebrities(s size) *celebrities {
	r := rand.New(rand.NewPCG(5, 0))
	c := &celebrities{}
	users := 0
	take := func(n int) []int {
		list := make([]int, n)
		for i := range list {
			list[i], users = users, users+1
		}
		return list
	}
	c.star = take(1)[0]
	stars, others := take(s.celebrities), take(s.celebrities)
	c.wide, c.mixed, c.plain = take(readersOfEach), take(readersOfEach), take(readersOfEach)
	c.fans = take(max(2*s.sockets, 2*fansOfEach))
	n := history.Network{Users: users, Settled: true}
	follow := func(follower int, some []int, of int) {
		for _, i := range r.Perm(len(some))[:min(of, len(some))] {
			n.Follows = append(n.Follows, [2]int{follower, some[i]})
		}
	}
	for i := range readersOfEach {
		follow(c.wide[i], stars, len(stars))
		follow(c.mixed[i], stars, 21)
		follow(c.mixed[i], others, 500)
		follow(c.plain[i], others, 6)
	}
	for _, fan := range c.fans {
		follow(fan, []int{c.star}, 1)
	}
	for i, star := range stars {
		for k := range fansOfEach {
			n.Follows = append(n.Follows, [2]int{c.fans[(7*i+k)%len(c.fans)], star})
		}
	}
	for range celebrityChirps {
		n.Authors = append(n.Authors, c.star)
		n.Authors = append(n.Authors, stars...)
	}
	for range otherChirps {
		n.Authors = append(n.Authors, others...)
	}
	r.Shuffle(len(n.Authors), func(i, j int) { n.Authors[i], n.Authors[j] = n.Authors[j], n.Authors[i] })
	n.Texts, _ = history.ReadTexts("", r) // fails only for a file
	c.world = newWorld("celebrities", n, fansOfEach)
	return c
}
