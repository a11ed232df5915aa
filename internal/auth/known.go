package auth

import (
	"time"

	"chirp/internal/domain"
)

// known is a user's access as this server last read it.
type known struct {
	read     time.Time // when reading it began
	stale    bool      // Run's reading of changes says nothing about it
	epoch    int64
	disabled bool
	sessions map[SessionID]*knownSession
	others   knownSession // stands for all tokens without a session, to be seen
}

type knownSession struct {
	epoch int64
	seen  time.Time
}

func newKnown(a Access, read time.Time) *known {
	k := &known{read: read, epoch: a.Epoch, disabled: a.Disabled, sessions: make(map[SessionID]*knownSession, len(a.Sessions))}
	for _, s := range a.Sessions {
		k.sessions[s.ID] = &knownSession{s.Epoch, s.Seen}
	}
	return k
}

// clockSkew is how far the clocks of servers may differ.
const clockSkew = time.Minute

// settles reports whether k can say whether a token is good. It cannot if the
// token's session may have started since k was read.
func (k *known) settles(b Bearer) bool {
	if k.disabled || b.Session == (SessionID{}) || k.sessions[b.Session] != nil {
		return true
	}
	return k.read.Sub(b.Issued) > clockSkew
}

// permit returns an error of kind Unauthenticated if a token is not good.
func (k *known) permit(b Bearer) error {
	session := k.sessions[b.Session]
	switch {
	case k.disabled:
		return domain.Errorf(domain.Unauthenticated, "the account is disabled; ask the operator of this server")
	case b.Identity != domain.Identity{}: // its issuer ends its sessions
		return nil
	case b.Session == SessionID{} && b.Epoch == k.epoch:
		return nil
	case session != nil && session.epoch == b.Epoch:
		return nil
	default:
		return domain.Errorf(domain.Unauthenticated, "the session has ended; log in again")
	}
}
