package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"chirp/bench/process"
	"chirp/internal/outage"
)

// measureMemory measures the resident memory while many clients read feeds of the
// network.
func measureMemory(ctx context.Context, s *stage, r *result) (err error) {
	w, err := s.network()
	if err != nil {
		return err
	}
	at, err := s.site(ctx, w, embedded)
	if err != nil {
		return err
	}
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	l, err := pages(srv.URL, w.readers(s.size.readers), w.token, manyClients)
	if err != nil {
		return err
	}
	l.URL, l.For = srv.URL, s.span
	var resident series
	for range s.rounds {
		if _, err := l.Run(ctx); err != nil {
			return err
		}
		u, err := process.Used(srv.PID())
		if err != nil {
			return err
		}
		resident = append(resident, float64(u.Resident))
		r.Tables = nil
		r.tabulate("Memory under the load of pages, embedded", []string{"resident", "most"}, []string{resident.format(memory), memory(float64(u.Peak))})
	}
	r.atMost(fmt.Sprintf("resident memory, %d clients read feeds", manyClients), embedded, resident, memory, 150e6)
	return nil
}

// measureStart measures how soon a server is ready, and how large the program is.
func measureStart(ctx context.Context, s *stage, r *result) error {
	at, err := s.site(ctx, newGrowth(s.size.growth[len(s.size.growth)-1]), embedded)
	if err != nil {
		return err
	}
	program, err := s.build(ctx, "chirp")
	if err != nil {
		return err
	}
	var ready, resident series
	for range s.rounds {
		took, idle, err := s.start(ctx, at, s.span)
		if err != nil {
			return err
		}
		ready, resident = append(ready, took), append(resident, idle)
	}
	file, err := os.Stat(program)
	if err != nil {
		return err
	}
	r.atMost(fmt.Sprintf("start to ready, %s events", count(float64(at.fill.Events))), embedded, ready, duration, float64(300*time.Millisecond))
	r.atMost("size of the program", "", series{float64(file.Size())}, memory, 45e6)
	r.atMost("resident memory when idle", embedded, resident, memory, 60e6)
	r.tabulate("A start", []string{"events", "ready after", "resident when idle", "program"},
		[]string{count(float64(at.fill.Events)), ready.format(duration), resident.format(memory), memory(float64(file.Size()))})
	return nil
}

// start starts a server and returns the nanoseconds until it is ready, and the memory
// that it has after a pause.
func (s *stage) start(ctx context.Context, at *site, pause time.Duration) (took, resident float64, err error) {
	began := time.Now()
	srv, err := s.serve(ctx, at, process.Patience)
	if err != nil {
		return 0, 0, err
	}
	took = float64(time.Since(began))
	outage.Pause(ctx, pause)
	u, err := process.Used(srv.PID())
	return took, float64(u.Resident), errors.Join(err, srv.Stop())
}
