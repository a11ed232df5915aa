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

// RegisterUser asks for an account, for whoever will know the password or, in
// place of one, for whoever an outside issuer's tokens say it is.
type RegisterUser struct {
	Meta
	Username string
	Password string          // empty with an identity
	Identity domain.Identity // the zero one with a password
}

// User is an account as the log tells it. None of it ever changes.
type User struct {
	ID       domain.UserID
	Username domain.Username
	JoinedAt time.Time // UTC
}

// Registered is the answer to RegisterUser.
type Registered struct {
	User     User
	Position domain.Position
	// Repeated is set when an earlier call made the account, maybe with another
	// password: User.ID is then that account's, and whoever is calling without
	// an identity must show that its password is theirs before being let in.
	Repeated bool
}

// RegisterUser makes an account. A name that somebody has, in whatever case,
// is UsernameTaken, and an identity that has an account is a Conflict. The
// credential is saved before the events are appended: only the events make an
// account, and a credential without them is left to be swept. An identity needs
// none; it is reserved by the same append.
func (h *Handler) RegisterUser(ctx context.Context, c RegisterUser) (Registered, error) {
	name, err := domain.ParseUsername(c.Username)
	if err != nil {
		return Registered{}, err
	}
	if err := c.checkProof(); err != nil {
		return Registered{}, err
	}
	// The password is no part of the fingerprint, which is kept in the log.
	x, err := h.newExecution(c.Meta, c.actor(name), "RegisterUser", string(name))
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
	// A commit found under our own new id is this call's, sent twice.
	repeated := commit.Repeated && user.ID != id
	return Registered{User: user, Position: commit.Position(), Repeated: repeated}, nil
}

// checkProof sees that an account can be got into in one way: by a password or
// as an outside identity.
func (c RegisterUser) checkProof() error {
	if c.Identity == (domain.Identity{}) {
		return domain.CheckPassword(c.Password)
	}
	if c.Password != "" {
		return domain.Errorf(domain.Invalid, "there is a password beside an outside token; leave the password out, for the token goes on standing for it")
	}
	_, err := domain.ParseIdentity(c.Identity.Issuer, c.Identity.Subject)
	return err
}

// actor is who a registration's command id belongs to: whoever asks for that
// name, or the identity, whose ids nobody else can use or overhear.
func (c RegisterUser) actor(name domain.Username) string {
	if c.Identity == (domain.Identity{}) {
		return name.Folded()
	}
	return string(domain.IdentityStream(c.Identity))
}

// decideRegistration looks at the reservations before it saves the credential,
// for hashing a password is costly and the answer is often known. The append
// decides all the same.
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

// FindUser gives the user that has a name, in whatever case, from the log. A
// name that nobody has is NotFound, one that nobody can have Invalid.
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

// User gives a user from the log, NotFound if there is none.
func (h *Handler) User(ctx context.Context, id domain.UserID) (User, error) {
	if u, ok := h.known.user(id); ok {
		return u, nil
	}
	u, err := h.loadUser(ctx, domain.UserStream(id))
	if errors.Is(err, errNoUser) {
		return User{}, domain.Errorf(domain.NotFound, "there is no user %.64q", id)
	}
	return u, err
}

// acting checks that who is calling has an account in this log; a token of
// another store can be good and name nobody here.
func (h *Handler) acting(ctx context.Context, id domain.UserID) error {
	if id == "" {
		return domain.Errorf(domain.Unauthenticated, "nobody is calling; log in first")
	}
	_, err := h.User(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Errorf(domain.Unauthenticated, "user %s, whom the token names, does not exist here; log in again", id)
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

// userFrom folds a user's events, or those of a username's reservation, which
// were written in the same commit. It gives errNoUser if there are none.
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

// known remembers some users, and which outside identities are whose. Neither
// ever changes or ceases to exist, so what is remembered is never wrong. The
// zero value is ready to use.
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

// remember adds to a map, made if it is nil, in place of another entry if it
// is full.
func remember[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = make(map[K]V)
	}
	if _, ok := m[key]; !ok && len(m) >= maxKnown {
		for other := range m { // any one: the order of a map is random enough
			delete(m, other)
			break
		}
	}
	m[key] = value
	return m
}
