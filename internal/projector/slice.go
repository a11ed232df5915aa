package projector

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// applySliced applies the batch of a single event that has more deliveries
// than one transaction should. The event has one change over a range; all but
// the last transaction hold a slice of that range and nothing else, and note in
// Checkpoint.Partial how far they came. The last one holds the rest of the
// range and the rows, and moves the checkpoint's position. It goes on where a
// stored Partial says, whatever the limits were then.
func (s *session) applySliced(ctx context.Context, whole readmodel.Batch) error {
	for {
		end, err := s.sliceEnd(ctx, whole)
		if err != nil {
			return err
		}
		part := slice(whole, readmodel.Range{After: s.at.Partial, Through: end})
		if end == 0 {
			part = rest(whole, s.at.Partial)
		}
		part.From = s.at
		if err := s.apply(ctx, part); err != nil || end == 0 {
			return err
		}
	}
}

// sliceEnd says where the next slice of the batch's range ends, or 0 if all
// that is left fits in one transaction.
func (s *session) sliceEnd(ctx context.Context, b readmodel.Batch) (domain.Position, error) {
	through, user := s.writer.FollowersThrough, readmodel.UserKey(0)
	switch {
	case len(b.FanOuts) > 0:
		user = b.FanOuts[0].Author
	case len(b.Marks) > 0:
		user = b.Marks[0].Followee
	case len(b.Backfills) > 0:
		through, user = s.writer.PushedThrough, b.Backfills[0].Author
	case len(b.Cleanups) > 0:
		through, user = s.writer.PushedThrough, b.Cleanups[0].Author
	default:
		return 0, nil
	}
	end, err := through(ctx, user, s.at.Partial, s.maxDeliveries)
	if err != nil || end == 0 {
		return 0, err
	}
	next, err := through(ctx, user, end, 1)
	if err != nil || next == 0 {
		return 0, err
	}
	return end, nil
}

// slice gives the part of a batch that is about a range, without its rows.
func slice(b readmodel.Batch, r readmodel.Range) readmodel.Batch {
	part := readmodel.Batch{To: readmodel.Checkpoint{Position: b.From.Position, Partial: r.Through, Event: b.From.Event}}
	for _, f := range b.FanOuts {
		part.FanOuts = []readmodel.FanOut{{Chirp: f.Chirp, Author: f.Author, Range: r}}
	}
	for _, m := range b.Marks {
		part.Marks = []readmodel.Mark{{Followee: m.Followee, Range: r}}
	}
	for _, d := range b.Backfills {
		part.Backfills = []readmodel.Delivered{{Owner: d.Owner, Author: d.Author, Range: r}}
	}
	for _, d := range b.Cleanups {
		part.Cleanups = []readmodel.Delivered{{Owner: d.Owner, Author: d.Author, Range: r}}
	}
	return part
}

// rest gives a batch without the part of its range up to after.
func rest(b readmodel.Batch, after domain.Position) readmodel.Batch {
	for i := range b.FanOuts {
		b.FanOuts[i].After = after
	}
	for i := range b.Marks {
		b.Marks[i].After = after
	}
	for i := range b.Backfills {
		b.Backfills[i].After = after
	}
	for i := range b.Cleanups {
		b.Cleanups[i].After = after
	}
	return b
}
