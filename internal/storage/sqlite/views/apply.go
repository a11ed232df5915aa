package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	codes "modernc.org/sqlite/lib"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// roomPerUser is how many deliveries a volume has room for, per user: few enough
// that the entries of several owners share a page, and many enough that a page of
// a feed lies in two or three volumes.
const roomPerUser = 16

// Apply implements readmodel.Writer. Once it has begun it ignores ctx: a batch
// does not take long, and the caller then knows whether it was applied.
func (w *writer) Apply(ctx context.Context, b readmodel.Batch) error {
	g := w.generation
	if w.serving {
		current, err := w.views.serving(true)
		switch {
		case err != nil && !errors.Is(err, errNoViews):
			return err
		case current != g:
			return readmodel.ErrFenced
		}
	}
	err := w.write(ctx, "apply a batch", func(c *conn) error {
		if err := g.applyBatch(c, b, w.fence); err != nil {
			return err
		}
		if b.To.Position != b.From.Position {
			w.views.progress.Advance(g.number, b.To.Position)
		}
		if err := g.limitWAL(c); err != nil {
			w.views.options.Log.Warn("the write-ahead log of the views stays large", "file", g.path, "error", err)
		}
		return nil
	})
	return err
}

// applyBatch applies a batch in one transaction.
func (g *generation) applyBatch(c *conn, b readmodel.Batch, fence func() error) error {
	return c.transact(func() error {
		if err := fence(); err != nil {
			return err
		}
		return g.applySteps(c, b)
	})
}

// applySteps moves the checkpoint and makes the changes. It ignores a hold that
// would last longer than any is allowed to: the clock was set back since.
func (g *generation) applySteps(c *conn, b readmodel.Batch) error {
	moved, err := c.exec("UPDATE generation SET position = ?, partial = ?, event = ? WHERE position = ? AND partial = ? AND held - ? NOT BETWEEN 1 AND ?",
		b.To.Position, b.To.Partial, b.To.Event, b.From.Position, b.From.Partial, time.Now().UnixMilli(), readmodel.LongestHold.Milliseconds())
	if err != nil {
		return err
	}
	if moved != 1 {
		if at, err := readGeneration(c); err != nil || at.Checkpoint == b.From {
			return cmp.Or(err, readmodel.ErrHeld)
		}
		return readmodel.ErrFenced
	}
	deferred, err := timelinesDeferred(c)
	if err != nil {
		return err
	}
	steps := []func(*conn, readmodel.Batch) error{putProfiles, addChirps, removeFollows, removeDeliveries, addFollows, markPulled, g.deliver}
	if deferred {
		steps = []func(*conn, readmodel.Batch) error{putProfiles, addChirps, removeFollows, addFollows, markPulled}
	}
	for _, step := range steps {
		if err := step(c, b); err != nil {
			return asDoesNotFit(err)
		}
	}
	return nil
}

// putProfiles tries the common case first, which writes no index: a profile of
// which only the counts have changed.
func putProfiles(c *conn, b readmodel.Batch) error {
	for _, p := range b.Profiles {
		key, id, name, joined := int64(p.Key), string(p.ID), string(p.Username), p.JoinedAt.UnixMilli()
		n, err := c.exec(`UPDATE profiles SET followers = ?, following = ?, chirps = ?, pushed = ?, celebrity = ?, pull_source = ?,
				older = ?, skipped = ?, next_older = ?, next_skipped = ?
			WHERE key = ? AND id = ? AND username = ? AND joined_at = ?`,
			p.Followers, p.Following, p.Chirps, p.Pushed, p.Celebrity, p.PullSource,
			int64(p.Split.Older), p.Split.Skipped, int64(p.NextSplit.Older), p.NextSplit.Skipped, key, id, name, joined)
		if err == nil && n == 0 {
			_, err = c.exec(`INSERT INTO profiles (`+profileColumns+`, folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (key) DO UPDATE SET id = excluded.id, username = excluded.username, folded = excluded.folded,
					joined_at = excluded.joined_at, followers = excluded.followers, following = excluded.following,
					chirps = excluded.chirps, pushed = excluded.pushed, celebrity = excluded.celebrity, pull_source = excluded.pull_source,
					older = excluded.older, skipped = excluded.skipped, next_older = excluded.next_older, next_skipped = excluded.next_skipped`,
				key, id, name, joined, p.Followers, p.Following, p.Chirps, p.Pushed, p.Celebrity, p.PullSource,
				int64(p.Split.Older), p.Split.Skipped, int64(p.NextSplit.Older), p.NextSplit.Skipped, p.Username.Folded())
		}
		if err != nil {
			return fmt.Errorf("profile %d: %w", p.Key, err)
		}
	}
	return nil
}

