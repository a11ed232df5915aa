package views

import (
	"context"
	"database/sql"
	"math"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

const (
	profileColumns = "key, id, username, joined_at, followers, following, chirps, pushed, celebrity, pull_source, older, skipped, next_older, next_skipped"
	chirpColumns   = "chirps.position, chirps.id, chirps.author, chirps.content, chirps.posted_at, chirps.delivery"
	followColumns  = "follower, followee, since, pull, older, skipped"
)

func scanProfile(rows *sql.Rows, p *readmodel.Profile) error {
	var joined int64
	err := rows.Scan(&p.Key, &p.ID, &p.Username, &joined, &p.Followers, &p.Following, &p.Chirps, &p.Pushed, &p.Celebrity, &p.PullSource,
		&p.Split.Older, &p.Split.Skipped, &p.NextSplit.Older, &p.NextSplit.Skipped)
	p.JoinedAt = time.UnixMilli(joined).UTC()
	return err
}

func scanChirp(rows *sql.Rows, c *readmodel.Chirp) error {
	var posted int64
	err := rows.Scan(&c.Position, &c.ID, &c.Author, &c.Content, &posted, &c.Delivery)
	c.PostedAt = time.UnixMilli(posted).UTC()
	return err
}

func scanFollow(rows *sql.Rows, f *readmodel.Follow) error {
	return rows.Scan(&f.Follower, &f.Followee, &f.Since, &f.Pull, &f.Older, &f.Skipped)
}

// upperBound returns a window's exclusive upper bound.
func upperBound(w readmodel.Window) int64 {
	if w.Before == 0 {
		return math.MaxInt64
	}
	return int64(w.Before)
}

// byDirection returns the query for the window's direction.
func byDirection(w readmodel.Window, newest, oldest string) string {
	if w.Ascending {
		return oldest
	}
	return newest
}

// Totals implements readmodel.Snapshot.
func (s *snapshot) Totals(ctx context.Context) (readmodel.Totals, error) {
	return rows(ctx, s, "count the rows", func(c *conn) (readmodel.Totals, error) {
		return onlyRow(collect(c, func(rows *sql.Rows, t *readmodel.Totals) error {
			return rows.Scan(&t.Profiles, &t.Chirps, &t.Follows, &t.Entries, &t.Skipped)
		}, `SELECT (SELECT count(*) FROM profiles), (SELECT count(*) FROM chirps),
			(SELECT count(*) FROM follows), (SELECT count(*) FROM timeline), (SELECT coalesce(sum(skipped), 0) FROM follows)`))
	})
}

// ProfileByID implements readmodel.Snapshot.
func (s *snapshot) ProfileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	return rows(ctx, s, "read a profile", func(c *conn) (readmodel.Profile, error) {
		return onlyRow(collect(c, scanProfile, "SELECT "+profileColumns+" FROM profiles WHERE id = ?", string(id)))
	})
}

// ProfileByName implements readmodel.Snapshot.
func (s *snapshot) ProfileByName(ctx context.Context, name domain.Username) (readmodel.Profile, error) {
	return rows(ctx, s, "read a profile", func(c *conn) (readmodel.Profile, error) {
		return onlyRow(collect(c, scanProfile, "SELECT "+profileColumns+" FROM profiles WHERE folded = ?", name.Folded()))
	})
}

// Profiles implements readmodel.Snapshot.
func (s *snapshot) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	list, err := jsonList(keys)
	if err != nil {
		return nil, err
	}
	return rows(ctx, s, "read profiles", func(c *conn) ([]readmodel.Profile, error) {
		return collect(c, scanProfile, "SELECT "+profileColumns+" FROM profiles WHERE key IN (SELECT value FROM json_each(?))", list)
	})
}

// ChirpByID implements readmodel.Snapshot.
func (s *snapshot) ChirpByID(ctx context.Context, id domain.ChirpID) (readmodel.Chirp, error) {
	return rows(ctx, s, "read a chirp", func(c *conn) (readmodel.Chirp, error) {
		return onlyRow(collect(c, scanChirp, "SELECT "+chirpColumns+" FROM chirps WHERE id = ?", string(id)))
	})
}

// Chirps implements readmodel.Snapshot.
func (s *snapshot) Chirps(ctx context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	list, err := jsonList(at)
	if err != nil {
		return nil, err
	}
	return rows(ctx, s, "read chirps", func(c *conn) ([]readmodel.Chirp, error) {
		return collect(c, scanChirp, "SELECT "+chirpColumns+" FROM chirps WHERE position IN (SELECT value FROM json_each(?))", list)
	})
}

