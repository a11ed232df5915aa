package demo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
)

// deed is what one of the people did at a moment.
type deed struct {
	when time.Time
	who  int    // among the people
	id   string // the command's, unique with the actor
	do   func(ctx context.Context, h *command.Handler) error
}

// registration is the command id of everyone's first deed.
const registration = "demo/register"

// actor is who the log says did it. Before the person is known, that of any
// deed but a registration is empty.
func (d deed) actor(n *Network) string {
	if d.id == registration {
		return domain.Username(n.people[d.who].name).Folded()
	}
	return string(n.people[d.who].id)
}

const (
	day = 24 * time.Hour
	// settled is when the last of the people came, and posting begins.
	settled = 5 * day
)

// past gives what all have done until now, in its order: everybody has come,
// soon followed some of the others, and then posted. Times are in milliseconds,
// as in the log, so that those of another filling differ by the same.
func (n *Network) past(now time.Time) []deed {
	var deeds []deed
	now = now.Truncate(time.Millisecond)
	came := make([]time.Time, len(n.people))
	for i := range n.people {
		came[i] = now.Add(-settled - time.Duration(len(n.people)-i)*16*time.Hour - n.upTo(12*time.Hour))
		deeds = append(deeds, n.registers(i, came[i]))
	}
	for i, follower := range n.people {
		for k, followee := range n.people {
			if i != k && n.likes(k, follower, followee) {
				both := came[max(i, k)]
				deeds = append(deeds, n.follows(i, k, both.Add(time.Hour+n.upTo(4*day))))
			}
		}
	}
	for i, p := range n.people {
		for k, text := range p.texts {
			// Each has posted at even distances, more or less, up to now.
			step := (settled / time.Duration(len(p.texts))).Truncate(time.Millisecond)
			when := now.Add(-settled + time.Duration(k)*step + n.upTo(step-time.Minute))
			deeds = append(deeds, n.posts(i, text, when))
		}
	}
	slices.SortStableFunc(deeds, func(a, b deed) int { return cmp.Compare(a.when.UnixNano(), b.when.UnixNano()) })
	return deeds
}

// upTo gives a time from 0 up to a limit.
func (n *Network) upTo(limit time.Duration) time.Duration {
	return time.Duration(n.random.Int64N(int64(limit))).Truncate(time.Millisecond)
}

// likes says whether somebody follows somebody: everybody follows the first,
// nearly everybody those who care for the same, and few the others.
func (n *Network) likes(followee int, a, b person) bool {
	chance := 0.15
	if slices.ContainsFunc(a.topics, b.cares) {
		chance = 0.8
	}
	return followee == 0 || n.random.Float64() < chance
}

func (n *Network) registers(i int, when time.Time) deed {
	return deed{when, i, registration, func(ctx context.Context, h *command.Handler) error {
		r, err := h.RegisterUser(ctx, command.RegisterUser{Meta: command.Meta{CommandID: registration}, Username: n.people[i].name, Password: Password})
		n.people[i].id = r.User.ID
		return err
	}}
}

func (n *Network) follows(follower, followee int, when time.Time) deed {
	id := "demo/follow/" + n.people[followee].name
	return deed{when, follower, id, func(ctx context.Context, h *command.Handler) error {
		_, err := h.FollowUser(ctx, command.FollowUser{Meta: command.Meta{CommandID: id},
			Follower: n.people[follower].id, Followee: string(n.people[followee].id)})
		return err
	}}
}

func (n *Network) posts(author int, text string, when time.Time) deed {
	id := fmt.Sprintf("demo/post/%.16x", sha256.Sum256([]byte(text))) // another text is another post
	return deed{when, author, id, func(ctx context.Context, h *command.Handler) error {
		if n.people[author].id == "" {
			return errors.New("a post before its author's registration")
		}
		_, err := h.PostChirp(ctx, command.PostChirp{Meta: command.Meta{CommandID: id}, Author: n.people[author].id, Content: text})
		return err
	}}
}
