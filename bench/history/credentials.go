package history

import (
	"slices"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Credentials are those of some users of a history.
type Credentials struct {
	Users []domain.UserID
	Hash  string // of the password that all of them have, "" for none
	// Secret signs tokens. If it is set, each user has a session.
	Secret []byte
}

// write writes the credentials, unless there are none.
func (c Credentials) write(w *Writer) {
	if len(c.Users) == 0 {
		return
	}
	if len(c.Secret) > 0 {
		w.line(map[string]any{"tokenSecret": c.Secret})
	}
	started := time.Now()
	for _, user := range slices.Sorted(slices.Values(c.Users)) {
		line := map[string]any{"user": user}
		if c.Hash != "" {
			line["hash"] = c.Hash
		}
		if len(c.Secret) > 0 {
			session := map[string]any{"id": sessionOf(user).String(), "started": format(started), "expires": format(started.Add(auth.TokenLifetime))}
			line["access"] = map[string]any{"sessions": []any{session}}
		}
		w.line(line)
	}
	w.line(map[string]any{"credentials": len(c.Users)})
}

// sessionOf returns the session of a user. It depends only on the user's id.
func sessionOf(user domain.UserID) (id auth.SessionID) {
	copy(id[:], user[len(user)-len(id):])
	return id
}

// Token returns a token of a user's session, for a store into which the history was
// imported with its token secret.
func (c Credentials) Token(user domain.UserID) (string, error) {
	tokens, err := auth.NewTokens(c.Secret, time.Now)
	if err != nil {
		return "", err
	}
	return tokens.Issue(auth.Bearer{User: user, Session: sessionOf(user)})
}
