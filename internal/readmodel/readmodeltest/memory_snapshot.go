package readmodeltest

import (
	"context"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// snapshot reads a state, which never changes.
type snapshot struct{ *state }

func (s snapshot) Generation() readmodel.Generation { return s.generation }

func (s snapshot) Close() {}

func (s snapshot) Totals(context.Context) (readmodel.Totals, error) {
	t := readmodel.Totals{
		Profiles: int64(len(s.profiles)), Chirps: int64(len(s.chirps)), Follows: int64(len(s.follows)), Entries: int64(len(s.timelines)),
	}
	for _, f := range s.follows {
		t.Skipped += f.Skipped
	}
	return t, nil
}

func (s snapshot) ProfileByID(_ context.Context, id domain.UserID) (readmodel.Profile, error) {
	return only(pick(s.profiles, func(p readmodel.Profile) bool { return p.ID == id }))
}

func (s snapshot) ProfileByName(_ context.Context, name domain.Username) (readmodel.Profile, error) {
	return only(pick(s.profiles, func(p readmodel.Profile) bool { return sameName(p.Username, name) }))
}

func (s snapshot) Profiles(_ context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	return pick(s.profiles, func(p readmodel.Profile) bool { return slices.Contains(keys, p.Key) }), nil
}

func (s snapshot) ChirpByID(_ context.Context, id domain.ChirpID) (readmodel.Chirp, error) {
	return only(pick(s.chirps, func(c readmodel.Chirp) bool { return c.ID == id }))
}

func (s snapshot) Chirps(_ context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	return pick(s.chirps, func(c readmodel.Chirp) bool { return slices.Contains(at, c.Position) }), nil
}

func (s snapshot) ChirpsBy(_ context.Context, author readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	own := pick(s.chirps, func(c readmodel.Chirp) bool { return c.Author == author })
	return positions(window(own, chirpAt, w)), nil
}

func (s snapshot) Timeline(_ context.Context, owner readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	var delivered []domain.Position
	for d := range s.timelines {
		if d.owner == owner {
			delivered = append(delivered, d.chirp)
		}
	}
	return window(delivered, itself, w), nil
}

func itself(p domain.Position) domain.Position { return p }

func (s snapshot) Sources(_ context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	var sources []readmodel.Source
	for _, f := range pick(s.follows, func(f readmodel.Follow) bool { return f.Follower == owner }) {
		if f.Pull {
			sources = append(sources, readmodel.Source{Author: f.Followee, Delivery: readmodel.Pull})
		}
		if f.Older > after {
			sources = append(sources, readmodel.Source{Author: f.Followee, Delivery: readmodel.Push, Through: f.Older})
		}
	}
	return sources, nil
}

func (s snapshot) SourceChirps(_ context.Context, sources []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	return positions(window(pick(s.chirps, func(c readmodel.Chirp) bool { return inSome(sources, c) }), chirpAt, w)), nil
}

// inSome reports whether a chirp is in one of the sources.
func inSome(sources []readmodel.Source, c readmodel.Chirp) bool {
	return slices.ContainsFunc(sources, func(of readmodel.Source) bool {
		return c.Author == of.Author && c.Delivery == of.Delivery && (of.Through == 0 || c.Position <= of.Through)
	})
}

func (s snapshot) Followers(_ context.Context, followee readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return window(pick(s.follows, func(f readmodel.Follow) bool { return f.Followee == followee }), followAt, w), nil
}

func (s snapshot) Following(_ context.Context, follower readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return window(pick(s.follows, func(f readmodel.Follow) bool { return f.Follower == follower }), followAt, w), nil
}

func (s snapshot) Follows(_ context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) ([]readmodel.Follow, error) {
	return pick(s.follows, func(f readmodel.Follow) bool {
		return f.Follower == follower && slices.Contains(followees, f.Followee)
	}), nil
}

func (s snapshot) FolloweeIDs(_ context.Context, follower readmodel.UserKey) ([]domain.UserID, error) {
	var ids []domain.UserID
	for _, f := range pick(s.follows, func(f readmodel.Follow) bool { return f.Follower == follower }) {
		if p, exists := s.profiles[f.Followee]; exists {
			ids = append(ids, p.ID)
		}
	}
	return ids, nil
}

func only[R any](rows []R) (R, error) {
	if len(rows) == 0 {
		var none R
		return none, readmodel.ErrNotFound
	}
	return rows[0], nil
}
