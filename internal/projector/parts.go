package projector

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// applyInParts applies the batch of a single event that has more deliveries than
// one transaction should. Such an event has one change over a range of positions, or
// is a follow, whose backfill is bounded and is applied whole.
// Every transaction but the last applies a part of that range and nothing else, and
// stores in Checkpoint.Partial how far it came. The last one applies the remainder
// of the range and the event's rows, and moves the checkpoint's position. If a
// Partial is stored already, applyInParts continues from there, no matter what the
// limits were when it was stored.
func (s *session) applyInParts(ctx context.Context, whole readmodel.Batch) error {
	for {
		end, err := s.partEnd(ctx, whole)
		if err != nil {
			return err
		}
		part := partOf(whole, s.at.Partial, end)
		if end == 0 {
			part = remainder(whole, s.at.Partial)
		}
		part.From = s.at
		if err := s.apply(ctx, part); err != nil || end == 0 {
			return err
		}
	}
}

// partEnd returns where the next part of the batch's range ends, or 0 if the
// remainder fits in one transaction.
func (s *session) partEnd(ctx context.Context, b readmodel.Batch) (domain.Position, error) {
	through, user, after := s.writer.FollowersThrough, readmodel.UserKey(0), s.at.Partial
	switch {
	case len(b.FanOuts) > 0:
		user = b.FanOuts[0].Author
	case len(b.Marks) > 0:
		user = b.Marks[0].Followee
	case len(b.Cleanups) > 0:
		through, user = s.writer.PushedThrough, b.Cleanups[0].Author
		after = max(after, b.Cleanups[0].After)
	default:
		return 0, nil
	}
	end, err := through(ctx, user, after, s.maxDeliveries)
	if err != nil || end == 0 {
		return 0, err
	}
	// If nothing comes after end, the part is the remainder.
	next, err := through(ctx, user, end, 1)
	if err != nil || next == 0 {
		return 0, err
	}
	return end, nil
}

// partOf returns the part of a batch between two positions of its range, without the
// batch's rows.
func partOf(b readmodel.Batch, after, through domain.Position) readmodel.Batch {
	part := readmodel.Batch{To: readmodel.Checkpoint{Position: b.From.Position, Partial: through, Event: b.From.Event}}
	between := func(r readmodel.Range) readmodel.Range {
		return readmodel.Range{After: max(after, r.After), Through: through}
	}
	for _, f := range b.FanOuts {
		part.FanOuts = []readmodel.FanOut{{Chirp: f.Chirp, Author: f.Author, Range: between(f.Range)}}
	}
	for _, m := range b.Marks {
		part.Marks = []readmodel.Mark{{Followee: m.Followee, Range: between(m.Range)}}
	}
	for _, d := range b.Cleanups {
		part.Cleanups = []readmodel.Delivered{{Owner: d.Owner, Author: d.Author, Range: between(d.Range)}}
	}
	return part
}

// remainder returns a batch without the part of its range up to after.
func remainder(b readmodel.Batch, after domain.Position) readmodel.Batch {
	for i := range b.FanOuts {
		b.FanOuts[i].After = max(b.FanOuts[i].After, after)
	}
	for i := range b.Marks {
		b.Marks[i].After = max(b.Marks[i].After, after)
	}
	for i := range b.Cleanups {
		b.Cleanups[i].After = max(b.Cleanups[i].After, after)
	}
	return b
}
