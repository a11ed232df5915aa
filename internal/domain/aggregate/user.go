package aggregate

import "chirp/internal/domain"

// User is an account, as its own stream or its username's reservation records
// it. The zero User is not registered.
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

// Registered reports whether the user exists.
func (u User) Registered() bool { return u.ID != "" }

// Register decides on creating an account. The User is loaded from the stream of
// the wanted name; if the name is free, the events create the account and
// reserve the name, and otherwise it is UsernameTaken.
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