// An author's chirps are two ranges of the index, pushed and pulled. The limit
// bounds each of them.
const (
	chirpsByNewest = `SELECT position FROM (SELECT position FROM chirps WHERE author = ?1 AND delivery = 0 AND position > ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4)
		UNION ALL
		SELECT position FROM (SELECT position FROM chirps WHERE author = ?1 AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4)
		ORDER BY position DESC LIMIT ?4`
	chirpsByOldest = `SELECT position FROM (SELECT position FROM chirps WHERE author = ?1 AND delivery = 0 AND position > ?2 AND position < ?3 ORDER BY position LIMIT ?4)
		UNION ALL
		SELECT position FROM (SELECT position FROM chirps WHERE author = ?1 AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position LIMIT ?4)
		ORDER BY position LIMIT ?4`
)

// ChirpsBy implements readmodel.Snapshot.
func (s *snapshot) ChirpsBy(ctx context.Context, author readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	return rows(ctx, s, "read an author's chirps", func(c *conn) ([]domain.Position, error) {
		return collect(c, scanOne[domain.Position], byDirection(w, chirpsByNewest, chirpsByOldest), int64(author), int64(w.After), upperBound(w), w.Limit)
	})
}

// A timeline is read volume by volume, from the volume of one bound to that of the
// other. CROSS JOIN keeps SQLite from reordering the tables, so that it stops when
// it has enough rows.
const (
	timelineRows = `SELECT timeline.position FROM volumes
		CROSS JOIN timeline ON timeline.volume = volumes.start AND timeline.owner = ?1 AND timeline.position > ?2 AND timeline.position < ?3
		WHERE volumes.start < ?3 AND volumes.start >= coalesce((SELECT start FROM volumes WHERE start <= ?2 + 1 ORDER BY start DESC LIMIT 1), 0)`
	timelineNewest = timelineRows + " ORDER BY volumes.start DESC, timeline.position DESC LIMIT ?4"
	timelineOldest = timelineRows + " ORDER BY volumes.start, timeline.position LIMIT ?4"
)

// Timeline implements readmodel.Snapshot.
func (s *snapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	return rows(ctx, s, "read a timeline", func(c *conn) ([]domain.Position, error) {
		return collect(c, scanOne[domain.Position], byDirection(w, timelineNewest, timelineOldest), int64(owner), int64(w.After), upperBound(w), w.Limit)
	})
}

const (
	followersRows = "SELECT " + followColumns + " FROM follows WHERE followee = ? AND since > ? AND since < ? ORDER BY since"
	followingRows = "SELECT " + followColumns + " FROM follows WHERE follower = ? AND since > ? AND since < ? ORDER BY since"
)

// Followers implements readmodel.Snapshot.
func (s *snapshot) Followers(ctx context.Context, followee readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.follows(ctx, "read followers", byDirection(w, followersRows+" DESC LIMIT ?", followersRows+" LIMIT ?"), followee, w)
}

// Following implements readmodel.Snapshot.
func (s *snapshot) Following(ctx context.Context, follower readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.follows(ctx, "read follows", byDirection(w, followingRows+" DESC LIMIT ?", followingRows+" LIMIT ?"), follower, w)
}

func (s *snapshot) follows(ctx context.Context, op, query string, user readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return rows(ctx, s, op, func(c *conn) ([]readmodel.Follow, error) {
		return collect(c, scanFollow, query, int64(user), int64(w.After), upperBound(w), w.Limit)
	})
}

// Follows implements readmodel.Snapshot.
func (s *snapshot) Follows(ctx context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) ([]readmodel.Follow, error) {
	list, err := jsonList(followees)
	if err != nil {
		return nil, err
	}
	return rows(ctx, s, "read follows", func(c *conn) ([]readmodel.Follow, error) {
		return collect(c, scanFollow, "SELECT "+followColumns+" FROM follows WHERE follower = ? AND followee IN (SELECT value FROM json_each(?))", int64(follower), list)
	})
}

// FolloweeIDs implements readmodel.Snapshot.
func (s *snapshot) FolloweeIDs(ctx context.Context, follower readmodel.UserKey) ([]domain.UserID, error) {
	return rows(ctx, s, "read the ids of followees", func(c *conn) ([]domain.UserID, error) {
		return collect(c, scanOne[domain.UserID], "SELECT id FROM follows CROSS JOIN profiles ON key = followee WHERE follower = ?", int64(follower))
	})
}
