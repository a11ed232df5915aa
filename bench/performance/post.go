package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"chirp/bench/client"
	"chirp/bench/peers"
	"chirp/bench/process"
)

const (
	postDocument = `mutation($c: String!) { postChirp(input: {content: $c}) { chirp { id } position } }`
	// postClients have as many posts in flight.
	postClients = 64
)

// measurePost measures posts of typical users, whose chirps are delivered meanwhile,
// beside bare writes of like documents that are as durable.
func measurePost(ctx context.Context, s *stage, r *result) (err error) {
	w, err := s.network()
	if err != nil {
		return err
	}
	f := newField(postClients)
	for _, store := range s.stores {
		at, err := s.site(ctx, w, store)
		if err != nil {
			return err
		}
		srv, err := s.serve(ctx, at, process.Patience)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, srv.Stop()) }()
		l, err := posts(srv.URL, w, w.typical(postClients))
		if err != nil {
			return err
		}
		f.add("postChirp", store, s.levelAfter(srv, s.loadOn("postChirp, "+store, srv, l)))
	}
	if err := s.addBareWriters(ctx, f); err != nil {
		return err
	}
	if err := s.inTurns(ctx, f.all); err != nil {
		return err
	}
	f.judgePosts(r, s.stores)
	f.tabulate(r, fmt.Sprintf("Posts of users with the median number of followers, and bare writes, %d in flight", postClients))
	return nil
}

// posts returns a load of posts, of each author from a client of its own.
func posts(url string, w *world, authors []int) (client.Load, error) {
	requests := make([][]byte, len(authors))
	for i, user := range authors {
		t, err := w.token(user)
		if err != nil {
			return client.Load{}, err
		}
		requests[i] = client.Request(url, t, postDocument, map[string]any{"c": "What a chirp says in the middle of a measurement is about this long."})
	}
	return client.Load{
		Clients: len(authors), Request: func(c, _ int) []byte { return requests[c] }, Check: posted,
	}, nil
}

func posted(body []byte) error {
	if !bytes.Contains(body, []byte(`"position":"`)) {
		return fmt.Errorf("the answer is %.300s", body)
	}
	return nil
}

// levelAfter makes a contender wait after each round until the views are level with the
// log, so that its rest does not fall into the next one's time.
func (s *stage) levelAfter(srv *process.Server, c *contender) *contender {
	measure := c.measure
	c.measure = func(ctx context.Context, span time.Duration) (sample, error) {
		got, err := measure(ctx, span)
		return got, errors.Join(err, srv.AwaitLevel(ctx, process.Patience))
	}
	return c
}

// addBareWriters adds the peers that write to MongoDB.
func (s *stage) addBareWriters(ctx context.Context, f *field) error {
	m, err := s.mongo(ctx)
	if err != nil {
		return err
	}
	program, err := s.build(ctx, "chirp/bench/peers/raw")
	if err != nil {
		return err
	}
	f.add("InsertOne", "", s.worker("InsertOne of the driver", func(span time.Duration) []string {
		return []string{program, "-mongodb-uri", m.URI, "-mongodb-database", peersDatabase, "-clients", fmt.Sprint(postClients), "-seconds", fmt.Sprint(span.Seconds())}
	}))
	if !s.node {
		return nil
	}
	dir, err := s.npm(ctx, "emmett")
	if err != nil {
		return err
	}
	f.add("Emmett", "", s.worker("append of Emmett", func(span time.Duration) []string {
		return []string{"node", filepath.Join(dir, "append.mjs"), m.URI, peersDatabase, fmt.Sprint(postClients), fmt.Sprint(span.Seconds())}
	}))
	return nil
}

// worker returns a contender that runs a program, which prints its work.
func (s *stage) worker(name string, command func(span time.Duration) []string) *contender {
	return &contender{name: name, measure: func(ctx context.Context, span time.Duration) (sample, error) {
		before, err := s.used(nil)
		if err != nil {
			return sample{}, err
		}
		args := command(span)
		text, err := execute(ctx, args[0], args[1:]...)
		if err != nil {
			return sample{}, err
		}
		after, err := s.used(nil)
		if err != nil {
			return sample{}, err
		}
		did, err := peers.Parse(text)
		if err != nil {
			return sample{}, err
		}
		return newSample(resultOf(did), time.Duration(did.CPU*1e9), after.mongod-before.mongod), nil
	}}
}

func resultOf(did *peers.Work) client.Result {
	calls := make([]time.Duration, len(did.Calls))
	for i, us := range did.Calls {
		calls[i] = time.Duration(us) * time.Microsecond
	}
	return client.NewResult(time.Duration(did.Took*1e9), calls)
}

// judgePosts adds the aims of posts.
func (f *field) judgePosts(r *result, stores []string) {
	for _, store := range stores {
		post := f.of("postChirp", store, rate)
		if store == embedded {
			r.atLeast("posts a second, 64 clients ÷ those on MongoDB", store, post.over(f.of("postChirp", onMongo, rate)), ratio, 2)
			continue
		}
		r.atLeast("posts a second, 64 clients ÷ InsertOne of the driver", store, post.over(f.of("InsertOne", "", rate)), ratio, 1.3)
		r.atMost("p99 of a post ÷ that of InsertOne", store, f.of("postChirp", store, p99).over(f.of("InsertOne", "", p99)), ratio, 1)
		r.atLeast("posts a second ÷ appends of Emmett", store, post.over(f.of("Emmett", "", rate)), ratio, 5)
	}
}
