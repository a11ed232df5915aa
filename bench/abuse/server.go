package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"chirp/bench/process"
)

// build is a program to measure.
type build struct{ label, path string }

// server is a build that serves, with default settings.
type server struct{ *process.Server }

// start starts a server on a place, given by flags, and waits until it is ready.
// It may open at most files descriptors, unless files is 0.
func (b build) start(ctx context.Context, place []string, files int, patience time.Duration) (*server, error) {
	args := append([]string{b.path, "--addr", "127.0.0.1:0"}, place...)
	cmd := exec.Command(args[0], args[1:]...)
	if files > 0 {
		cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files)}, args...)...)
	}
	s, err := process.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.label, err)
	}
	if err := s.AwaitReady(ctx, patience); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return &server{s}, nil
}
