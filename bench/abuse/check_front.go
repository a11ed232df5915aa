package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"chirp/bench/process"
	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// get returns the status and the body of a page.
func get(ctx context.Context, url string) (status int, body string, err error) {
	return apitest.Probe(ctx, url)
}

// probe returns an error if a probe's answer has more than a word.
func probe(ctx context.Context, url string) error {
	var errs error
	for _, path := range []string{"/readyz", "/healthz"} {
		_, body, err := get(ctx, url+path)
		if err == nil && len(strings.Fields(body)) > 2 { // "not ready" is one answer
			err = fmt.Errorf("%s answers %.100q", path, body)
		}
		errs = errors.Join(errs, err)
	}
	return errs
}

func probesAreShort(ctx context.Context, t *trial) error {
	return t.serve(ctx, t.place(), func(s *server) error {
		err := probe(ctx, s.URL)
		status, body, failed := get(ctx, s.URL+"/metrics")
		if failed == nil && status == http.StatusOK && strings.Contains(body, "chirp_") {
			failed = errors.New("/metrics answers everyone")
		}
		return errors.Join(err, failed)
	})
}

// probesAreShortInOutages stops the MongoDB for a while.
func probesAreShortInOutages(ctx context.Context, t *trial) error {
	return t.serve(ctx, t.place(), func(s *server) error {
		mongod := process.Child("mongod")
		if err := syscall.Kill(mongod, syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { _ = syscall.Kill(mongod, syscall.SIGCONT) }()
		for deadline := time.Now().Add(process.Patience); time.Now().Before(deadline); outage.Pause(ctx, 100*time.Millisecond) {
			status, _, err := get(ctx, s.URL+"/readyz")
			if err == nil && status != http.StatusOK {
				return probe(ctx, s.URL)
			}
		}
		return errors.New("the server stays ready without its store")
	})
}

// hostsAreChecked sends requests for hosts that a page of another site can name.
func hostsAreChecked(ctx context.Context, t *trial) error {
	return t.serve(ctx, t.place(), func(s *server) error {
		_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			return err
		}
		var errs error
		for _, host := range []string{"evil.com", "evil.com:" + port, "localhost.evil.com", "127.0.0.1.evil.com:" + port, "10.0.0.1", "evil.com."} {
			errs = errors.Join(errs, s.refusesHost(ctx, host, true))
		}
		for _, host := range []string{"localhost:" + port, "LOCALHOST:" + port, "127.0.0.1:" + port, "[::1]:" + port, "localhost"} {
			errs = errors.Join(errs, s.refusesHost(ctx, host, false))
		}
		return errs
	})
}

// refusesHost tries a query and a socket under a host's name.
func (s *server) refusesHost(ctx context.Context, host string, want bool) error {
	query := "POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 26\r\nConnection: close\r\n\r\n" + `{"query":"{ __typename }"}`
	socket := "GET /graphql HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
	var errs error
	for what, text := range map[string]string{"a query": query, "a socket": socket} {
		status, err := s.rawStatus(ctx, fmt.Sprintf(text, host))
		if err == nil && (status >= 400) != want {
			err = fmt.Errorf("%s for %q has status %d", what, host, status)
		}
		errs = errors.Join(errs, err)
	}
	return errs
}

// rawStatus sends a request as it is and returns the status of the response.
func (s *server) rawStatus(ctx context.Context, request string) (int, error) {
	conn, err := dialFrom(victimAddress)(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// refusalsAreErrors sends costly operations on a socket until one is refused.
func refusalsAreErrors(ctx context.Context, t *trial) error {
	return t.serve(ctx, t.place(), func(s *server) error {
		c, err := s.register(ctx, "ada")
		if err != nil {
			return err
		}
		subscription := "subscription { feedChirpAdded { node { author { chirps(first: 100) { edges { node { author { chirps(first: 9) { edges { node { id } } } } } } } } } } }"
		mutation := `mutation { a: postChirp(input: {content: "a"}) { position } }`
		return errors.Join(c.refusedByError(ctx, "a mutation", mutation),
			c.refusedByError(ctx, "a query", costlyDocument), c.refusedByError(ctx, "a subscription", subscription))
	})
}

// refusedByError sends an operation again and again on a new socket until it is
// refused, which must be by an error message.
func (c caller) refusedByError(ctx context.Context, what, document string) error {
	socket, err := c.socket(ctx, victimAddress)
	if err != nil {
		return err
	}
	defer socket.Close()
	for i := range 110 { // more mutations than a burst has
		if err := socket.Subscribe(fmt.Sprint(i), document, nil); err != nil {
			return err
		}
	}
	for {
		f, err := socket.Read()
		if err != nil {
			return fmt.Errorf("%s: not refused: %w", what, err)
		}
		if refused := strings.Contains(string(f.Payload), "RATE_LIMITED"); refused && f.Type != "error" {
			return fmt.Errorf("%s: RATE_LIMITED came as %q", what, f.Type)
		} else if refused {
			return nil
		}
	}
}

// demoIsPrivate starts the demo on all addresses, which it must refuse to do.
func demoIsPrivate(ctx context.Context, t *trial) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, log, err := t.command(ctx, append(t.place(), "--demo", "--addr", "0.0.0.0:0")...)
	if ctx.Err() != nil {
		return errors.New("it serves")
	}
	if err == nil || !strings.Contains(log, "--demo") {
		return fmt.Errorf("it ended with %v: %s", err, lastLine(log))
	}
	return nil
}
