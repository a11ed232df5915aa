package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"

	"chirp/bench/history"
	"chirp/internal/domain"
)

// size says how much is measured.
type size struct {
	users, edges, chirps int   // of the network
	celebrities          int   // that some users follow
	readers              int   // whose feeds are read
	sockets              int   // to which is pushed
	idle                 int   // sockets to which nothing is pushed
	growth               []int // events of logs that are compared
	backlog              int   // events that wait for the projector
}

var (
	full  = size{users: 37_700, edges: 289_003, chirps: 200_000, celebrities: 1000, readers: 1000, sockets: 1000, idle: 5000, growth: []int{10_000, 100_000, 1_000_000}, backlog: 40_000}
	small = size{users: 300, edges: 1500, chirps: 3000, celebrities: 30, readers: 20, sockets: 10, idle: 50, growth: []int{1000, 5000}, backlog: 500}
)

// pageSize is that of all pages.
const pageSize = 20

// world is a network in which everybody has a session.
type world struct {
	name        string
	network     history.Network
	threshold   int // followers from which a user is a celebrity
	credentials history.Credentials
	followees   [][]int // by user
	followers   [][]int
	chirps      [][]int // by author, in the order of posting
}

// newWorld returns a world. Its tokens are signed with a secret that is known.
func newWorld(name string, n history.Network, threshold int) *world {
	w := &world{name: name, network: n, threshold: threshold}
	w.followees, w.followers, w.chirps = make([][]int, n.Users), make([][]int, n.Users), make([][]int, n.Users)
	w.credentials.Secret = []byte("performance is measured with this secret")
	for u := range n.Users {
		w.credentials.Users = append(w.credentials.Users, history.UserID(u))
	}
	for _, f := range n.Follows {
		w.followees[f[0]] = append(w.followees[f[0]], f[1])
		w.followers[f[1]] = append(w.followers[f[1]], f[0])
	}
	for i, author := range n.Authors {
		w.chirps[author] = append(w.chirps[author], i)
	}
	return w
}

// newNetwork returns the world of most rows: a real graph if there is one, in which
// nobody has enough followers to be a celebrity.
func newNetwork(o settings) (*world, error) {
	r := rand.New(rand.NewPCG(1, 0))
	n := history.Network{Users: o.size.users, Authors: make([]int, o.size.chirps)}
	var err error
	if o.follows == "" {
		n.Follows = history.RandomGraph(n.Users, o.size.edges, r)
	} else if n.Follows, err = history.ReadEdges(o.follows, n.Users, false, r); err != nil {
		return nil, err
	}
	if n.Texts, err = history.ReadTexts("", r); err != nil {
		return nil, err
	}
	for i := range n.Authors {
		n.Authors[i] = r.IntN(n.Users)
	}
	return newWorld("network", n, 10_000), nil
}

// write writes the world as an archive for chirp import.
func (w *world) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	h := history.NewWriter(f, w.name, w.network.Events(), w.credentials)
	w.network.Write(h, rand.New(rand.NewPCG(2, 0)))
	return errors.Join(h.Close(), f.Close())
}

// token returns the token of a user's session.
func (w *world) token(user int) (string, error) { return w.credentials.Token(history.UserID(user)) }

// feed returns the newest chirps of a user's feed, newest first, by their numbers.
func (w *world) feed(user, n int) []int {
	var all []int
	for _, followee := range w.followees[user] {
		theirs := w.chirps[followee]
		all = append(all, theirs[max(0, len(theirs)-n):]...)
	}
	slices.SortFunc(all, func(a, b int) int { return b - a })
	return all[:min(n, len(all))]
}

// readers returns users, chosen at random, whose feeds have more than a page.
func (w *world) readers(n int) []int {
	r := rand.New(rand.NewPCG(3, 0))
	var found []int
	for _, u := range r.Perm(w.network.Users) {
		if len(found) < n && len(w.feed(u, pageSize+1)) > pageSize {
			found = append(found, u)
		}
	}
	return found
}

// typical returns authors, chosen at random, who have as many followers as the median
// user.
func (w *world) typical(n int) []int {
	counts := make([]int, w.network.Users)
	for u, f := range w.followers {
		counts[u] = len(f)
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	r := rand.New(rand.NewPCG(4, 0))
	var found []int
	for _, u := range r.Perm(w.network.Users) {
		if len(found) < n && len(w.followers[u]) == median {
			found = append(found, u)
		}
	}
	return found
}

// chirpNumbers returns the numbers of the world's chirps by their ids.
func (w *world) chirpNumbers() map[domain.ChirpID]int {
	numbers := make(map[domain.ChirpID]int, len(w.network.Authors))
	for i := range w.network.Authors {
		numbers[history.ChirpID(i)] = i
	}
	return numbers
}

// mostFollowed returns the user with the most followers.
func (w *world) mostFollowed() int {
	most := 0
	for u, f := range w.followers {
		if len(f) > len(w.followers[most]) {
			most = u
		}
	}
	return most
}
