package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// list is one of a user's lists, as it must be and as the views have it, both in the
// order of positions.
type list[W, G any] struct {
	of     *user
	what   string // what a row is, for the reports
	want   []W
	wantAt func(W) domain.Position
	gotAt  func(G) domain.Position
	read   func(readmodel.Window) ([]G, error)
	// same reports whether a row is as it must be; show describes the row, and
	// full what it must be. They are nil if only the position of a row matters.
	same func(W, G) bool
	show func(G) string
	full func(W) (string, error)
	seen int64 // rows read
}

// compare reads the whole list and reports each row that is missing, surplus or
// different.
func (l *list[W, G]) compare(c *comparison) error {
	want := l.want
	window := readmodel.Window{Limit: rowsPerRead, Ascending: true}
	for {
		before := window.After
		rows, err := l.read(window)
		if err != nil {
			return fmt.Errorf("read the %s list of %s: %w", l.what, l.of, err)
		}
		for _, row := range rows {
			at := l.gotAt(row)
			if at <= window.After { // out of order; window.After must never go back
				c.report(l.difference(at, "once and in order", "again, or out of order"))
				continue
			}
			window.After = at
			l.seen++
			for len(want) > 0 && l.wantAt(want[0]) < at {
				c.report(l.difference(l.wantAt(want[0]), "there", "missing"))
				want = want[1:]
			}
			// What must be there before this row has been reported as missing.
			if len(want) == 0 || l.wantAt(want[0]) > at {
				c.report(l.difference(at, "none", l.describe(row)))
				continue
			}
			if err := l.check(c, want[0], row); err != nil {
				return err
			}
			want = want[1:]
		}
		// A store that returns a full window without a new row would be read for ever.
		if len(rows) < window.Limit || window.After == before {
			break
		}
	}
	for _, w := range want {
		c.report(l.difference(l.wantAt(w), "there", "missing"))
	}
	return nil
}

// check reports a row that is not as it must be.
func (l *list[W, G]) check(c *comparison, want W, row G) error {
	if l.same == nil || l.same(want, row) {
		return nil
	}
	text, err := l.full(want)
	if err == nil {
		c.report(l.difference(l.gotAt(row), text, l.show(row)))
	}
	return err
}

func (l *list[W, G]) difference(at domain.Position, want, got string) Difference {
	return Difference{fmt.Sprintf("%s %d", l.what, at), l.of.String(), want, got}
}

func (l *list[W, G]) describe(row G) string {
	if l.show == nil {
		return "one"
	}
	return l.show(row)
}

// following compares the users that a user follows.
func (c *comparison) following(ctx context.Context, u *user) error {
	want := make([]edge, 0, len(u.following))
	for followee, since := range u.following {
		want = append(want, edge{since, followee})
	}
	return c.follows("followed user", u, want, func(e edge) readmodel.Follow { return c.follow(u, e.user, e.since) },
		func(w readmodel.Window) ([]readmodel.Follow, error) { return c.snapshot.Following(ctx, u.Key, w) })
}

// followers compares a user's followers.
func (c *comparison) followers(ctx context.Context, u *user) error {
	return c.follows("follower", u, u.followers, func(e edge) readmodel.Follow { return c.follow(e.user, u, e.since) },
		func(w readmodel.Window) ([]readmodel.Follow, error) { return c.snapshot.Followers(ctx, u.Key, w) })
}

func (c *comparison) follows(what string, of *user, want []edge, row func(edge) readmodel.Follow, read func(readmodel.Window) ([]readmodel.Follow, error)) error {
	slices.SortFunc(want, func(a, b edge) int { return cmp.Compare(a.since, b.since) })
	l := list[edge, readmodel.Follow]{
		of: of, what: what + " since", want: want,
		wantAt: func(e edge) domain.Position { return e.since },
		gotAt:  func(row readmodel.Follow) domain.Position { return row.Since },
		read:   read,
		same:   func(e edge, got readmodel.Follow) bool { return got == row(e) },
		show:   showFollow,
		full:   func(e edge) (string, error) { return showFollow(row(e)), nil },
	}
	return l.compare(c)
}

