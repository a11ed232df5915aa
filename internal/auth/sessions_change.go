package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chirp/internal/domain"
)

// Start starts a session of a user and returns its token. epoch is the user's when
// the caller proved to be the user. If all sessions of the user were ended since, the
// error is of kind Unavailable.
func (s *Sessions) Start(ctx context.Context, user domain.UserID, epoch int64) (token string, err error) {
	now := s.tokens.now()
	session := Session{
		ID: NewSessionID(), Epoch: epoch, Client: clientOf(ctx),
		Started: now, Seen: now, Expires: now.Add(TokenLifetime),
	}
	err = s.store.AddSession(ctx, user, session)
	if errors.Is(err, ErrEpochMoved) {
		return "", &domain.Error{Kind: domain.Unavailable, Msg: "the sessions of the account were ended at the same time; log in again", RetryAfter: time.Second}
	}
	if err != nil {
		return "", fmt.Errorf("start a session of %s: %w", user, err)
	}
	_, _ = s.read(ctx, user) // for the requests that follow, which find out why it fails
	return s.tokens.Issue(Bearer{User: user, Session: session.ID, Epoch: epoch, Issued: now})
}

// List returns the sessions of a user that have not expired, the one that started
// last first.
func (s *Sessions) List(ctx context.Context, user domain.UserID) ([]Session, error) {
	access, err := s.store.Access(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read the sessions of %s: %w", user, err)
	}
	now := s.tokens.now()
	sessions := slices.DeleteFunc(access.Sessions, func(s Session) bool { return !s.Expires.After(now) })
	slices.Reverse(sessions)
	return sessions, nil
}

// End ends a session of a user. If the user has no such session, it is NotFound.
func (s *Sessions) End(ctx context.Context, user domain.UserID, id SessionID) error {
	sessions, err := s.List(ctx, user)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(sessions, func(s Session) bool { return s.ID == id }) {
		return domain.Errorf(domain.NotFound, "you have no session %s", id)
	}
	if err := s.store.EndSession(ctx, user, id); err != nil {
		return fmt.Errorf("end a session of %s: %w", user, err)
	}
	s.forget(user)
	return nil
}

// EndAll ends all sessions of a user but one, or all if keep is zero.
func (s *Sessions) EndAll(ctx context.Context, user domain.UserID, keep SessionID) error {
	if err := s.store.EndSessions(ctx, user, keep); err != nil {
		return fmt.Errorf("end the sessions of %s: %w", user, err)
	}
	s.forget(user)
	return nil
}

// replaceCredential replaces the hash of a user whose hash and epoch are still those of
// was, which ends all of the user's sessions. If they are not, the error is of kind
// Conflict.
func (s *Sessions) replaceCredential(ctx context.Context, was Credential, hash string) error {
	err := s.store.ReplaceCredential(ctx, was, hash)
	if errors.Is(err, ErrEpochMoved) {
		return domain.Errorf(domain.Conflict, "the password was changed, or all sessions were ended, at the same time; try again")
	}
	if err != nil {
		return fmt.Errorf("replace the credential of %s: %w", was.User, err)
	}
	s.forget(was.User)
	return nil
}
