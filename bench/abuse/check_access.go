package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// accessPatience is how long a server may take to notice that access was taken
// back elsewhere, and a little more.
const accessPatience = 3 * time.Second

// operatorsDisable closes an account from another process, while its user has a
// socket open.
func operatorsDisable(ctx context.Context, t *trial) error {
	place := t.place()
	return t.serve(ctx, place, func(s *server) error {
		c, err := s.register(ctx, "ada")
		if err != nil {
			return err
		}
		socket, err := c.socket(ctx, victimAddress)
		if err != nil {
			return err
		}
		defer socket.Close()
		if _, log, err := t.command(ctx, append([]string{"user", "disable", "ada"}, place...)...); err != nil {
			return fmt.Errorf("user disable: %w: %s", err, lastLine(log))
		}
		err = errors.Join(c.losesAccess(ctx), closedWith(socket, 4403), s.refusesLogIn(ctx, "ada", apitest.Password))
		if _, log, failed := t.command(ctx, append([]string{"user", "enable", "ada"}, place...)...); failed != nil {
			return errors.Join(err, fmt.Errorf("user enable: %w: %s", failed, lastLine(log)))
		}
		if failed := s.refusesLogIn(ctx, "ada", apitest.Password); failed == nil {
			err = errors.Join(err, errors.New("after user enable the user cannot log in"))
		}
		return err
	})
}

// losesAccess waits until the caller's token is refused.
func (c caller) losesAccess(ctx context.Context) error {
	for deadline := time.Now().Add(accessPatience); time.Now().Before(deadline); outage.Pause(ctx, 50*time.Millisecond) {
		if apitest.Code(c.do(ctx, `{ viewer { id } }`, nil, "", nil)) == "UNAUTHENTICATED" {
			return nil
		}
	}
	return fmt.Errorf("the token is good after %s", accessPatience)
}

// closedWith waits until the server closes a socket.
func closedWith(s *apitest.Socket, want int) error {
	if code, reason := apitest.ClosedWith(s); code != want {
		return fmt.Errorf("the socket was closed with %d %s, not with %d", code, reason, want)
	}
	return nil
}

// refusesLogIn returns an error if a password is accepted.
func (s *server) refusesLogIn(ctx context.Context, name, password string) error {
	err := newCaller(s.URL, "", victimAddress).do(ctx, logInDocument, apitest.Vars{"u": name, "p": password}, "", nil)
	if apitest.Code(err) == "OK" {
		return fmt.Errorf("%s can log in", name)
	}
	return nil
}

// passwordsChange changes a password in one session, which must end both tokens
// and start a session.
func passwordsChange(ctx context.Context, t *trial) error {
	const another = "a better horse"
	const change = `mutation($c: String!, $n: String!) { changePassword(input: {currentPassword: $c, newPassword: $n}) { token } }`
	return t.withTwoSessions(ctx, func(s *server, first, second caller) error {
		var got struct{ ChangePassword struct{ Token string } }
		if err := first.do(ctx, change, apitest.Vars{"c": apitest.Password, "n": another}, "", &got); err != nil {
			return err
		}
		err := errors.Join(first.losesAccess(ctx), second.losesAccess(ctx), s.refusesLogIn(ctx, "ada", apitest.Password))
		return errors.Join(err, newCaller(s.URL, got.ChangePassword.Token, victimAddress).keepsAccess(ctx))
	})
}

// sessionsEnd ends the session of a user from another one.
func sessionsEnd(ctx context.Context, t *trial) error {
	return t.withTwoSessions(ctx, func(s *server, first, second caller) error {
		socket, err := second.socket(ctx, victimAddress)
		if err != nil {
			return err
		}
		defer socket.Close()
		if err := first.do(ctx, `mutation { endAllSessions(input: {keepCurrent: true}) { user { id } } }`, nil, "", nil); err != nil {
			return err
		}
		return errors.Join(second.losesAccess(ctx), closedWith(socket, 4403), first.keepsAccess(ctx))
	})
}

// sessionsEndElsewhere ends a session on one server while another has its socket.
func sessionsEndElsewhere(ctx context.Context, t *trial) error {
	place := t.place()
	return t.serve(ctx, place, func(a *server) error {
		c, err := a.register(ctx, "ada")
		if err != nil {
			return err
		}
		return t.serve(ctx, place, func(b *server) error {
			there := newCaller(b.URL, c.token, victimAddress)
			socket, err := there.socket(ctx, victimAddress)
			if err != nil {
				return err
			}
			defer socket.Close()
			if err := c.do(ctx, `mutation { endAllSessions(input: {}) { user { id } } }`, nil, "", nil); err != nil {
				return err
			}
			return errors.Join(there.losesAccess(ctx), closedWith(socket, 4403))
		})
	})
}

// keepsAccess returns an error unless the caller's token is good.
func (c caller) keepsAccess(ctx context.Context) error {
	var got struct{ Viewer *struct{ ID string } }
	err := c.do(ctx, `{ viewer { id } }`, nil, "", &got)
	if err == nil && got.Viewer == nil {
		err = errors.New("there is no viewer")
	}
	if err != nil {
		return fmt.Errorf("the session that must stay: %w", err)
	}
	return nil
}

// withTwoSessions registers a user, and logs it in again.
func (t *trial) withTwoSessions(ctx context.Context, do func(s *server, first, second caller) error) error {
	return t.serve(ctx, t.place(), func(s *server) error {
		first, err := s.register(ctx, "ada")
		if err != nil {
			return err
		}
		second := newCaller(s.URL, "", victimAddress)
		var got struct{ LogIn struct{ Token string } }
		if err := second.do(ctx, logInDocument, apitest.Vars{"u": "ada", "p": apitest.Password}, "", &got); err != nil {
			return err
		}
		second.token = got.LogIn.Token
		return do(s, first, second)
	})
}
