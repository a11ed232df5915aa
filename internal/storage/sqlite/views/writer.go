package views

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// writer implements readmodel.Writer.
type writer struct {
	views      *Store
	generation *generation
	// serving is set for a projector's writer, whose generation is the one that
	// serves.
	serving bool
	// fence returns ErrFenced if the writer may no longer write. It is called
	// under the generation's write lock.
	fence func() error
}

// write runs a function with the generation's writing connection, which sees
// everything that was applied.
func (w *writer) write(ctx context.Context, op string, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	err := w.generation.withWriter(f)
	if err != nil {
		w.views.discardIfDamaged(w.generation, err)
	}
	if errors.Is(err, dbfile.ErrClosed) && !w.views.isClosed() { // the generation was retired, and is closed by now
		return readmodel.ErrFenced
	}
	return dbfile.Translate(context.WithoutCancel(ctx), op, err)
}

// Generation implements readmodel.Writer.
func (w *writer) Generation(ctx context.Context) (g readmodel.Generation, err error) {
	err = w.write(ctx, "read the generation", func(c *conn) (err error) {
		g, err = readGeneration(c)
		return err
	})
	return g, err
}

// ProfilesByID implements readmodel.Writer.
func (w *writer) ProfilesByID(ctx context.Context, ids []domain.UserID) (found []readmodel.Profile, err error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	err = w.write(ctx, "read profiles", func(c *conn) (err error) {
		found, err = collect(c, scanProfile, "SELECT "+profileColumns+" FROM profiles WHERE id IN (SELECT value FROM json_each(?))", list)
		return err
	})
	return found, err
}

// Follows implements readmodel.Writer.
func (w *writer) Follows(ctx context.Context, pairs []readmodel.Pair) (found []readmodel.Follow, err error) {
	list := make([][2]int64, len(pairs))
	for i, p := range pairs {
		list[i] = [2]int64{int64(p.Follower), int64(p.Followee)}
	}
	given, err := jsonList(list)
	if err != nil {
		return nil, err
	}
	err = w.write(ctx, "read follows", func(c *conn) (err error) {
		found, err = collect(c, scanFollow, "SELECT "+followColumns+" FROM json_each(?) CROSS JOIN follows ON follower = value ->> 0 AND followee = value ->> 1", given)
		return err
	})
	return found, err
}

// FollowersThrough implements readmodel.Writer.
func (w *writer) FollowersThrough(ctx context.Context, followee readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	return w.through(ctx, "measure the followers", "SELECT coalesce(max(since), 0) FROM (SELECT since FROM follows WHERE followee = ? AND since > ? ORDER BY since LIMIT ?)", followee, after, limit)
}

// PushedThrough implements readmodel.Writer.
func (w *writer) PushedThrough(ctx context.Context, author readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	return w.through(ctx, "measure the chirps", "SELECT coalesce(max(position), 0) FROM (SELECT position FROM chirps WHERE author = ? AND delivery = 0 AND position > ? ORDER BY position LIMIT ?)", author, after, limit)
}

func (w *writer) through(ctx context.Context, op, query string, user readmodel.UserKey, after domain.Position, limit int) (end domain.Position, err error) {
	err = w.write(ctx, op, func(c *conn) (err error) {
		end, err = onlyRow(collect(c, scanOne[domain.Position], query, int64(user), int64(after), limit))
		return err
	})
	return end, err
}
