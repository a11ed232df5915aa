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
	err := newCaller(s.url, "", victimAddress).do(ctx, logInDocument, apitest.Vars{"u": name, "p": password}, "", nil)
	if apitest.Code(err) == "OK" {
		return fmt.Errorf("%s can log in", name)
	}
	return nil
}
