package aggregate

import "chirp/internal/domain"

// Chirp is a chirp. The zero Chirp has not been posted.
type Chirp struct {
	ID      domain.ChirpID
	Author  domain.UserID
	Content domain.Content
}

// LoadChirp folds the events of a chirp's stream.
func LoadChirp(events []domain.Event) Chirp {
	var c Chirp
	fold(events, c.apply)
	return c
}

// Posted reports whether the chirp exists.
func (c Chirp) Posted() bool { return c.ID != "" }

// Post decides on posting a chirp under a new id. A chirp is posted once and
// never changes. Ids are unique, so one that is in use is Internal.
func (c Chirp) Post(id domain.ChirpID, author domain.UserID, content domain.Content) ([]domain.Event, error) {
	if c.Posted() {
		return nil, domain.Errorf(domain.Internal, "chirp %s was already posted", c.ID)
	}
	return []domain.Event{domain.ChirpPosted{ChirpID: id, AuthorID: author, Content: content}}, nil
}

func (c *Chirp) apply(e domain.ChirpEvent) {
	switch e := e.(type) {
	case domain.ChirpPosted:
		c.ID, c.Author, c.Content = e.ChirpID, e.AuthorID, e.Content
	}
}
