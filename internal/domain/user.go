package domain

// UserEvent is an event of an account or of its username's reservation.
//
//sumtype:decl
type UserEvent interface {
	Event
	ofUser()
}

// UserRegistered says that an account was created.
type UserRegistered struct {
	UserID   UserID   `json:"userId"`
	Username Username `json:"username"`
}

// WireName implements Event.
func (UserRegistered) WireName() string { return userRegisteredV1 }

// Stream implements Event.
func (e UserRegistered) Stream() StreamID { return UserStream(e.UserID) }

// Users implements Event.
func (e UserRegistered) Users() []UserID { return []UserID{e.UserID} }

func (e UserRegistered) hasIDs() bool { return e.UserID != "" }
func (UserRegistered) ofUser()        {}

// UsernameReserved says that a name belongs to a user from now on.
type UsernameReserved struct {
	UserID   UserID   `json:"userId"`
	Username Username `json:"username"`
}

// WireName implements Event.
func (UsernameReserved) WireName() string { return usernameReservedV1 }

// Stream implements Event.
func (e UsernameReserved) Stream() StreamID { return UsernameStream(e.Username) }

// Users implements Event.
func (UsernameReserved) Users() []UserID { return nil }

func (e UsernameReserved) hasIDs() bool { return e.UserID != "" }
func (UsernameReserved) ofUser()        {}
