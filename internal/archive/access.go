package archive

import (
	"time"

	"chirp/internal/auth"
)

// accessLine is the JSON form of a user's access. It lacks where sessions were used
// from, which nobody else needs to know.
type accessLine struct {
	Epoch    int64         `json:"epoch,omitempty"`
	Disabled bool          `json:"disabled,omitempty"`
	Sessions []sessionLine `json:"sessions,omitempty"`
}

// maxEpoch is more than any user's epoch reaches, and far from where counting
// overflows.
const maxEpoch = 1 << 40

type sessionLine struct {
	ID      string `json:"id"`
	Epoch   int64  `json:"epoch,omitempty"`
	Started string `json:"started"`
	Expires string `json:"expires"`
}

// newAccessLine returns the JSON form of an access, or nil if that is zero.
func newAccessLine(a auth.Access) *accessLine {
	if (auth.Credential{Access: a}).Empty() {
		return nil
	}
	line := &accessLine{Epoch: a.Epoch, Disabled: a.Disabled}
	for _, s := range a.Sessions {
		line.Sessions = append(line.Sessions, sessionLine{s.ID.String(), s.Epoch, formatTime(s.Started), formatTime(s.Expires)})
	}
	return line
}

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// access returns the access of a line, which may be nil. It returns false for a line
// that no access has.
func (l *accessLine) access() (a auth.Access, ok bool) {
	if l == nil {
		return auth.Access{}, true
	}
	a = auth.Access{Epoch: l.Epoch, Disabled: l.Disabled}
	if a.Epoch < 0 || a.Epoch > maxEpoch || len(l.Sessions) > auth.MaxSessions {
		return a, false
	}
	for _, s := range l.Sessions {
		id, err := auth.ParseSessionID(s.ID)
		started, notStarted := time.Parse(timeLayout, s.Started)
		expires, notExpires := time.Parse(timeLayout, s.Expires)
		if err != nil || notStarted != nil || notExpires != nil || s.Epoch < 0 || s.Epoch > a.Epoch {
			return a, false
		}
		a.Sessions = append(a.Sessions, auth.Session{ID: id, Epoch: s.Epoch, Started: started, Expires: expires, Seen: started})
	}
	return a, !(auth.Credential{Access: a}).Empty()
}
