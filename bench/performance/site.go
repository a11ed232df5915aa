package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"chirp/bench/process"
)

// Names of the stores.
const (
	embedded = "embedded"
	onMongo  = "mongodb"
)

// site is a world in a store.
type site struct {
	*world
	store string
	place []string // the flags that name where the store is
	fill  filling
}

// filling is how a world got into a store.
type filling struct {
	Events         int
	Import, Views  float64 // seconds
	CPU, MongodCPU float64 // seconds, for the views
	Peak, Resident int64   // bytes, of the server that built the views
}

// site returns a world in a store, filled. What was kept from an earlier run is used
// again, with the chirps that were posted then.
func (s *stage) site(ctx context.Context, w *world, store string) (*site, error) {
	key := w.name + "-" + store
	if known := s.sites[key]; known != nil {
		return known, nil
	}
	at := &site{world: w, store: store, place: []string{"--data", filepath.Join(s.dir, key)}}
	if store == onMongo {
		m, err := s.mongo(ctx)
		if err != nil {
			return nil, err
		}
		at.place = []string{"--mongodb-uri", m.URI, "--mongodb-database", key}
	}
	record := filepath.Join(s.dir, key+".json")
	if text, err := os.ReadFile(record); err == nil {
		s.sites[key] = at
		return at, json.Unmarshal(text, &at.fill)
	}
	if err := s.fill(ctx, at); err != nil {
		return nil, fmt.Errorf("fill %s: %w", key, err)
	}
	s.sites[key] = at
	text, err := json.Marshal(at.fill)
	return at, errors.Join(err, os.WriteFile(record, text, 0o600))
}

// fillPatience bounds how long a server may take to build the views of a world.
const fillPatience = 15 * time.Minute

// fill imports the world, and starts a server that builds the views.
func (s *stage) fill(ctx context.Context, at *site) error {
	archive := filepath.Join(s.dir, at.name+".jsonl")
	if err := at.write(archive); err != nil {
		return err
	}
	program, err := s.build(ctx, "chirp")
	if err != nil {
		return err
	}
	progress("import %d events of the %s into %s", at.network.Events(), at.name, at.store)
	began := time.Now()
	args := slices.Concat([]string{"import", archive, "--with-token-secret"}, at.place)
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("import: %w\n%s", err, out)
	}
	at.fill.Events, at.fill.Import = at.network.Events(), time.Since(began).Seconds()
	progress("build the views")
	before, err := s.used(nil)
	if err != nil {
		return err
	}
	began = time.Now()
	srv, err := s.serve(ctx, at, fillPatience)
	if err != nil {
		return err
	}
	at.fill.Views = time.Since(began).Seconds()
	after, err := s.used(srv)
	at.fill.CPU, at.fill.MongodCPU = after.server.Seconds(), (after.mongod - before.mongod).Seconds()
	at.fill.Peak, at.fill.Resident = after.Peak, after.Resident
	progress("the views were built in %.1f s", at.fill.Views)
	return errors.Join(err, srv.Stop())
}

// spawn starts a server on a site. Its rate limit is enforced, but never reached.
func (s *stage) spawn(ctx context.Context, at *site) (*process.Server, error) {
	program, err := s.build(ctx, "chirp")
	if err != nil {
		return nil, err
	}
	args := []string{"--addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--rate-limit", "1000000", "--celebrity-threshold", fmt.Sprint(at.threshold)}
	return process.Start(exec.Command(program, slices.Concat(args, at.place)...))
}

// serve starts a server on a site, and waits until the views are level with the log.
func (s *stage) serve(ctx context.Context, at *site, patience time.Duration) (*process.Server, error) {
	srv, err := s.spawn(ctx, at)
	if err != nil {
		return nil, err
	}
	if err = srv.AwaitReady(ctx, patience); err == nil {
		err = srv.AwaitLevel(ctx, patience)
	}
	if err != nil {
		return nil, errors.Join(err, srv.Stop())
	}
	return srv, nil
}

// used is what a server, and the MongoDB if there is one, have used so far.
type used struct {
	process.Usage // of the server
	server        time.Duration
	mongod        time.Duration
	written       int64 // bytes, by both
}

// used reads what has been used. A nil server has used nothing.
func (s *stage) used(srv *process.Server) (u used, err error) {
	if srv != nil {
		if u.Usage, err = process.Used(srv.PID()); err != nil {
			return u, err
		}
		u.server, u.written = u.CPU, u.Written
	}
	if s.mongodb != nil {
		m, err := process.Used(s.mongodb.PID())
		u.mongod, u.written = m.CPU, u.written+m.Written
		return u, err
	}
	return u, nil
}
