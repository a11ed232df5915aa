package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// comparison compares one snapshot with the fold at the snapshot's checkpoint.
type comparison struct {
	*run
	snapshot readmodel.Snapshot
	partial  partial
	// older holds, for each followee of the user whose lists are being compared,
	// up to where the views say that the follow skips the followee's chirps.
	older map[readmodel.UserKey]domain.Position
}

// users compares users from a key on. It returns the key to continue from when end
// has passed, 0 when all are done. It asks for the profile of every position of the
// log, so that it also finds profiles of users who are not in the log.
func (c *comparison) users(ctx context.Context, from readmodel.UserKey, end time.Time) (readmodel.UserKey, error) {
	order := c.fold.order
	i, _ := slices.BinarySearchFunc(order, from, func(u *user, key readmodel.UserKey) int { return cmp.Compare(u.Key, key) })
	last := readmodel.UserKey(c.fold.at)
	for ; from <= last; from += profilesPerRead {
		c.progress("users", int64(i), int64(len(order)))
		rows, err := c.profiles(ctx, from, min(from+profilesPerRead-1, last))
		if err != nil {
			return 0, err
		}
		for _, key := range rows.keys(order[i:], from+profilesPerRead) {
			var u *user // nil for a profile that must not be there
			if i < len(order) && order[i].Key == key {
				u = order[i]
				i++
			}
			if err := c.user(ctx, key, u, rows[key]); err != nil {
				return 0, err
			}
			if time.Now().After(end) {
				return key + 1, nil
			}
		}
	}
	c.progress("users", int64(len(order)), int64(len(order)))
	return 0, nil
}

// profiles are rows by key.
type profiles map[readmodel.UserKey]*readmodel.Profile

func (c *comparison) profiles(ctx context.Context, from, through readmodel.UserKey) (profiles, error) {
	keys := make([]readmodel.UserKey, 0, profilesPerRead)
	for key := from; key <= through; key++ {
		keys = append(keys, key)
	}
	rows, err := c.snapshot.Profiles(ctx, keys)
	found := make(profiles, len(rows))
	for _, row := range rows {
		found[row.Key] = &row
	}
	return found, err
}

