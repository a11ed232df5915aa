package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"chirp/bench/client"
	"chirp/bench/process"
	"chirp/internal/outage"
)

const (
	postsPerSecond = 5
	// pushPosts is how many posts a round has.
	pushPosts = 50
	// pushPatience bounds how long a push may take.
	pushPatience = 2 * time.Minute
)

// measurePush measures how long it takes from the sending of a post until the first,
// and until the last, of many sockets has it: of the most followed user, and of a
// celebrity.
func measurePush(ctx context.Context, s *stage, r *result) error {
	w, err := s.network()
	if err != nil {
		return err
	}
	c := newCelebrities(s.size)
	for _, store := range s.stores {
		author := w.mostFollowed()
		followed := &pushing{name: fmt.Sprintf("an author with %s followers", count(float64(len(w.followers[author])))), author: author}
		if err := s.push(ctx, w, store, followed); err != nil {
			return err
		}
		star := &pushing{name: "a celebrity", author: c.star}
		if err := s.push(ctx, c.world, store, star); err != nil {
			return err
		}
		first, last := 40*time.Millisecond, 80*time.Millisecond
		if store == onMongo {
			first, last = 80*time.Millisecond, 150*time.Millisecond
		}
		what := fmt.Sprintf("push of %s to %d sockets: ", followed.name, s.size.sockets)
		r.atMost(what+"first frame, p50", store, followed.first, duration, float64(first))
		r.atMost(what+"last frame, p99", store, series{followed.p99}, duration, float64(last))
		r.atMost("push of a celebrity: last frame, p99", store, series{star.p99}, duration, float64(25*time.Millisecond))
		r.tabulate(fmt.Sprintf("Pushes to %d sockets, %d posts a second, %s, from the sending of the post", s.size.sockets, postsPerSecond, store), pushColumns, followed.line(), star.line())
	}
	return nil
}

var pushColumns = []string{"", "post answered, p50", "first frame, p50", "last frame, p50", "last frame, p99", "CPU a frame", "mongod a post"}

// pushing is what is measured of the pushes of an author.
type pushing struct {
	name           string
	author         int
	answered       series // p50 of each round, as are the next two
	first, last    series
	p99            float64 // of the last frames of all rounds
	frame, mongodb series  // CPU
}

func (p *pushing) line() []string {
	return []string{
		p.name, p.answered.format(duration), p.first.format(duration), p.last.format(duration), duration(p.p99),
		p.frame.format(duration), p.mongodb.format(duration),
	}
}

// push measures the pushes of an author to followers chosen at random.
func (s *stage) push(ctx context.Context, w *world, store string, p *pushing) (err error) {
	at, err := s.site(ctx, w, store)
	if err != nil {
		return err
	}
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	tokens, err := w.audience(p.author, s.size.sockets)
	if err != nil {
		return err
	}
	progress("open %d sockets for %s, %s", len(tokens), p.name, store)
	open, err := connect(ctx, srv.URL, tokens, feedAdded)
	if err != nil {
		return err
	}
	defer open.close()
	token, err := w.token(p.author)
	if err != nil {
		return err
	}
	if err := settle(ctx, srv, len(open)); err != nil {
		return err
	}
	var last []time.Duration
	for round := range s.rounds {
		before, err := s.used(srv)
		if err != nil {
			return err
		}
		b := newBroadcast(round, s.pushPosts(), len(open))
		got, err := b.run(ctx, srv.URL, token, open)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, tail(srv.Log.String()))
		}
		after, err := s.used(srv)
		if err != nil {
			return err
		}
		p.add(got, (after.server-before.server)/time.Duration(len(b.posts)*len(open)), (after.mongod-before.mongod)/time.Duration(len(b.posts)))
		last = append(last, got.last...)
		progress("round %d; %s, %s: first frame %s, last %s", round+1, p.name, store, duration(p.first[round]), duration(p.last[round]))
	}
	p.p99 = percentile(last, 99)
	return nil
}

// pushPosts returns how many posts a round has.
func (s *stage) pushPosts() int { return max(5, int(pushPosts*s.span/(3*time.Second))) }

// settle waits until a server pushes to as many feed subscriptions. One that has not read
// yet where it begins is not pushed what is posted meanwhile.
func settle(ctx context.Context, srv *process.Server, subscriptions int) error {
	for deadline := time.Now().Add(pushPatience); ; {
		n, err := srv.Metric(ctx, "chirp_feed_subscriptions_live")
		if err != nil || int(n) >= subscriptions {
			return err
		}
		if !outage.Pause(ctx, 50*time.Millisecond) || time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%.0f of %d sockets have subscribed", n, subscriptions), ctx.Err())
		}
	}
}

// audience returns the tokens of followers of an author.
func (w *world) audience(author, n int) ([]string, error) {
	followers := w.followers[author]
	r := rand.New(rand.NewPCG(6, 0))
	var tokens []string
	for _, i := range r.Perm(len(followers))[:min(n, len(followers))] {
		t, err := w.token(followers[i])
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func (p *pushing) add(got delays, frame, mongodb time.Duration) {
	p.answered = append(p.answered, percentile(got.answered, 50))
	p.first = append(p.first, percentile(got.first, 50))
	p.last = append(p.last, percentile(got.last, 50))
	p.frame = append(p.frame, float64(frame))
	p.mongodb = append(p.mongodb, float64(mongodb))
}

func percentile(list []time.Duration, p float64) float64 {
	return float64(client.NewResult(time.Second, list).Percentile(p))
}
