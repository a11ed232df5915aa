package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/bench/client"
	"chirp/bench/process"
)

// measureCost measures what the parts of a load take: pages, posts without followers,
// and deliveries, by how many followers the author has.
func measureCost(ctx context.Context, s *stage, r *result) error {
	w, err := s.network()
	if err != nil {
		return err
	}
	var lines [][]string
	for _, store := range s.stores {
		at, err := s.site(ctx, w, store)
		if err != nil {
			return err
		}
		calls, err := s.costOfCalls(ctx, at)
		if err != nil {
			return err
		}
		deliveries, err := s.costOfDeliveries(ctx, at)
		if err != nil {
			return err
		}
		chirp, few, many := deliveries[0], deliveries[1], deliveries[len(deliveries)-1]
		r.atMost(fmt.Sprintf("CPU of a further delivery with %s followers ÷ with %s", count(many.deliveries), count(few.deliveries)), store,
			many.further(chirp).over(few.further(chirp)), ratio, 1.2)
		for _, c := range append(calls, deliveries...) {
			lines = append(lines, c.line(store))
		}
	}
	r.tabulate("What each takes", []string{"store", "", "CPU", "CPU of mongod", "operations of mongod", "network of mongod", "written"}, lines...)
	return nil
}

// cost is what something takes, round for round.
type cost struct {
	what                         string
	deliveries                   float64 // of a chirp, if what is one delivery of it
	cpu, mongod                  series  // nanoseconds
	operations, network, written series
}

func (c *cost) add(d spent, n float64) {
	c.cpu, c.mongod = append(c.cpu, d.cpu/n), append(c.mongod, d.mongod/n)
	c.operations, c.network = append(c.operations, d.operations/n), append(c.network, d.network/n)
	c.written = append(c.written, d.written/n)
}

// total returns the CPU of the server and of mongod.
func (c *cost) total() series {
	list := make(series, len(c.cpu))
	for i := range list {
		list[i] = c.cpu[i] + c.mongod[i]
	}
	return list
}

// further returns the CPU of one more delivery of a chirp: what is left without the
// chirp's own share, of which a chirp with a single delivery has all.
func (c *cost) further(single *cost) series {
	list := c.total()
	for i, one := range single.total() {
		list[i] = (c.deliveries*list[i] - one) / (c.deliveries - 1)
	}
	return list
}

func (c *cost) line(store string) []string {
	line := []string{store, c.what, micros(c.cpu.median()), "", "", "", count(c.written.median()) + " B"}
	if store == onMongo {
		line[3], line[4], line[5] = micros(c.mongod.median()), fmt.Sprintf("%.3g", c.operations.median()), count(c.network.median())+" B"
	}
	return line
}

func micros(ns float64) string {
	if ns > 1e6 {
		return count(ns/1e3) + " µs"
	}
	return fmt.Sprintf("%.3g µs", ns/1e3)
}

// spent is what a server and the MongoDB have used, of all that is counted.
type spent struct{ cpu, mongod, operations, network, written float64 }

func (a spent) since(b spent) spent {
	return spent{a.cpu - b.cpu, a.mongod - b.mongod, a.operations - b.operations, a.network - b.network, a.written - b.written}
}

func (s *stage) spent(ctx context.Context, srv *process.Server) (spent, error) {
	u, err := s.used(srv)
	if err != nil {
		return spent{}, err
	}
	got := spent{cpu: float64(u.server), mongod: float64(u.mongod), written: float64(u.written)}
	if s.mongodb == nil {
		return got, nil
	}
	got.operations, got.network, err = mongodCounters(ctx, s.mongodb.URI)
	return got, err
}

// mongodCounters returns how many operations a mongod has executed, and the bytes that
// it has received and sent.
func mongodCounters(ctx context.Context, uri string) (operations, network float64, err error) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return 0, 0, err
	}
	defer c.Disconnect(context.WithoutCancel(ctx))
	var status struct {
		Opcounters map[string]any
		Network    struct {
			BytesIn, BytesOut float64
		}
	}
	err = c.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status)
	for _, kind := range []string{"insert", "query", "update", "delete", "getmore", "command"} {
		switch n := status.Opcounters[kind].(type) {
		case int32:
			operations += float64(n)
		case int64:
			operations += float64(n)
		}
	}
	return operations, status.Network.BytesIn + status.Network.BytesOut, err
}