// follow returns the row that the views must have.
func (c *comparison) follow(follower, followee *user, since domain.Position) readmodel.Follow {
	return readmodel.Follow{
		Follower: follower.Key, Followee: followee.Key, Since: since,
		Pull: followee.PullSource || followee == c.partial.marks && since <= c.partial.through,
	}
}

func showFollow(row readmodel.Follow) string {
	text := fmt.Sprintf("user %d follows user %d", row.Follower, row.Followee)
	if row.Pull {
		text += ", a pull source"
	}
	return text
}

// timeline compares the positions in a user's timeline.
func (c *comparison) timeline(ctx context.Context, u *user) error {
	var want []domain.Position
	for author := range u.following {
		want = c.deliver(want, u, author, true)
	}
	// A follow that was applied in part is not in the fold yet, but some of the
	// author's chirps may be in the timeline.
	if c.partial.owner == u && u.following[c.partial.author] == 0 {
		want = c.deliver(want, u, c.partial.author, false)
	}
	slices.Sort(want)
	l := list[domain.Position, readmodel.Chirp]{
		of: u, what: "timeline entry", want: want,
		wantAt: func(p domain.Position) domain.Position { return p },
		gotAt:  func(row readmodel.Chirp) domain.Position { return row.Position },
		read:   func(w readmodel.Window) ([]readmodel.Chirp, error) { return c.snapshot.Timeline(ctx, u.Key, w) },
	}
	err := l.compare(c)
	c.sum.TimelineEntries += l.seen
	return err
}

// deliver adds to a timeline the author's pushed chirps that must be in it. follows
// says whether the owner follows the author at the checkpoint. If the next event is a
// follow or an unfollow between the two and was applied in part, the opposite holds
// for the chirps up to the position that it was applied through.
func (c *comparison) deliver(timeline []domain.Position, owner, author *user, follows bool) []domain.Position {
	changed := domain.Position(0)
	if c.partial.owner == owner && c.partial.author == author {
		changed = c.partial.through
	}
	for _, p := range author.posts {
		if !p.pull && follows != (p.at <= changed) {
			timeline = append(timeline, p.at)
		}
	}
	return timeline
}

// partial is what an event that was applied in part has changed so far.
type partial struct {
	through domain.Position
	// marks is the author who just became a pull source, and whose followers'
	// follows are marked up to through.
	marks *user
	// owner is the user to whose timeline the pushed chirps of author up to
	// through were added, or from which they were removed.
	owner, author *user
}

// allowForPartial finds out what the event after the checkpoint has changed, if it
// was applied in part. A fan-out that was applied in part needs no allowance: its
// chirp is inserted with the last part, and until then Timeline omits the entries.
func (c *comparison) allowForPartial(ctx context.Context) error {
	at := c.snapshot.Generation().Checkpoint
	c.sum.Partial = ""
	if at.Partial == 0 {
		return nil
	}
	events, err := c.cfg.Log.ReadAll(ctx, at.Position, 1)
	if err != nil {
		return err
	}
	if len(events) == 0 || events[0].Position != at.Position+1 {
		return errors.New("the views have applied part of an event that is not in the log")
	}
	e := events[0]
	fact, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return fmt.Errorf("the views have applied part of event %d: %w", e.Position, err)
	}
	c.sum.Partial = fmt.Sprintf("%d (%s)", e.Position, e.Type)
	c.partial.through = at.Partial
	switch fact := fact.(type) {
	case domain.ChirpPosted: // a celebrity's first pulled chirp marks its follows
		if author := c.fold.users[fact.AuthorID]; author != nil && author.Celebrity && !author.PullSource {
			c.partial.marks = author
		}
	case domain.UserFollowed:
		c.partial.owner, c.partial.author = c.fold.users[fact.FollowerID], c.fold.users[fact.FolloweeID]
	case domain.UserUnfollowed:
		c.partial.owner, c.partial.author = c.fold.users[fact.FollowerID], c.fold.users[fact.FolloweeID]
	case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved: // change one row
	}
	return nil
}
