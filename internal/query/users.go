package query

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// User returns what is constant of a user's profile, or NotFound.
func (r *Reader) User(ctx context.Context, id domain.UserID) (readmodel.User, error) {
	if u, ok := r.knownUser(ctx, id); ok {
		return u, nil
	}
	p, err := r.profileByID(ctx, id)
	return p.User(), err
}

// UsersByKey returns what is constant of the profiles of many users in at most one read,
// omitting those that do not exist. Keys may repeat.
func (r *Reader) UsersByKey(ctx context.Context, keys []readmodel.UserKey) (map[readmodel.UserKey]readmodel.User, error) {
	users := make(map[readmodel.UserKey]readmodel.User, len(keys))
	keys = unique(keys)
	if c, history := r.cached(ctx); history != 0 {
		keys = c.usersOf(history, keys, users)
	}
	profiles, err := r.ProfilesByKey(ctx, keys)
	for k, p := range profiles {
		users[k] = p.User()
	}
	return users, err
}

// Profile returns a user's profile, or NotFound.
func (r *Reader) Profile(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	if u, ok := r.knownUser(ctx, id); ok {
		profiles, err := r.ProfilesByKey(ctx, []readmodel.UserKey{u.Key})
		if p, ok := profiles[u.Key]; ok || err != nil {
			return p, err
		}
	}
	return r.profileByID(ctx, id)
}

func (r *Reader) profileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	p, err := r.views.ProfileByID(ctx, id)
	return r.found(ctx, p, err, "user", string(id))
}

// ProfileByName returns the profile of the user with a name, ignoring case, or
// NotFound.
func (r *Reader) ProfileByName(ctx context.Context, name domain.Username) (readmodel.Profile, error) {
	p, err := r.views.ProfileByName(ctx, name)
	return r.found(ctx, p, err, "user named", string(name))
}

// found returns a profile that was looked up, or the error for the client.
func (r *Reader) found(ctx context.Context, p readmodel.Profile, err error, what, name string) (readmodel.Profile, error) {
	if err == nil && r.beyond(domain.Position(p.Key)) {
		err = readmodel.ErrNotFound
	}
	if err != nil {
		return readmodel.Profile{}, lookupError(err, what, name)
	}
	r.remember(ctx, p)
	return p, nil
}

// ProfilesByKey returns the profiles of many users in at most one read, omitting those
// that do not exist. Keys may repeat.
func (r *Reader) ProfilesByKey(ctx context.Context, keys []readmodel.UserKey) (map[readmodel.UserKey]readmodel.Profile, error) {
	profiles := make(map[readmodel.UserKey]readmodel.Profile, len(keys))
	missing := r.remembered(unique(keys), profiles)
	if len(missing) == 0 {
		return profiles, nil
	}
	rows, err := r.views.Profiles(ctx, missing)
	if err != nil {
		return nil, fmt.Errorf("read %d profiles: %w", len(missing), err)
	}
	for _, p := range rows {
		if !r.beyond(domain.Position(p.Key)) {
			profiles[p.Key] = p
			r.remember(ctx, p)
		}
	}
	return profiles, nil
}

// remember keeps a profile that was read, for this Reader, and what is constant of it,
// for all.
func (r *Reader) remember(ctx context.Context, p readmodel.Profile) {
	r.mu.Lock()
	if r.profiles == nil {
		r.profiles, r.keys = map[readmodel.UserKey]readmodel.Profile{}, map[domain.UserID]readmodel.UserKey{}
	}
	r.profiles[p.Key], r.keys[p.ID] = p, p.Key
	r.mu.Unlock()
	if c, history := r.cached(ctx); history != 0 {
		c.addUsers(history, p.User())
	}
}

// remembered adds the profiles with some keys that this Reader has read to found, and
// returns the other keys.
func (r *Reader) remembered(keys []readmodel.UserKey, found map[readmodel.UserKey]readmodel.Profile) (missing []readmodel.UserKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if p, ok := r.profiles[k]; ok {
			found[k] = p
		} else {
			missing = append(missing, k)
		}
	}
	return missing
}

// knownUser returns the user with an id without a read, if this Reader has read that
// user, or the cache has one whom it shows.
func (r *Reader) knownUser(ctx context.Context, id domain.UserID) (readmodel.User, bool) {
	r.mu.Lock()
	p, ok := r.profiles[r.keys[id]]
	r.mu.Unlock()
	if ok {
		return p.User(), true
	}
	c, history := r.cached(ctx)
	if history == 0 {
		return readmodel.User{}, false
	}
	u, ok := c.userByID(history, id)
	return u, ok && !r.beyond(domain.Position(u.Key))
}

// key returns a user's key, or 0 if the views don't show the user yet.
func (r *Reader) key(ctx context.Context, id domain.UserID) (readmodel.UserKey, error) {
	u, err := r.User(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return 0, nil
	}
	return u.Key, err
}
