package views

import (
	"database/sql"
	"fmt"

	"chirp/internal/domain"
)

// A generation that is being built has no timelines at first. Whatever backfills,
// cleanups and fan-outs a projector applies, their result is that each pushed chirp
// is in the timelines of all present followers of its author who do not skip it. So a
// replay leaves them out, and they are made from the follows and the chirps after it,
// each entry once and in the order of the table, in one transaction.

// timelinesDeferred reports whether a generation has no timelines yet.
func timelinesDeferred(c *conn) (bool, error) {
	version, err := onlyRow(collect(c, scanOne[int], "PRAGMA user_version"))
	return version == buildingFormat, err
}

// complete makes the timelines, if there are none yet, and the indexes.
func (g *generation) complete(c *conn) error {
	deferred, err := timelinesDeferred(c)
	if err == nil {
		err = asDoesNotFit(c.script(readerIndexes))
	}
	if err != nil || !deferred {
		return err
	}
	if err := g.buildTimelines(c); err != nil {
		return fmt.Errorf("build the timelines: %w", err)
	}
	return c.script(fmt.Sprintf("PRAGMA user_version = %d", format))
}

// forgetPart completes a generation in which an event was applied in part, and makes
// its checkpoint forget the part: only marks were applied of it, which do no harm when
// they are applied again.
func (g *generation) forgetPart(c *conn) error {
	deferred, err := timelinesDeferred(c)
	if err != nil || !deferred {
		return err
	}
	if _, err := c.exec("UPDATE generation SET partial = 0"); err != nil {
		return err
	}
	return g.complete(c)
}

// volume is the range of positions of a volume's chirps: from Start up to before End.
type volume struct{ start, end domain.Position }

// buildTimelines makes the volumes and their entries.
func (g *generation) buildTimelines(c *conn) error {
	users, err := onlyRow(collect(c, scanOne[int64], "SELECT count(*) FROM profiles"))
	if err != nil {
		return err
	}
	room := max(g.limits.room, roomPerUser*users)
	volumes, err := planVolumes(c, room)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		delivered, err := c.exec(`INSERT INTO timeline (volume, owner, position)
			SELECT ?1, follower, position FROM follows
			CROSS JOIN chirps ON author = followee AND delivery = 0 AND position > older AND position >= ?1 AND position < ?2
			ORDER BY follower, position`, int64(v.start), int64(v.end))
		if err == nil {
			_, err = c.exec("INSERT INTO volumes (start, room, delivered) VALUES (?, ?, ?)", int64(v.start), room, delivered)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// post is a pushed chirp, with how many followers its author has.
type post struct {
	at        domain.Position
	followers int64
}

// postsPerRead bounds how many posts planVolumes holds in memory.
const postsPerRead = 10_000

// planVolumes divides the chirps into volumes that have room for their deliveries. The
// last one has no end.
func planVolumes(c *conn, room int64) ([]volume, error) {
	scan := func(rows *sql.Rows, p *post) error { return rows.Scan(&p.at, &p.followers) }
	volumes, delivered := []volume{{end: beyondAll}}, int64(0)
	for after := domain.Position(0); ; {
		posts, err := collect(c, scan, `SELECT position, followers FROM chirps CROSS JOIN profiles ON key = author
			WHERE delivery = 0 AND position > ? ORDER BY position LIMIT ?`, int64(after), postsPerRead)
		if err != nil || len(posts) == 0 {
			return volumes, err
		}
		for _, p := range posts {
			if delivered >= room {
				volumes[len(volumes)-1].end = p.at
				volumes, delivered = append(volumes, volume{p.at, beyondAll}), 0
			}
			delivered += p.followers
		}
		after = posts[len(posts)-1].at
	}
}

// beyondAll is a position after all others.
const beyondAll = domain.Position(1<<63 - 1)