// keys returns the keys of the rows, and of the users below a key, in order.
func (p profiles) keys(users []*user, below readmodel.UserKey) []readmodel.UserKey {
	var keys []readmodel.UserKey
	for key := range p {
		keys = append(keys, key)
	}
	for _, u := range users {
		if u.Key >= below {
			break
		}
		keys = append(keys, u.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// user compares one user: the profile, and the lists if the user is in the sample.
// Either of want and got may be nil.
func (c *comparison) user(ctx context.Context, key readmodel.UserKey, want *user, got *readmodel.Profile) error {
	if want == nil {
		c.report(Difference{"profile", fmt.Sprintf("user %d", key), "none", fmt.Sprintf("%s %q", got.ID, got.Username)})
		return nil
	}
	if got == nil {
		c.report(Difference{"profile", want.String(), string(want.ID), "none"})
	} else {
		c.profile(want, *got)
	}
	if c.sample != nil && !c.sample[key] {
		return nil
	}
	c.sum.Lists++
	return errors.Join(c.name(ctx, want), c.chirps(ctx, want), c.following(ctx, want), c.followers(ctx, want), c.sources(ctx, want), c.timeline(ctx, want))
}

func (c *comparison) profile(want *user, got readmodel.Profile) {
	field := func(what string, same bool, w, g any) {
		if !same {
			c.report(Difference{what, want.String(), fmt.Sprint(w), fmt.Sprint(g)})
		}
	}
	count := func(what string, w, g int64) { field(what, w == g, w, g) }
	w := want.Profile
	field("id", w.ID == got.ID, w.ID, got.ID)
	field("username", w.Username == got.Username, w.Username, fmt.Sprintf("%q", got.Username))
	field("time of joining", w.JoinedAt.Equal(got.JoinedAt), w.JoinedAt, got.JoinedAt)
	count("followers count", w.Followers, got.Followers)
	count("following count", w.Following, got.Following)
	count("chirps count", w.Chirps, got.Chirps)
	count("pushed chirps count", w.Pushed, got.Pushed)
	split := func(what string, g readmodel.Split) {
		valid := want.split(g.Older)
		field(what, valid == g, showSplit(valid), showSplit(g))
	}
	split("split of new follows", got.Split)
	split("split after that", got.NextSplit)
	field("celebrity flag", w.Celebrity == got.Celebrity, w.Celebrity, got.Celebrity)
	field("pull source flag", w.PullSource == got.PullSource, w.PullSource, got.PullSource)
}

// name checks that the views find the user by name.
func (c *comparison) name(ctx context.Context, want *user) error {
	got, err := c.snapshot.ProfileByName(ctx, want.Username)
	switch {
	case errors.Is(err, readmodel.ErrNotFound):
		c.report(Difference{"profile by name", want.String(), "user " + fmt.Sprint(want.Key), "none"})
		return nil
	case err == nil && got.Key != want.Key:
		c.report(Difference{"profile by name", want.String(), "user " + fmt.Sprint(want.Key), "user " + fmt.Sprint(got.Key)})
	}
	return err
}

// chirps compares a user's own chirps.
func (c *comparison) chirps(ctx context.Context, u *user) error {
	posted := func(w readmodel.Window) ([]domain.Position, error) { return c.snapshot.ChirpsBy(ctx, u.Key, w) }
	l := list[post, readmodel.Chirp]{
		of: u, what: "chirp", want: u.posts,
		wantAt: func(p post) domain.Position { return p.at },
		gotAt:  func(row readmodel.Chirp) domain.Position { return row.Position },
		show:   showChirp,
		read:   func(w readmodel.Window) ([]readmodel.Chirp, error) { return readmodel.ChirpsIn(w, posted, c.rows(ctx)) },
		same: func(p post, row readmodel.Chirp) bool {
			return row.Author == u.Key && (row.Delivery == readmodel.Pull) == p.pull &&
				c.fold.sum(row.ID, row.Content, row.PostedAt) == p.sum
		},
		full: func(p post, _ readmodel.Chirp) (string, error) { return c.posted(ctx, u, p) },
	}
	return l.compare(c)
}

// rows returns a func that reads the chirps at some positions.
func (c *comparison) rows(ctx context.Context) func([]domain.Position) ([]readmodel.Chirp, error) {
	return func(at []domain.Position) ([]readmodel.Chirp, error) {
		return readmodel.ChirpsInOrder(ctx, c.snapshot, at)
	}
}

// posted reads from the log what a chirp's row must be, and describes it.
func (c *comparison) posted(ctx context.Context, author *user, p post) (string, error) {
	events, err := c.cfg.Log.ReadAll(ctx, p.at-1, 1)
	if err != nil || len(events) == 0 {
		return "", err
	}
	fact, err := domain.DecodeEvent(events[0].Type, events[0].Data)
	e, isChirp := fact.(domain.ChirpPosted)
	if err != nil || !isChirp {
		return "", err
	}
	row := readmodel.Chirp{Position: p.at, ID: e.ChirpID, Author: author.Key, Content: e.Content, PostedAt: events[0].RecordedAt}
	if p.pull {
		row.Delivery = readmodel.Pull
	}
	return showChirp(row), nil
}

func showChirp(row readmodel.Chirp) string {
	delivery := "pushed"
	if row.Delivery == readmodel.Pull {
		delivery = "pulled"
	}
	return fmt.Sprintf("%s by user %d, %s, posted %s, %q", row.ID, row.Author, delivery, row.PostedAt.Format(time.RFC3339Nano), row.Content)
}

// totals compares the numbers of rows. It finds rows that belong to no user, which
// nothing else reads. How many timeline entries there must be depends on how many the
// views say that the follows skip. The comparison of each user's follows checks that
// number, and the number of follows shows whether a follow was added to it that belongs
// to no user.
func (c *comparison) totals(ctx context.Context) error {
	got, err := c.snapshot.Totals(ctx)
	if err != nil {
		return err
	}
	var entries int64
	for _, u := range c.fold.order {
		entries += u.Pushed * int64(len(u.followers))
	}
	for _, t := range []struct {
		what      string
		want, got int64
	}{
		{"profiles", int64(len(c.fold.order)), got.Profiles},
		{"chirps", c.fold.chirps, got.Chirps},
		{"follows", c.fold.follows, got.Follows},
		{"timeline entries", entries - got.Skipped, got.Entries},
	} {
		if t.want != t.got {
			c.report(Difference{"number", "all " + t.what, fmt.Sprint(t.want), fmt.Sprint(t.got)})
		}
	}
	return nil
}