func addChirps(c *conn, b readmodel.Batch) error {
	for _, r := range b.Chirps {
		if _, err := c.exec("INSERT INTO chirps (position, id, author, content, posted_at, delivery) VALUES (?, ?, ?, ?, ?, ?)",
			int64(r.Position), string(r.ID), int64(r.Author), string(r.Content), r.PostedAt.UnixMilli(), int64(r.Delivery)); err != nil {
			return fmt.Errorf("chirp %d: %w", r.Position, err)
		}
	}
	return nil
}

func removeFollows(c *conn, b readmodel.Batch) error {
	for _, f := range b.Unfollows {
		n, err := c.exec("DELETE FROM follows WHERE follower = ? AND followee = ?", int64(f.Follower), int64(f.Followee))
		if err == nil && n != 1 {
			err = fmt.Errorf("%w: there is none to remove", readmodel.ErrDoesNotFit)
		}
		if err != nil {
			return fmt.Errorf("follow of %d by %d: %w", f.Followee, f.Follower, err)
		}
	}
	return nil
}

func addFollows(c *conn, b readmodel.Batch) error {
	for _, f := range b.Follows {
		if _, err := c.exec("INSERT INTO follows (follower, followee, since, pull, older, skipped) VALUES (?, ?, ?, ?, ?, ?)",
			int64(f.Follower), int64(f.Followee), int64(f.Since), f.Pull, int64(f.Older), f.Skipped); err != nil {
			return fmt.Errorf("follow of %d by %d: %w", f.Followee, f.Follower, err)
		}
	}
	return nil
}

func markPulled(c *conn, b readmodel.Batch) error {
	for _, m := range b.Marks {
		if _, err := c.exec("UPDATE follows SET pull = 1 WHERE followee = ? AND since > ? AND since <= ? AND pull = 0",
			int64(m.Followee), int64(m.After), int64(m.Through)); err != nil {
			return fmt.Errorf("mark the follows of %d: %w", m.Followee, err)
		}
	}
	return nil
}

// volumeOf is an expression for the volume of chirps.position.
const volumeOf = "(SELECT start FROM volumes WHERE start <= chirps.position ORDER BY start DESC LIMIT 1)"

func removeDeliveries(c *conn, b readmodel.Batch) error {
	for _, d := range b.Cleanups {
		if _, err := c.exec(`DELETE FROM timeline WHERE (volume, owner, position) IN (
				SELECT `+volumeOf+`, ?, position FROM chirps WHERE author = ? AND delivery = 0 AND position > ? AND position <= ?)`,
			int64(d.Owner), int64(d.Author), int64(d.After), int64(d.Through)); err != nil {
			return fmt.Errorf("clean the chirps of %d out of the timeline of %d: %w", d.Author, d.Owner, err)
		}
	}
	return nil
}

// deliver makes the backfills and the fan-outs, and begins a new volume if the
// last one is full.
func (g *generation) deliver(c *conn, b readmodel.Batch) error {
	delivered, err := backfill(c, b.Backfills)
	if err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	n, err := fanOut(c, b.FanOuts)
	if err != nil {
		return fmt.Errorf("fan out: %w", err)
	}
	if delivered += n; delivered == 0 {
		return nil
	}
	return g.countDeliveries(c, delivered, b.To)
}

