package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"chirp/bench/history"
	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// subscriptions are what one connection subscribes to.
type subscriptions struct {
	document  string
	variables apitest.Vars
	count     int
}

// subscribe keeps a socket open with its subscriptions, until ctx ends. What is
// refused it tries again, a little later.
func (a *attacker) subscribe(ctx context.Context, c caller, address string, s subscriptions) {
	for ctx.Err() == nil {
		socket, err := c.socket(ctx, address)
		if err != nil {
			a.count(err)
			outage.Pause(ctx, time.Second)
			continue
		}
		stop := context.AfterFunc(ctx, socket.Close)
		a.listen(ctx, socket, s)
		stop()
		socket.Close()
	}
}

// listen starts the subscriptions and counts what arrives, until the socket is
// closed. It starts those again that end.
func (a *attacker) listen(ctx context.Context, socket *apitest.Socket, s subscriptions) {
	start := make(chan int, s.count)
	for i := range s.count {
		start <- i
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for i := 0; ; i++ {
			select {
			case <-reading.Done():
				return
			case n := <-start:
				if socket.Subscribe(strconv.Itoa(n)+"."+strconv.Itoa(i), s.document, s.variables) != nil {
					return
				}
			}
		}
	}()
	for {
		f, err := socket.Read()
		if err != nil {
			return
		}
		a.countFrame(f)
		if n, ended := endedSubscription(f); ended {
			time.AfterFunc(time.Second, func() { start <- n })
		}
	}
}

// endedSubscription returns the number of a subscription that a message ends.
func endedSubscription(f apitest.Frame) (n int, ended bool) {
	if f.Type != "error" && f.Type != "complete" {
		return 0, false
	}
	_, err := fmt.Sscanf(f.ID, "%d.", &n)
	return n, err == nil
}

// countFrame counts a message of the server.
func (a *attacker) countFrame(f apitest.Frame) {
	switch f.Type {
	case "next", "pong":
		var payload struct{ Errors []apitest.AnswerError }
		if json.Unmarshal(f.Payload, &payload) == nil && len(payload.Errors) > 0 {
			a.countCode(payload.Errors[0])
			return
		}
		a.done.Add(1)
	case "error":
		var errs []apitest.AnswerError
		if json.Unmarshal(f.Payload, &errs) == nil && len(errs) > 0 {
			a.countCode(errs[0])
		}
	}
}

func (a *attacker) countCode(e apitest.AnswerError) {
	a.count(&apitest.RefusedError{Code: e.Extensions.Code})
}

// pushed makes pushes: the first attacker, whom the viewer follows, posts.
func (a *attacker) pushed(ctx context.Context, n int, watch func(ctx context.Context, i int)) {
	together(ctx, n+1, func(ctx context.Context, i int) {
		if i == n {
			poster := &attacker{order: a.order} // its posts are not what is counted
			poster.post(ctx, a.as(firstAttacker, address(9)))
			return
		}
		watch(ctx, i)
	})
}

// watchFeeds has twenty sockets of a user that follows thousands, each with a
// hundred feeds.
func watchFeeds(ctx context.Context, a *attacker) {
	a.pushed(ctx, 20, func(ctx context.Context, _ int) {
		a.subscribe(ctx, a.as(viewer, address(0)), address(0), subscriptions{`subscription { feedChirpAdded { cursor } }`, nil, 100})
	})
}

// richDocument is a feed whose answers cost much.
const richDocument = `subscription { feedChirpAdded { cursor node { content author { chirps(first: 100) { edges { node { id content postedAt author { username followerCount } } } } } } } }`

// watchRichFeeds is watchFeeds with answers that cost much.
func watchRichFeeds(ctx context.Context, a *attacker) {
	a.pushed(ctx, 20, func(ctx context.Context, _ int) {
		a.subscribe(ctx, a.as(viewer, address(0)), address(0), subscriptions{richDocument, nil, 100})
	})
}

