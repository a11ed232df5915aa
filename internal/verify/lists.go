package verify

import (
	"context"
	"errors"
	"fmt"

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
	full func(W, G) (string, error)
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
	text, err := l.full(want, row)
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

// partial is what an event that was applied in part has changed so far.
type partial struct {
	through domain.Position
	// marks is the author who just became a pull source, and whose followers'
	// follows are marked up to through.
	marks *user
	// owner is the user from whose timeline the pushed chirps of author up to
	// through were removed.
	owner, author *user
}

// allowForPartial finds out what the event after the checkpoint has changed, if it
// was applied in part. A fan-out that was applied in part needs no allowance: its
// chirp is inserted with the last part, and until then Timeline omits the entries. A
// follow is never applied in part.
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
	case domain.UserUnfollowed:
		c.partial.owner, c.partial.author = c.fold.users[fact.FollowerID], c.fold.users[fact.FolloweeID]
	case domain.UserFollowed, domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved: // change one row
	}
	return nil
}
