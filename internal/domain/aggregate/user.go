package aggregate

import "chirp/internal/domain"

// User is an account, as its own stream or the reservation of its name tells
// it. The zero User is one that was not registered.
type User struct {
	ID       domain.UserID
	Username domain.Username
}

// LoadUser folds the events of a user's stream, or of a username's.
func LoadUser(events []domain.Event) User {
	var u User
	fold(events, u.apply)
	return u
}

// Registered says whether there is such a user.
func (u User) Registered() bool { return u.ID != "" }

// Register decides on a registration, on the User loaded from the stream of
// the name wanted: the account, and the name reserved for it, or
// UsernameTaken.
func (u User) Register(id domain.UserID, name domain.Username) ([]domain.Event, error) {
	if u.Registered() {
		return nil, domain.Errorf(domain.UsernameTaken, "username %q is taken; choose another", name)
	}
	return []domain.Event{
		domain.UserRegistered{UserID: id, Username: name},
		domain.UsernameReserved{UserID: id, Username: name},
	}, nil
}

func (u *User) apply(e domain.UserEvent) {
	switch e := e.(type) {
	case domain.UserRegistered:
		u.ID, u.Username = e.UserID, e.Username
	case domain.UsernameReserved:
		u.ID, u.Username = e.UserID, e.Username
	}
}
