package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// userOf is a user as the log tells it. What the log does not tell is read
// when it is asked for, from a view that shows at least a position.
func userOf(u command.User, since domain.Position) model.User {
	return model.User{ID: string(u.ID), Username: string(u.Username), JoinedAt: u.JoinedAt, Since: since}
}

// profileUser is a user as the read model has it.
func profileUser(p readmodel.Profile) model.User {
	return model.User{ID: string(p.ID), Username: string(p.Username), JoinedAt: p.JoinedAt, Profile: &p}
}

// profile returns a user's profile as a view shows it.
func (l *lens) profile(ctx context.Context, u *model.User) (readmodel.Profile, error) {
	if u.Profile != nil {
		return *u.Profile, nil
	}
	p, ok, err := l.byID.load(ctx, domain.UserID(u.ID))
	if err == nil && !ok {
		err = domain.Errorf(domain.NotYetVisible, "user %s is not visible yet; try again", u.ID)
	}
	return p, err
}

// knownProfile returns a user's profile, from a view only if it is not known.
func knownProfile(ctx context.Context, u *model.User) (readmodel.Profile, error) {
	if u.Profile != nil {
		return *u.Profile, nil
	}
	return look(ctx, u.Since, func(l *lens) (readmodel.Profile, error) { return l.profile(ctx, u) })
}

// viewerFollows says whether the caller follows a user.
func viewerFollows(ctx context.Context, u *model.User) (bool, error) {
	if _, ok := auth.Caller(ctx); !ok {
		return false, nil
	}
	return look(ctx, u.Since, func(l *lens) (bool, error) {
		p, err := l.profile(ctx, u)
		if err != nil {
			return false, err
		}
		follows, _, err := l.follows.load(ctx, p.Key)
		return follows, err
	})
}

// userByID gives the user with an id, nil if there is none.
func userByID(ctx context.Context, id string) (*model.User, error) {
	user, err := domain.ParseUserID(id)
	if err != nil {
		return nil, err
	}
	return look(ctx, 0, func(l *lens) (*model.User, error) {
		p, err := l.Profile(ctx, user)
		return orNull(profileUser(p), err)
	})
}

// userByName gives the user with a name, nil if there is none.
func userByName(ctx context.Context, username string) (*model.User, error) {
	name, err := domain.ParseUsername(username)
	if err != nil {
		return nil, err
	}
	return look(ctx, 0, func(l *lens) (*model.User, error) {
		p, err := l.ProfileByName(ctx, name)
		return orNull(profileUser(p), err)
	})
}

// orNull makes of NotFound that there is nothing.
func orNull[T any](v T, err error) (*T, error) {
	if domain.KindOf(err) == domain.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// viewer gives the user whom the token names. One who exists and is not in the
// read model yet is told so, rather than be taken for nobody.
func (r *Resolver) viewer(ctx context.Context, id domain.UserID) (*model.User, error) {
	u, err := userByID(ctx, string(id))
	if u != nil || err != nil {
		return u, err
	}
	_, err = r.commands.User(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return nil, domain.Errorf(domain.Unauthenticated, "user %s, whom the token names, does not exist here; log in again", id)
	}
	if err != nil {
		return nil, err
	}
	return nil, domain.Errorf(domain.NotYetVisible, "your account is not visible yet; try again, or send %s", request.ReadAfterHeader)
}

// node gives what an id names, by the kind that the id says.
func node(ctx context.Context, id string) (model.Node, error) {
	if _, err := domain.ParseUserID(id); err == nil {
		u, err := userByID(ctx, id)
		return orNil(u, err)
	}
	if _, err := domain.ParseChirpID(id); err == nil {
		c, err := chirpByID(ctx, id)
		return orNil(c, err)
	}
	return nil, domain.Errorf(domain.Invalid, "%.64q is not an id; those of users begin with user_, those of chirps with chirp_", id)
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[T interface {
	*E
	model.Node
}, E any](v T, err error) (model.Node, error) {
	if v == nil || err != nil {
		return nil, err
	}
	return v, nil
}

// watchProfile gives a user's profile at once and after each change. A user
// who is in the log and not in the read model yet is waited for.
func (r *Resolver) watchProfile(ctx context.Context, userID string) (<-chan *model.User, error) {
	id, err := domain.ParseUserID(userID)
	if err != nil {
		return nil, err
	}
	if _, err := r.commands.User(ctx, id); err != nil {
		return nil, err
	}
	return push(ctx, r, r.hub.Profile(ctx, id), func(at domain.Position) (*model.User, error) {
		return r.profileAt(ctx, id, at)
	}), nil
}

// profileAt reads a user's profile as of a position or later, nil if it is not
// there. Those who watch one user at the same time share the view.
func (r *Resolver) profileAt(ctx context.Context, id domain.UserID, at domain.Position) (*model.User, error) {
	v, release, err := r.views.share(ctx, at)
	if err != nil {
		return nil, err
	}
	defer release()
	p, ok, err := v.byID.load(ctx, id)
	if err != nil || !ok {
		return nil, err
	}
	user := profileUser(p)
	user.Since = at
	return &user, nil
}
