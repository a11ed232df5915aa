package command

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
	"chirp/internal/eventstore"
)

// RegisterUser is the command to create an account, either with a password or
// for an external identity.
type RegisterUser struct {
	Meta
	Username string
	Password string          // empty if there is an identity
	Identity domain.Identity // zero if there is a password
}

// User is an account as the log records it. It never changes.
type User struct {
	ID       domain.UserID
	Username domain.Username
	JoinedAt time.Time // UTC
}

// Registered is the result of RegisterUser.
type Registered struct {
	User     User
	Position domain.Position
	// Repeated is set if an earlier call created the account. It may have had
	// another password, so a caller without an identity must still prove that
	// its password is the account's.
	Repeated bool
}

// RegisterUser creates an account. A name that another user has, in whatever
// case, is UsernameTaken, and an identity that has an account is a Conflict. The
// credential is saved before the events are appended: the events alone create
// the account, and a credential without them is swept later. An identity needs
// no credential; the same append reserves it.
func (h *Handler) RegisterUser(ctx context.Context, c RegisterUser) (Registered, error) {
	name, err := domain.ParseUsername(c.Username)
	if err != nil {
		return Registered{}, err
	}
	if err := c.checkProof(); err != nil {
		return Registered{}, err
	}
	// The fingerprint is stored in the log, so it must not cover the password.
	x, err := h.newExecution(c.Meta, domain.RegistrationActor(name, c.Identity), "RegisterUser", string(name))
	if err != nil {
		return Registered{}, err
	}
	id := domain.UserIDFrom(h.NewID())
	x.decide = h.decideRegistration(id, name, c)
	commit, err := h.execute(ctx, x)
	if err != nil {
		return Registered{}, err
	}
	user, err := userFrom(commit.Events)
	if err != nil {
		return Registered{}, err
	}
	h.known.add(user)
	// A commit that has this call's new id is its own, sent twice.
	repeated := commit.Repeated && user.ID != id
	return Registered{User: user, Position: commit.Position(), Repeated: repeated}, nil
}

// checkProof checks that there is one way to log in to the account: a password
// or an external identity.
func (c RegisterUser) checkProof() error {
	if c.Identity == (domain.Identity{}) {
		return domain.CheckPassword(c.Password)
	}
	if c.Password != "" {
		return domain.Errorf(domain.Invalid, "an account for an external token has no password; leave it out")
	}
	_, err := domain.ParseIdentity(c.Identity.Issuer, c.Identity.Subject)
	return err
}

// decideRegistration returns the decide function of a registration. It looks at
// the reservations before it saves the credential, because hashing a password is
// expensive and the name is often taken. The append has the last word.
func (h *Handler) decideRegistration(id domain.UserID, name domain.Username, c RegisterUser) func(ctx context.Context, d *decision) ([]domain.Event, error) {
	saved := false
	return func(ctx context.Context, d *decision) ([]domain.Event, error) {
		identified, err := d.reserveIdentity(ctx, id, c.Identity)
		if err != nil {
			return nil, err
		}
		reservation, err := d.load(ctx, domain.UsernameStream(name))
		if err != nil {
			return nil, err
		}
		events, err := aggregate.LoadUser(reservation).Register(id, name)
		if err != nil {
			return nil, err
		}
		if !saved && c.Password != "" {
			if err := h.SaveCredential(ctx, id, c.Password); err != nil {
				return nil, fmt.Errorf("save the credential of %s: %w", id, err)
			}
			saved = true
		}
		return append(events, identified...), nil
	}
}

// FindUser returns the user with a name, in whatever case, from the log. A name
// that no user has is NotFound, and one that no user can have Invalid.
func (h *Handler) FindUser(ctx context.Context, username string) (User, error) {
	name, err := domain.ParseUsername(username)
	if err != nil {
		return User{}, err
	}
	u, err := h.loadUser(ctx, domain.UsernameStream(name))
	if errors.Is(err, errNoUser) {
		return User{}, domain.Errorf(domain.NotFound, "there is no user named %q", name)
	}
	return u, err
}

// User returns a user from the log, or NotFound. Callers who ask for one user at the
// same time share one read.
func (h *Handler) User(ctx context.Context, id domain.UserID) (User, error) {
	if u, ok := h.known.user(id); ok {
		return u, nil
	}
	load := func() (any, error) { return h.loadUser(ctx, domain.UserStream(id)) }
	loaded, err, _ := h.loading.Do(string(id), load)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil { // the caller that was reading has left
		loaded, err = load()
	}
	if errors.Is(err, errNoUser) {
		return User{}, domain.Errorf(domain.NotFound, "there is no user %.64q", id)
	}
	u, _ := loaded.(User)
	return u, err
}

// checkCaller checks that the caller has an account in this log. A valid token
// may come from another store and name a user that does not exist here.
func (h *Handler) checkCaller(ctx context.Context, id domain.UserID) error {
	if id == "" {
		return domain.Errorf(domain.Unauthenticated, "the call is anonymous; log in first")
	}
	_, err := h.User(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Errorf(domain.Unauthenticated, "the token's user %s does not exist here; log in again", id)
	}
	return err
}

var errNoUser = errors.New("no such user")

func (h *Handler) loadUser(ctx context.Context, stream domain.StreamID) (User, error) {
	stored, err := h.Events.Load(ctx, stream)
	if err != nil {
		return User{}, fmt.Errorf("load %s: %w", stream, err)
	}
	u, err := userFrom(stored)
	if err != nil {
		return User{}, err
	}
	h.known.add(u)
	return u, nil
}

// userFrom folds a user's events, or those of its username's reservation, which
// the same append wrote. It returns errNoUser if there are none.
func userFrom(stored []eventstore.Event) (User, error) {
	events, err := decodeAll(stored)
	if err != nil {
		return User{}, err
	}
	u := aggregate.LoadUser(events)
	if !u.Registered() {
		return User{}, errNoUser
	}
	return User{ID: u.ID, Username: u.Username, JoinedAt: stored[0].RecordedAt}, nil
}

const maxKnown = 10_000

// known caches users, and the users of external identities. Neither ever changes
// or goes away, so the cache is never stale. The zero value is ready to use.
type known struct {
	mu         sync.Mutex
	users      map[domain.UserID]User
	identities map[domain.StreamID]domain.UserID
}

func (k *known) user(id domain.UserID) (User, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	u, ok := k.users[id]
	return u, ok
}

func (k *known) add(u User) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users = remember(k.users, u.ID, u)
}

func (k *known) identity(stream domain.StreamID) (domain.UserID, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	user, ok := k.identities[stream]
	return user, ok
}

func (k *known) identify(stream domain.StreamID, user domain.UserID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.identities = remember(k.identities, stream, user)
}

// remember adds an entry to a map, which it creates if it is nil. If the map is
// full, the entry replaces another one.
func remember[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = make(map[K]V)
	}
	if _, ok := m[key]; !ok && len(m) >= maxKnown {
		for other := range m { // any of them: the order is random enough
			delete(m, other)
			break
		}
	}
	m[key] = value
	return m
}
