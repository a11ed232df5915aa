package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// split returns the split after the user's pushed chirps through a position. The views
// choose the position; whatever it is, feeds are as they must be if the split is right.
func (u *user) split(through domain.Position) readmodel.Split {
	n, _ := slices.BinarySearchFunc(u.posts, through+1, func(p post, at domain.Position) int { return cmp.Compare(p.at, at) })
	for n > 0 && u.posts[n-1].pull {
		n--
	}
	if n == 0 {
		return readmodel.Split{}
	}
	return readmodel.Split{Older: u.posts[n-1].at, Skipped: int64(u.posts[n-1].pushed)}
}

// following compares the users that a user follows, and sets c.older.
func (c *comparison) following(ctx context.Context, u *user) error {
	want := make([]edge, 0, len(u.following))
	for followee, since := range u.following {
		want = append(want, edge{since, followee})
	}
	c.older = make(map[readmodel.UserKey]domain.Position)
	return c.follows("followed user", u, want, func(e edge, got readmodel.Follow) readmodel.Follow { return c.follow(u, e.user, e.since, got.Older) },
		func(w readmodel.Window) ([]readmodel.Follow, error) {
			rows, err := c.snapshot.Following(ctx, u.Key, w)
			for _, row := range rows {
				c.older[row.Followee] = row.Older
			}
			return rows, err
		})
}

// followers compares a user's followers.
func (c *comparison) followers(ctx context.Context, u *user) error {
	return c.follows("follower", u, u.followers, func(e edge, got readmodel.Follow) readmodel.Follow { return c.follow(e.user, u, e.since, got.Older) },
		func(w readmodel.Window) ([]readmodel.Follow, error) { return c.snapshot.Followers(ctx, u.Key, w) })
}

func (c *comparison) follows(what string, of *user, want []edge, row func(edge, readmodel.Follow) readmodel.Follow, read func(readmodel.Window) ([]readmodel.Follow, error)) error {
	slices.SortFunc(want, func(a, b edge) int { return cmp.Compare(a.since, b.since) })
	l := list[edge, readmodel.Follow]{
		of: of, what: what + " since", want: want,
		wantAt: func(e edge) domain.Position { return e.since },
		gotAt:  func(row readmodel.Follow) domain.Position { return row.Since },
		read:   read,
		same:   func(e edge, got readmodel.Follow) bool { return got == row(e, got) },
		show:   showFollow,
		full:   func(e edge, got readmodel.Follow) (string, error) { return showFollow(row(e, got)), nil },
	}
	return l.compare(c)
}

// follow returns the row that the views must have if it skips the chirps through
// older, which are from before the follow.
func (c *comparison) follow(follower, followee *user, since, older domain.Position) readmodel.Follow {
	return readmodel.Follow{
		Follower: follower.Key, Followee: followee.Key, Since: since, Pull: c.pulls(followee, since), Split: followee.split(min(older, since)),
	}
}

// pulls reports whether a follow must be marked as that of a pull source.
func (c *comparison) pulls(followee *user, since domain.Position) bool {
	return followee.PullSource || followee == c.partial.marks && since <= c.partial.through
}

func showFollow(row readmodel.Follow) string {
	text := fmt.Sprintf("user %d follows user %d", row.Follower, row.Followee)
	if row.Pull {
		text += ", a pull source"
	}
	if row.Split != (readmodel.Split{}) {
		text += ", " + showSplit(row.Split)
	}
	return text
}

func showSplit(s readmodel.Split) string {
	return fmt.Sprintf("skipping %d chirps through position %d", s.Skipped, s.Older)
}

// sources compares what a user's feed has besides the timeline. It also finds a source
// that the views return twice.
func (c *comparison) sources(ctx context.Context, u *user) error {
	var want []readmodel.Source
	for author, since := range u.following {
		if c.pulls(author, since) {
			want = append(want, readmodel.Source{Author: author.Key, Delivery: readmodel.Pull})
		}
		if older := c.older[author.Key]; older > 0 {
			want = append(want, readmodel.Source{Author: author.Key, Delivery: readmodel.Push, Through: older})
		}
	}
	got, err := c.snapshot.Sources(ctx, u.Key, 0)
	if err != nil {
		return fmt.Errorf("read the sources of %s: %w", u, err)
	}
	missing := make(map[readmodel.Source]int, len(want)) // negative if there are more than wanted
	for _, s := range want {
		missing[s]++
	}
	for _, s := range got {
		if missing[s]--; missing[s] < 0 {
			c.report(Difference{showSource(s), u.String(), "none", "one"})
		}
	}
	for _, s := range want {
		if missing[s] > 0 {
			c.report(Difference{showSource(s), u.String(), "there", "missing"})
		}
	}
	return nil
}

func showSource(s readmodel.Source) string {
	if s.Delivery == readmodel.Pull {
		return fmt.Sprintf("source of pulled chirps by user %d", s.Author)
	}
	return fmt.Sprintf("source of chirps by user %d through %d", s.Author, s.Through)
}

// timeline compares the positions in a user's timeline.
func (c *comparison) timeline(ctx context.Context, u *user) error {
	var want []domain.Position
	for author := range u.following {
		want = c.deliver(want, u, author)
	}
	slices.Sort(want)
	timeline := func(w readmodel.Window) ([]domain.Position, error) { return c.snapshot.Timeline(ctx, u.Key, w) }
	l := list[domain.Position, readmodel.Chirp]{
		of: u, what: "timeline entry", want: want,
		wantAt: func(p domain.Position) domain.Position { return p },
		gotAt:  func(row readmodel.Chirp) domain.Position { return row.Position },
		read: func(w readmodel.Window) ([]readmodel.Chirp, error) {
			return readmodel.ChirpsIn(w, timeline, c.rows(ctx))
		},
	}
	err := l.compare(c)
	c.sum.TimelineEntries += l.seen
	return err
}

// deliver adds to a timeline the pushed chirps that must be in it of an author whom its
// owner follows at the checkpoint: those that the follow does not skip. If the next
// event is an unfollow between the two and was applied in part, they begin after the
// position that it was applied through.
func (c *comparison) deliver(timeline []domain.Position, owner, author *user) []domain.Position {
	after := c.older[author.Key]
	if c.partial.owner == owner && c.partial.author == author {
		after = max(after, c.partial.through)
	}
	for _, p := range author.posts {
		if !p.pull && p.at > after {
			timeline = append(timeline, p.at)
		}
	}
	return timeline
}
