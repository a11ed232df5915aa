package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"chirp/bench/process"
	"chirp/internal/storage/mongodb/mongotest"
)

// Names of the stores.
const (
	embedded = "embedded"
	onMongo  = "mongodb"
)

// stage has what the measurements of a run share: a temporary folder, the
// archive of the world, and a MongoDB if one is needed.
type stage struct {
	options
	dir     string
	archive string
	uri     string // of the MongoDB
	sites   map[string]*site
	header  header
}

// newStage returns a stage in a new folder. close removes it.
func newStage(ctx context.Context, o options) (s *stage, err error) {
	s = &stage{options: o, sites: map[string]*site{}}
	if s.dir, err = os.MkdirTemp(o.dir, "chirp-abuse-"); err != nil {
		return nil, err
	}
	s.archive = filepath.Join(s.dir, "world.jsonl")
	return s, s.world.write(s.archive)
}

func (s *stage) close() { _ = os.RemoveAll(s.dir) }

// mongo returns the connection string of a MongoDB that runs until ctx ends.
func (s *stage) mongo(ctx context.Context) (string, error) {
	if s.uri != "" {
		return s.uri, nil
	}
	started, failed := make(chan string), make(chan error, 1)
	go func() { failed <- mongotest.Serve(ctx, func(uri string) { started <- uri }) }()
	select {
	case s.uri = <-started:
		return s.uri, nil
	case err := <-failed:
		return "", err
	}
}

// site is the world in a store, for one build. Attacks of that build come one
// after another, each to a new process.
type site struct {
	build
	store string
	place []string // the flags that name where the store is
	fills int      // how often it was filled
}

// site returns the place of a build in a store, filled.
func (s *stage) site(ctx context.Context, b build, store string) (*site, error) {
	key := b.label + " " + store
	if known := s.sites[key]; known != nil {
		return known, nil
	}
	at := &site{build: b, store: store}
	if err := s.fill(ctx, at); err != nil {
		return nil, err
	}
	s.sites[key] = at
	return at, nil
}

// fill imports the world into a new folder or database, and builds its views.
func (s *stage) fill(ctx context.Context, at *site) error {
	at.fills++
	name := at.label + strconv.Itoa(at.fills)
	if at.store == embedded {
		at.place = []string{"--data", filepath.Join(s.dir, name)}
	} else {
		uri, err := s.mongo(ctx)
		if err != nil {
			return err
		}
		at.place = []string{"--mongodb-uri", uri, "--mongodb-database", name}
	}
	cmd := exec.CommandContext(ctx, at.path, append([]string{"import", s.archive}, at.place...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("import the world: %w\n%s", err, out)
	}
	const patience = 10 * time.Minute
	srv, err := at.start(ctx, at.place, 0, patience)
	if err != nil {
		return err
	}
	return errors.Join(srv.AwaitLevel(ctx, patience), srv.Stop())
}

// open starts a server that is level. What an earlier attack has left to do may
// take too long; then the world is filled again.
func (s *stage) open(ctx context.Context, at *site, files int) (*server, error) {
	for {
		srv, err := at.start(ctx, at.place, files, process.Patience)
		if err == nil {
			if err = srv.AwaitLevel(ctx, process.Patience); err == nil {
				return srv, nil
			}
			err = errors.Join(err, srv.Stop())
		}
		if !errors.Is(err, process.ErrNotLevel) {
			return nil, err
		}
		if err := s.fill(ctx, at); err != nil {
			return nil, err
		}
	}
}
