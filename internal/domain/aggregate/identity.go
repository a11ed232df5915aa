package aggregate

import "chirp/internal/domain"

// Identity is an outside identity, as its reservation tells it. The zero
// Identity is one that no user has.
type Identity struct {
	User domain.UserID
}

// LoadIdentity folds the events of an identity's stream.
func LoadIdentity(events []domain.Event) Identity {
	var i Identity
	fold(events, i.apply)
	return i
}

// Reserve decides on giving an identity, loaded from its own stream, to a new
// user: that is a Conflict if it has one.
func (i Identity) Reserve(id domain.UserID, who domain.Identity) ([]domain.Event, error) {
	if i.User != "" {
		return nil, domain.Errorf(domain.Conflict, "your token's identity has an account already, %s; go on with the token as it is", i.User)
	}
	return []domain.Event{domain.IdentityReserved{UserID: id, Issuer: who.Issuer, Subject: who.Subject}}, nil
}

func (i *Identity) apply(e domain.IdentityEvent) {
	switch e := e.(type) {
	case domain.IdentityReserved:
		i.User = e.UserID
	}
}
