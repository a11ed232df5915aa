package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// connections opens as many connections as it can from one address, sends the
// beginning of a request on each, and keeps them.
func connections(beginning string) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		together(ctx, 2000, func(ctx context.Context, _ int) {
			for ; ctx.Err() == nil; outage.Pause(ctx, time.Second) {
				a.hold(ctx, address(0), []byte(beginning))
			}
		})
	}
}

// abort sends requests, and closes each connection before the answer.
func abort(ctx context.Context, a *attacker) {
	body := bodyOf(costlyDocument)
	together(ctx, 100, func(ctx context.Context, _ int) {
		c := caller{a.URL, "", &http.Client{Transport: newConnections(address(0))}}
		for ctx.Err() == nil {
			soon, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			resp, err := c.post(soon, body, "")
			if err == nil {
				resp.Body.Close()
			}
			a.done.Add(1)
			cancel()
		}
	})
}

// lookUp asks for objects that there are not.
func lookUp(ctx context.Context, a *attacker) {
	a.flood(ctx, 100, func(worker, n int) []byte {
		return bodyOf(fmt.Sprintf(`{ node(id: "user_%026d") { id } chirp(id: "chirp_%026d") { id } user(username: "no%d") { id } }`, worker, n, n))
	})
}

// forgeCursors reads pages after cursors that are made up.
func forgeCursors(ctx context.Context, a *attacker) {
	a.flood(ctx, 100, func(worker, n int) []byte {
		return bodyOf(fmt.Sprintf(`{ recentChirps(first: 1, after: %q) { edges { cursor } } }`, strings.Repeat(fmt.Sprint(worker*n), 50)))
	})
}

// browse asks for pages and for what takes no body.
func browse(ctx context.Context, a *attacker) {
	targets := []struct{ method, path string }{
		{http.MethodHead, "/"}, {http.MethodOptions, "/graphql"}, {http.MethodGet, "/"}, {http.MethodGet, "/graphiql"},
		{http.MethodGet, "/readyz"}, {http.MethodGet, "/metrics"}, {http.MethodGet, "/graphql?query=%7B__typename%7D"}, {http.MethodGet, "/assets/none.js"},
	}
	client := clientFrom(address(0))
	together(ctx, 100, func(ctx context.Context, worker int) {
		for n := worker; ctx.Err() == nil; n++ {
			t := targets[n%len(targets)]
			req, err := http.NewRequestWithContext(ctx, t.method, a.URL+t.path, nil)
			if err != nil {
				return
			}
			resp, err := client.Do(req)
			a.countResponse(ctx, resp, err)
		}
	})
}

// guess guesses the password of the writer from n addresses.
func guess(addresses int) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		together(ctx, 4*addresses, func(ctx context.Context, i int) {
			c := a.anonymous(address(i % addresses))
			a.repeat(ctx, pace, func(n int) error {
				_, err := c.logIn(ctx, writer, fmt.Sprintf("wrong %d %d", i, n))
				return err
			})
		})
	}
}

// guessNames logs in under names that there are not, from one address.
func guessNames(ctx context.Context, a *attacker) {
	together(ctx, 200, func(ctx context.Context, i int) {
		c := a.anonymous(address(0))
		a.repeat(ctx, pace, func(n int) error {
			return c.do(ctx, logInDocument, apitest.Vars{"u": fmt.Sprintf("no%d_%d", i, n), "p": apitest.Password}, "", nil)
		})
	})
}

// logInRightly logs in with the right password.
func logInRightly(ctx context.Context, a *attacker) {
	together(ctx, 20, func(ctx context.Context, _ int) {
		c := a.anonymous(address(0))
		a.repeat(ctx, pace, func(int) error {
			_, err := c.logIn(ctx, firstAttacker+1, apitest.Password)
			return err
		})
	})
}

// pipeline writes requests without waiting for answers, and reads none.
func pipeline(ctx context.Context, a *attacker) {
	const perWrite = 100
	body := bodyOf("{ recentChirps(first: 20) { edges { node { content } } } }")
	request := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", a.URL[len("http://"):], len(body), body)
	text := []byte(strings.Repeat(request, perWrite))
	together(ctx, 50, func(ctx context.Context, _ int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, pace) {
			conn, err := dialFrom(address(0))(ctx, "tcp", a.URL[len("http://"):])
			if err != nil {
				a.count(err)
				continue
			}
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			for err == nil {
				_, err = conn.Write(text)
				_ = a.sent(perWrite, err)
			}
			stop()
			conn.Close()
		}
	})
}

// readTheFuture asks for answers that show what is not in the log yet.
func readTheFuture(ctx context.Context, a *attacker) {
	body := bodyOf("{ __typename recentChirps(first: 1) { edges { cursor } } }")
	c := a.anonymous(address(0))
	together(ctx, 500, func(ctx context.Context, _ int) {
		for ctx.Err() == nil {
			resp, err := c.post(ctx, body, "999999999")
			a.countResponse(ctx, resp, err)
		}
	})
}
