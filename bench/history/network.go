package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"chirp/internal/domain"
)

// Network is who follows whom, and who posts.
type Network struct {
	Users   int
	Follows [][2]int // follower and followee, each pair once
	Authors []int    // of the chirps, in the order in which they are posted
	Texts   []string // of the chirps, again and again
	// Settled is set if all follow before anyone posts.
	Settled bool
}

// Events returns the number of events that Write writes.
func (n Network) Events() int { return 2*n.Users + len(n.Follows) + len(n.Authors) }

// Write writes the network: first the registrations, then the follows and the chirps
// in a random order, in which the chirps follow one another as in Authors. The i-th
// chirp has ChirpID(i).
func (n Network) Write(w *Writer, r *rand.Rand) {
	for u := range n.Users {
		w.Register(UserID(u), UserName(u))
	}
	follows, posted := slices.Clone(n.Follows), 0
	for left := len(n.Follows) + len(n.Authors); left > 0; left-- {
		if r.IntN(left) < len(follows) || n.Settled && len(follows) > 0 {
			i := r.IntN(len(follows))
			follows[i], follows[0] = follows[0], follows[i]
			a, b := UserID(follows[0][0]), UserID(follows[0][1])
			w.Append(string(a), domain.UserFollowed{FollowerID: a, FolloweeID: b})
			follows = follows[1:]
			continue
		}
		author := UserID(n.Authors[posted])
		content, err := domain.ParseContent(strings.TrimSpace(n.Texts[posted%len(n.Texts)]))
		if err != nil {
			w.fail(err)
			return
		}
		w.Append(string(author), domain.ChirpPosted{ChirpID: ChirpID(posted), AuthorID: author, Content: content})
		posted++
	}
}

// UserName returns the name of the n-th user of a network.
func UserName(n int) domain.Username { return domain.Username(fmt.Sprintf("user_%d", n)) }
