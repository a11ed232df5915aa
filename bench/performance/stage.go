package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"chirp/bench/process"
)

// stage has what the rows share: a folder, the programs, the worlds in the stores, and
// a MongoDB if one is needed.
type stage struct {
	settings
	keep     bool // the folder stays for the next time
	mongodb  *process.Mongod
	programs map[string]string
	sites    map[string]*site
	grown    *world
}

func newStage(o settings) (*stage, error) {
	s := &stage{settings: o, keep: o.dir != "", programs: map[string]string{}, sites: map[string]*site{}}
	if s.program != "" {
		s.programs["chirp"] = s.program
	}
	if s.keep {
		return s, os.MkdirAll(s.dir, 0o700)
	}
	var err error
	s.dir, err = os.MkdirTemp("", "chirp-performance-")
	return s, err
}

// network returns the world of most rows.
func (s *stage) network() (w *world, err error) {
	if s.grown == nil {
		s.grown, err = newNetwork(s.settings)
	}
	return s.grown, err
}

func (s *stage) close() error {
	var err error
	if s.mongodb != nil {
		err = s.mongodb.Stop()
	}
	if s.keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// build builds a package of this module, once, and returns the path of the program.
func (s *stage) build(ctx context.Context, pkg string) (string, error) {
	if path := s.programs[pkg]; path != "" {
		return path, nil
	}
	path := filepath.Join(s.dir, "bin-"+filepath.Base(pkg))
	progress("build %s", pkg)
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	s.programs[pkg] = path
	return path, nil
}

// mongo returns the MongoDB, which all share.
func (s *stage) mongo(ctx context.Context) (*process.Mongod, error) {
	if s.mongodb != nil {
		return s.mongodb, nil
	}
	m, err := process.StartMongod(ctx, filepath.Join(s.dir, "mongodb"))
	if err != nil {
		return nil, err
	}
	s.mongodb = m
	return m, nil
}
