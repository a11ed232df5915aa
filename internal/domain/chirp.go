package domain

// ChirpEvent is an event of a chirp.
//
//sumtype:decl
type ChirpEvent interface {
	Event
	ofChirp()
}

// ChirpPosted says that a user published a chirp.
type ChirpPosted struct {
	ChirpID  ChirpID `json:"chirpId"`
	AuthorID UserID  `json:"authorId"`
	Content  Content `json:"content"`
}

// WireName implements Event.
func (ChirpPosted) WireName() string { return chirpPostedV1 }

// Stream implements Event.
func (e ChirpPosted) Stream() StreamID { return ChirpStream(e.ChirpID) }

// Users implements Event.
func (e ChirpPosted) Users() []UserID { return []UserID{e.AuthorID} }

func (e ChirpPosted) hasIDs() bool { return e.ChirpID != "" && e.AuthorID != "" }
func (ChirpPosted) ofChirp()       {}