// costOfCalls measures pages, and posts of an author whom one user follows.
func (s *stage) costOfCalls(ctx context.Context, at *site) (all []*cost, err error) {
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	reads, err := pages(srv.URL, at.readers(s.size.readers), at.token, manyClients)
	if err != nil {
		return nil, err
	}
	one := at.withFollowers(1)
	writers := make([]int, postClients)
	for i := range writers {
		writers[i] = one
	}
	writes, err := posts(srv.URL, at.world, writers)
	if err != nil {
		return nil, err
	}
	page, post := &cost{what: "a page"}, &cost{what: "a post, and its only delivery"}
	for range s.rounds {
		if err := errors.Join(s.costOfLoad(ctx, srv, reads, page), s.costOfLoad(ctx, srv, writes, post)); err != nil {
			return nil, err
		}
	}
	return []*cost{page, post}, nil
}

// costOfLoad adds what a call of a load takes, until the views are level.
func (s *stage) costOfLoad(ctx context.Context, srv *process.Server, l client.Load, c *cost) error {
	before, err := s.spent(ctx, srv)
	if err != nil {
		return err
	}
	l.URL, l.For = srv.URL, s.span
	got, err := l.Run(ctx)
	if err = errors.Join(err, srv.AwaitLevel(ctx, process.Patience)); err != nil {
		return err
	}
	after, err := s.spent(ctx, srv)
	c.add(after.since(before), float64(max(1, got.Answers)))
	return err
}

// costOfDeliveries measures what a chirp takes that the log has already, and deliveries
// to few and to many followers.
func (s *stage) costOfDeliveries(ctx context.Context, at *site) ([]*cost, error) {
	chirp := &cost{what: "a chirp with one delivery, by the projector"}
	all := []*cost{chirp}
	deliveries := 5 * s.size.backlog
	authors := slices.Compact([]int{at.withFollowers(10), at.withFollowers(100), at.withFollowers(1000), at.mostFollowed()})
	for _, author := range authors {
		n := float64(len(at.followers[author]))
		all = append(all, &cost{what: fmt.Sprintf("a delivery to one of %s followers", count(n)), deliveries: n})
	}
	for range s.rounds {
		d, err := s.deliver(ctx, at, at.chirpsOf(at.withFollowers(1), s.size.backlog/2))
		if err != nil {
			return nil, err
		}
		chirp.add(d, float64(s.size.backlog/2))
		for i, author := range authors {
			b := at.chirpsOf(author, deliveries/len(at.followers[author]))
			d, err := s.deliver(ctx, at, b)
			if err != nil {
				return nil, err
			}
			all[1+i].add(d, float64(b.deliveries))
		}
	}
	return all, nil
}

// deliver returns what the projection of a backlog takes.
func (s *stage) deliver(ctx context.Context, at *site, b backlog) (d spent, err error) {
	end, err := at.append(ctx, b)
	if err != nil {
		return d, err
	}
	srv, err := s.launch(ctx, at)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	before, err := s.spent(ctx, srv)
	if err != nil {
		return d, err
	}
	began := time.Now()
	if err := catchUp(ctx, srv, end); err != nil {
		return d, err
	}
	progress("%s: %d deliveries in %.2f s", at.store, b.deliveries, time.Since(began).Seconds())
	after, err := s.spent(ctx, srv)
	return after.since(before), err
}

// withFollowers returns the user with the number of followers nearest to n.
func (w *world) withFollowers(n int) int {
	found := 0
	for u, f := range w.followers {
		if abs(len(f)-n) < abs(len(w.followers[found])-n) {
			found = u
		}
	}
	return found
}

func abs(n int) int { return max(n, -n) }
