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

// action is something that a person of the network did.
type action struct {
	when time.Time
	who  int    // index of the person
	id   string // of the command
	run  func(ctx context.Context, h *command.Handler) error
}

// registration is the command id of each person's first action.
const registration = "demo/register"

// actor returns the actor that the log has for the action. It is empty until the
// person's id is known, except for a registration.
func (a action) actor(n *Network) string {
	if a.id == registration {
		return domain.Username(n.people[a.who].name).Folded()
	}
	return string(n.people[a.who].id)
}

const (
	day = 24 * time.Hour
	// postingFor is how long the people have been posting, since the last of
	// them registered.
	postingFor = 5 * day
)

// history returns all actions up to now, in order: everyone registered, soon
// followed some of the others, and then posted. Times are whole milliseconds, as
// in the log, so that all times of another call differ by the same duration.
func (n *Network) history(now time.Time) []action {
	var actions []action
	now = now.Truncate(time.Millisecond)
	came := make([]time.Time, len(n.people))
	for i := range n.people {
		came[i] = now.Add(-postingFor - time.Duration(len(n.people)-i)*16*time.Hour - n.upTo(12*time.Hour))
		actions = append(actions, n.register(i, came[i]))
	}
	for i, follower := range n.people {
		for k, followee := range n.people {
			if i != k && n.likes(k, follower, followee) {
				both := came[max(i, k)]
				actions = append(actions, n.follow(i, k, both.Add(time.Hour+n.upTo(4*day))))
			}
		}
	}
	for i, p := range n.people {
		for k, text := range p.texts {
			// The posts of each person are roughly evenly spaced up to now.
			step := (postingFor / time.Duration(len(p.texts))).Truncate(time.Millisecond)
			when := now.Add(-postingFor + time.Duration(k)*step + n.upTo(step-time.Minute))
			actions = append(actions, n.post(i, text, when))
		}
	}
	slices.SortStableFunc(actions, func(a, b action) int { return cmp.Compare(a.when.UnixNano(), b.when.UnixNano()) })
	return actions
}

// upTo returns a random duration from 0 up to limit.
func (n *Network) upTo(limit time.Duration) time.Duration {
	return time.Duration(n.random.Int64N(int64(limit))).Truncate(time.Millisecond)
}

// likes reports whether person a follows person b. Everyone follows the first
// person, most follow those with a common interest, and few follow the others.
func (n *Network) likes(followee int, a, b person) bool {
	chance := 0.15
	if slices.ContainsFunc(a.topics, b.caresFor) {
		chance = 0.8
	}
	return followee == 0 || n.random.Float64() < chance
}

func (n *Network) register(i int, when time.Time) action {
	return action{when, i, registration, func(ctx context.Context, h *command.Handler) error {
		r, err := h.RegisterUser(ctx, command.RegisterUser{Meta: command.Meta{CommandID: registration}, Username: n.people[i].name, Password: Password})
		n.people[i].id = r.User.ID
		return err
	}}
}

func (n *Network) follow(follower, followee int, when time.Time) action {
	id := "demo/follow/" + n.people[followee].name
	return action{when, follower, id, func(ctx context.Context, h *command.Handler) error {
		_, err := h.FollowUser(ctx, command.FollowUser{Meta: command.Meta{CommandID: id},
			Follower: n.people[follower].id, Followee: string(n.people[followee].id)})
		return err
	}}
}

func (n *Network) post(author int, text string, when time.Time) action {
	id := fmt.Sprintf("demo/post/%.16x", sha256.Sum256([]byte(text))) // so that another text is another post
	return action{when, author, id, func(ctx context.Context, h *command.Handler) error {
		if n.people[author].id == "" {
			return errors.New("a post precedes its author's registration")
		}
		_, err := h.PostChirp(ctx, command.PostChirp{Meta: command.Meta{CommandID: id}, Author: n.people[author].id, Content: text})
		return err
	}}
}
