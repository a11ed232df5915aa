package aggregate

import "chirp/internal/domain"

// Identity is an external identity, as its reservation records it. The zero
// Identity is not reserved.
type Identity struct {
	User domain.UserID
}

// LoadIdentity folds the events of an identity's stream.
func LoadIdentity(events []domain.Event) Identity {
	var i Identity
	fold(events, i.apply)
	return i
}

// Reserve decides on reserving the identity, loaded from its own stream, for a
// new user. It is a Conflict if another user has it.
func (i Identity) Reserve(id domain.UserID, who domain.Identity) ([]domain.Event, error) {
	if i.User != "" {
		return nil, domain.Errorf(domain.Conflict, "the token's identity already has an account, %s; use the token as it is", i.User)
	}
	return []domain.Event{domain.IdentityReserved{UserID: id, Issuer: who.Issuer, Subject: who.Subject}}, nil
}

func (i *Identity) apply(e domain.IdentityEvent) {
	switch e := e.(type) {
	case domain.IdentityReserved:
		i.User = e.UserID
	}
}