// backfill makes all backfills of a batch in one statement, in the order of the
// timeline's primary key, so that each page is written once. It returns how many
// entries it made.
func backfill(c *conn, fills []readmodel.Delivered) (int64, error) {
	if len(fills) == 0 {
		return 0, nil
	}
	list := make([][4]int64, len(fills))
	for i, d := range fills {
		list[i] = [4]int64{int64(d.Owner), int64(d.Author), int64(d.After), int64(d.Through)}
	}
	return c.exec(`WITH given AS MATERIALIZED (
			SELECT value ->> 0 AS owner, value ->> 1 AS by, value ->> 2 AS after, value ->> 3 AS through FROM json_each(?)
		)
		INSERT OR IGNORE INTO timeline (volume, owner, position)
		SELECT `+volumeOf+` AS volume, owner, position FROM given CROSS JOIN chirps ON author = by AND delivery = 0 AND position > after AND position <= through
		ORDER BY volume, owner, position`, jsonRows(list))
}

// jsonRows returns rows as JSON, the argument of json_each.
func jsonRows(list [][4]int64) string {
	text := []byte{'['}
	for i, row := range list {
		if i > 0 {
			text = append(text, ',')
		}
		for j, n := range row {
			text = append(text, "[,,,"[j])
			text = strconv.AppendInt(text, n, 10)
		}
		text = append(text, ']')
	}
	return string(append(text, ']'))
}

// fanOut delivers all chirps of a batch in one statement, in the order of the
// timeline's primary key, so that each page is written once. It returns how many
// entries it made.
func fanOut(c *conn, outs []readmodel.FanOut) (int64, error) {
	if len(outs) == 0 {
		return 0, nil
	}
	list := make([][4]int64, len(outs))
	for i, o := range outs {
		list[i] = [4]int64{int64(o.Chirp), int64(o.Author), int64(o.After), int64(o.Through)}
	}
	return c.exec(`WITH given AS MATERIALIZED (
			SELECT value ->> 0 AS position, value ->> 1 AS author, value ->> 2 AS after, value ->> 3 AS through FROM json_each(?)
		), outs AS MATERIALIZED (
			SELECT (SELECT start FROM volumes WHERE start <= position ORDER BY start DESC LIMIT 1) AS volume, * FROM given
		)
		INSERT OR IGNORE INTO timeline (volume, owner, position)
		SELECT volume, follower, position FROM outs CROSS JOIN follows ON followee = author AND since > after AND since <= through
		ORDER BY volume, follower, position`, jsonRows(list))
}

// countDeliveries adds to the count of the last volume. If that is now full, the
// next volume begins after the batch; not while an event is applied in part,
// because all deliveries of a chirp go into one volume.
func (g *generation) countDeliveries(c *conn, delivered int64, to readmodel.Checkpoint) error {
	if _, err := c.exec("UPDATE volumes SET delivered = delivered + ? WHERE start = (SELECT max(start) FROM volumes)", delivered); err != nil {
		return err
	}
	if to.Partial != 0 {
		return nil
	}
	full, err := collect(c, scanOne[domain.Position], "SELECT start FROM volumes WHERE start = (SELECT max(start) FROM volumes) AND delivered >= room")
	if err != nil || len(full) == 0 || full[0] > to.Position {
		return err
	}
	_, err = c.exec("INSERT INTO volumes (start, room, delivered) SELECT ?, max(?, ? * count(*)), 0 FROM profiles",
		int64(to.Position)+1, g.limits.room, roomPerUser)
	return err
}

// asDoesNotFit makes an error that is due to the values of a batch, or to the
// rows that they meet, a readmodel.ErrDoesNotFit.
func asDoesNotFit(err error) error {
	switch dbfile.Code(err) {
	case codes.SQLITE_CONSTRAINT, codes.SQLITE_MISMATCH, codes.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", readmodel.ErrDoesNotFit, err)
	}
	return err
}