// streamFeeds has the feeds as event streams, which are one subscription each.
func streamFeeds(ctx context.Context, a *attacker) {
	a.pushed(ctx, 100, func(ctx context.Context, i int) {
		kinds := []string{"text/event-stream", `multipart/mixed;subscriptionSpec="1.0"`}
		a.stream(ctx, a.as(viewer, address(0)), kinds[i%2], `subscription { feedChirpAdded { cursor node { content } } }`, nil)
	})
}

// profileDocument costs about as much as a subscription without a token can.
const profileDocument = `subscription($user: ID!) { profileUpdated(userId: $user) { chirps(first: 100) { edges { node { id content postedAt author { username followerCount } } } } } }`

func watchProfiles(ctx context.Context, a *attacker) {
	a.pushed(ctx, 1, func(ctx context.Context, _ int) {
		a.subscribe(ctx, a.anonymous(address(0)), address(0),
			subscriptions{profileDocument, apitest.Vars{"user": history.UserID(firstAttacker)}, 97})
	})
}

func streamProfiles(ctx context.Context, a *attacker) {
	a.pushed(ctx, 97, func(ctx context.Context, _ int) {
		a.stream(ctx, a.anonymous(address(0)), "text/event-stream", profileDocument, apitest.Vars{"user": history.UserID(firstAttacker)})
	})
}

// watchVictim has 20,000 watchers of the victim that posts, without a token.
func watchVictim(ctx context.Context, a *attacker) {
	together(ctx, 200, func(ctx context.Context, _ int) {
		a.subscribe(ctx, a.anonymous(address(0)), address(0), subscriptions{
			`subscription($user: ID!) { profileUpdated(userId: $user) { chirpCount } }`, apitest.Vars{"user": history.UserID(writer)}, 100})
	})
}

// stream keeps an event stream open, and counts its lines as pushes.
func (a *attacker) stream(ctx context.Context, c caller, accept, document string, variables apitest.Vars) {
	for ; ctx.Err() == nil; outage.Pause(ctx, time.Second) {
		body, _ := json.Marshal(apitest.Vars{"query": document, "variables": variables})
		req, err := c.request(ctx, body)
		if err != nil {
			return
		}
		req.Header.Set("Accept", accept)
		resp, err := c.client.Do(req)
		if err != nil {
			a.count(err)
			continue
		}
		if resp.StatusCode == http.StatusTooManyRequests {
			a.refused.Add(1)
		}
		buffer := make([]byte, 64<<10)
		for err == nil {
			if _, err = resp.Body.Read(buffer); err == nil {
				a.done.Add(1)
			}
		}
		resp.Body.Close()
	}
}

// catchUp has twenty sockets replay a feed from its oldest chirp.
func catchUp(ctx context.Context, a *attacker) {
	c := a.as(viewer, address(0))
	var oldest struct{ Feed apitest.Page }
	if err := c.do(ctx, `{ feed(last: 1) { edges { cursor } } }`, nil, "", &oldest); err != nil || len(oldest.Feed.Edges) == 0 {
		a.note.Store(fmt.Sprintf("no cursor: %v", err))
		return
	}
	const document = `subscription($after: String) { feedChirpAdded(after: $after) { cursor node { content postedAt author { username followerCount chirpCount } } } }`
	together(ctx, 20, func(ctx context.Context, _ int) {
		for ctx.Err() == nil {
			a.replay(ctx, c, subscriptions{document, apitest.Vars{"after": oldest.Feed.Edges[0].Cursor}, 20})
		}
	})
}

// replay reads pushes until most of the feed was replayed or the socket closes.
func (a *attacker) replay(ctx context.Context, c caller, s subscriptions) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	a.subscribe(ctx, c, address(0), s)
}

// watchWithoutReading subscribes to costly answers, and reads none.
func watchWithoutReading(ctx context.Context, a *attacker) {
	a.pushed(ctx, 20, func(ctx context.Context, _ int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, time.Second) {
			socket, err := a.as(viewer, address(0)).socket(ctx, address(0))
			if err != nil {
				a.count(err)
				continue
			}
			for i := 0; err == nil && i < 100; i++ {
				err = socket.Subscribe(strconv.Itoa(i), richDocument, nil)
			}
			a.count(err)
			<-ctx.Done()
			socket.Close()
		}
	})
}
