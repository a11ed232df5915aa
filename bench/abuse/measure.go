package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"chirp/bench/process"
	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// The bounds that a server must keep during every attack.
const (
	mostQuery  = 100 * time.Millisecond // p95 of the reader's queries
	mostLag    = 2 * time.Second        // until the writer sees a post
	mostMemory = 512 << 20
)

// result is what was measured during an attack.
type result struct {
	took, span     time.Duration // of the attack; until the last of the victims' calls ended
	queries, posts []time.Duration
	failed         map[string]int // calls of the victims, by their error
	lag            int64          // events
	server         process.Usage
	mongod         time.Duration // CPU
	attack         tally
	logIns         logIns
	ordinary       bool // the attack was none
}

// logIns are those of the writer during an attack.
type logIns struct {
	tried, succeeded int
	slowest          time.Duration
}

// measure runs an attack on a server of the site.
func (s *stage) measure(ctx context.Context, at *site, k kind) (r result, err error) {
	srv, err := s.open(ctx, at, k.files)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	v, err := newVictims(ctx, srv)
	if err != nil {
		return r, err
	}
	o := order{Attack: k.id, URL: srv.URL, Seconds: s.seconds, Tokens: map[int]string{}}
	for i, user := range k.accounts {
		c := newCaller(srv.URL, "", fmt.Sprintf("127.67.%d.1", i))
		if o.Tokens[user], err = c.logIn(ctx, user, apitest.Password); err != nil {
			return r, fmt.Errorf("log in as %s: %w", nameOf(user), err)
		}
	}
	warm, cancel := context.WithTimeout(ctx, time.Second)
	v.watch(warm)
	cancel()
	v.reset()
	r, err = v.during(ctx, o, k.logIns)
	r.ordinary = k.ordinary
	return r, err
}

// during launches an attack and returns what happened until it ended.
func (v *victims) during(ctx context.Context, o order, tries int) (r result, err error) {
	before, mongodBefore, err := v.usage()
	if err != nil {
		return r, err
	}
	began := time.Now()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		v.watch(watching)
	}()
	loggedIn := make(chan logIns, 1)
	go func() { loggedIn <- v.logIn(ctx, tries, time.Duration(o.Seconds*float64(time.Second))) }()
	r.attack, err = launch(ctx, o)
	r.took = time.Since(began)
	cancel()
	<-watched
	r.logIns = <-loggedIn
	r.span = time.Since(began)
	after, mongodAfter, failed := v.usage()
	r.server = process.Usage{CPU: after.CPU - before.CPU, Peak: after.Peak}
	r.mongod = mongodAfter.CPU - mongodBefore.CPU
	r.queries, r.posts, r.lag, r.failed = v.queries, v.posts, v.lag, v.failed
	return r, errors.Join(err, failed)
}

// usage returns the usage of the server, and of the MongoDB if there is one.
func (v *victims) usage() (srv, mongod process.Usage, err error) {
	if srv, err = process.Used(v.server.PID()); err != nil {
		return srv, mongod, fmt.Errorf("the server has ended: %w\n%s", err, v.server.Log.String())
	}
	if pid := process.Child("mongod"); pid != 0 {
		mongod, err = process.Used(pid)
	}
	return srv, mongod, err
}

// logIn logs the writer in several times within a duration.
func (v *victims) logIn(ctx context.Context, tries int, within time.Duration) (l logIns) {
	for l.tried = range tries {
		outage.Pause(ctx, within/time.Duration(tries+1))
		began := time.Now()
		_, err := newCaller(v.server.URL, "", writerAddress).logIn(ctx, writer, apitest.Password)
		l.slowest = max(l.slowest, time.Since(began))
		if err == nil {
			l.succeeded++
		}
	}
	l.tried = tries
	return l
}

// problems returns which bounds were not kept.
func (r result) problems() []string {
	var list []string
	if p95 := percentile(r.queries, 95); p95 > mostQuery {
		list = append(list, fmt.Sprintf("queries take %s", short(p95)))
	}
	if slowest := percentile(r.posts, 100); slowest > mostLag {
		list = append(list, fmt.Sprintf("a post is seen after %s", short(slowest)))
	}
	if r.server.Peak > mostMemory {
		list = append(list, fmt.Sprintf("%d MB of memory", r.server.Peak>>20))
	}
	if r.logIns.succeeded < r.logIns.tried {
		list = append(list, fmt.Sprintf("%d of %d right log-ins", r.logIns.succeeded, r.logIns.tried))
	}
	if n := r.attack.Refused + r.attack.Failed; r.ordinary && n > 0 {
		list = append(list, fmt.Sprintf("%d ordinary calls were refused", n))
	}
	for _, why := range slices.Sorted(maps.Keys(r.failed)) {
		list = append(list, fmt.Sprintf("%d × %s", r.failed[why], why))
	}
	return list
}

// verdict is a word or the problems.
func verdict(problems []string) string {
	if len(problems) == 0 {
		return "held"
	}
	return "NOT HELD: " + strings.Join(problems, "; ")
}
