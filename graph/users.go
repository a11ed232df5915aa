package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// userFromLog returns a user as the log has it. The fields that are only in the
// read model are read when they are asked for, from a snapshot that shows at
// least the position since.
func userFromLog(u command.User, since domain.Position) model.User {
	return model.User{ID: string(u.ID), Username: string(u.Username), JoinedAt: u.JoinedAt, Since: since}
}

// userFromRow returns a user as the read model has it, without what changes.
func userFromRow(u readmodel.User) model.User {
	return model.User{ID: string(u.ID), Username: string(u.Username), JoinedAt: u.JoinedAt, Key: u.Key}
}

// userFromProfile returns a user as the read model has it.
func userFromProfile(p readmodel.Profile) model.User {
	user := userFromRow(p.User())
	user.Profile = &p
	return user
}

// profile returns a user's profile in the snapshot.
func (l *viewerSnapshot) profile(ctx context.Context, u *model.User) (readmodel.Profile, error) {
	if u.Profile != nil {
		return *u.Profile, nil
	}
	var p readmodel.Profile
	var ok bool
	var err error
	if u.Key != 0 {
		p, ok, err = l.profiles.load(ctx, u.Key)
	} else {
		p, ok, err = l.byID.load(ctx, domain.UserID(u.ID))
	}
	if err == nil && !ok {
		err = notVisible(u)
	}
	return p, err
}

// key returns a user's key in the snapshot.
func (l *viewerSnapshot) key(ctx context.Context, u *model.User) (readmodel.UserKey, error) {
	if u.Key != 0 {
		return u.Key, nil
	}
	row, err := l.User(ctx, domain.UserID(u.ID))
	if domain.KindOf(err) == domain.NotFound {
		err = notVisible(u)
	}
	return row.Key, err
}

func notVisible(u *model.User) error {
	return domain.Errorf(domain.NotYetVisible, "user %s is not visible yet; try again", u.ID)
}

// knownProfile returns a user's profile. It reads only if the user does not have
// its profile already.
func knownProfile(ctx context.Context, u *model.User) (readmodel.Profile, error) {
	if u.Profile != nil {
		return *u.Profile, nil
	}
	return withSnapshot(ctx, u.Since, func(l *viewerSnapshot) (readmodel.Profile, error) { return l.profile(ctx, u) })
}

// viewerFollows reports whether the caller follows a user.
func viewerFollows(ctx context.Context, u *model.User) (bool, error) {
	if _, ok := auth.Caller(ctx); !ok {
		return false, nil
	}
	return withSnapshot(ctx, u.Since, func(l *viewerSnapshot) (bool, error) {
		key, err := l.key(ctx, u)
		if err != nil {
			return false, err
		}
		follows, _, err := l.follows.load(ctx, key)
		return follows, err
	})
}

// userByID returns the user with an id, or nil if there is none.
func userByID(ctx context.Context, id string) (*model.User, error) {
	user, err := domain.ParseUserID(id)
	if err != nil {
		return nil, err
	}
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.User, error) {
		u, err := l.User(ctx, user)
		return nilIfNotFound(userFromRow(u), err)
	})
}

// userByName returns the user with a name, or nil if there is none.
func userByName(ctx context.Context, username string) (*model.User, error) {
	name, err := domain.ParseUsername(username)
	if err != nil {
		return nil, err
	}
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.User, error) {
		p, err := l.ProfileByName(ctx, name)
		return nilIfNotFound(userFromProfile(p), err)
	})
}

// nilIfNotFound maps NotFound to a nil result.
func nilIfNotFound[T any](v T, err error) (*T, error) {
	if domain.KindOf(err) == domain.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// viewer returns the user that the token names. If the user exists but is not in
// the read model yet, it returns NotYetVisible, because nil would mean that the
// caller is anonymous.
func (r *Resolver) viewer(ctx context.Context, id domain.UserID) (*model.User, error) {
	u, err := userByID(ctx, string(id))
	if u != nil || err != nil {
		return u, err
	}
	_, err = r.commands.User(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return nil, domain.Errorf(domain.Unauthenticated, "user %s, named by the token, does not exist here; log in again", id)
	}
	if err != nil {
		return nil, err
	}
	return nil, domain.Errorf(domain.NotYetVisible, "your account is not visible yet; try again, or send %s", request.ReadAfterHeader)
}

// node returns the user or chirp that an id names, or nil if there is none.
func node(ctx context.Context, id string) (model.Node, error) {
	if _, err := domain.ParseUserID(id); err == nil {
		u, err := userByID(ctx, id)
		return nodeOrNil(u, err)
	}
	if _, err := domain.ParseChirpID(id); err == nil {
		c, err := chirpByID(ctx, id)
		return nodeOrNil(c, err)
	}
	return nil, domain.Errorf(domain.Invalid, "%.64q is not an id; user ids begin with user_, chirp ids with chirp_", id)
}

// nodeOrNil keeps a nil pointer from becoming an interface that is not nil.
func nodeOrNil[T interface {
	*E
	model.Node
}, E any](v T, err error) (model.Node, error) {
	if v == nil || err != nil {
		return nil, err
	}
	return v, nil
}

// watchProfile sends a user's profile now and after each change. If the user is
// in the log but not in the read model yet, it waits.
func (r *Resolver) watchProfile(ctx context.Context, userID string) (<-chan *model.User, error) {
	id, err := domain.ParseUserID(userID)
	if err != nil {
		return nil, err
	}
	if _, err := r.commands.User(ctx, id); err != nil {
		return nil, err
	}
	latest := func() domain.Position { return r.hub.LatestChange(id) }
	pushOf := func(at domain.Position) push { return push{at: at, latest: latest} }
	follow := func() *subscription.Follower[domain.Position] { return r.hub.FollowProfile(id) }
	return deliver(ctx, follow, pushOf, func(ctx context.Context, at domain.Position) (*model.User, error) {
		return profileAt(ctx, id, at)
	}), nil
}

// profileAt reads a user's profile at a position or later. It returns nil if the
// user is not in the read model.
func profileAt(ctx context.Context, id domain.UserID, at domain.Position) (*model.User, error) {
	return withSnapshot(ctx, at, func(l *viewerSnapshot) (*model.User, error) {
		p, ok, err := l.byID.load(ctx, id)
		if err != nil || !ok {
			return nil, err
		}
		user := userFromProfile(p)
		user.Since = at
		return &user, nil
	})
}
