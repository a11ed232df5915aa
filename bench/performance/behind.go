package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// measureBehind reports how long it took until an imported network was visible. The
// stores are filled once, so there is one round.
func measureBehind(ctx context.Context, s *stage, r *result) error {
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
		most := 35.0
		if store == onMongo {
			most = 75
		}
		f, events := at.fill, float64(at.fill.Events)
		r.atMost(fmt.Sprintf("seconds from the start of a server until %s imported events are visible", count(events)), store, series{f.Views}, seconds, most)
		lines = append(lines, []string{
			store, seconds(f.Import), seconds(f.Views), count(events / f.Views), count(w.deliveries() / f.Views), duration(f.CPU / events * 1e9),
			duration(f.MongodCPU / events * 1e9), memory(float64(f.Peak)), memory(float64(f.Resident)),
		})
	}
	r.tabulate("An import, and the views after it", []string{
		"store", "import", "views", "events/s", "deliveries/s", "CPU an event", "CPU of mongod", "memory, most", "memory at the end",
	}, lines...)
	return nil
}

func seconds(f float64) string { return fmt.Sprintf("%.1f s", f) }

// deliveries returns how many entries all timelines have: each author's chirps, times
// its followers.
func (w *world) deliveries() float64 {
	sum := 0
	for u := range w.chirps {
		sum += len(w.chirps[u]) * len(w.followers[u])
	}
	return float64(sum)
}

// measureRebuild times chirp rebuild on the network, with no server running.
func measureRebuild(ctx context.Context, s *stage, r *result) error {
	w, err := s.network()
	if err != nil {
		return err
	}
	program, err := s.build(ctx, "chirp")
	if err != nil {
		return err
	}
	var lines [][]string
	for _, store := range s.stores {
		at, err := s.site(ctx, w, store)
		if err != nil {
			return err
		}
		progress("rebuild the views, %s", store)
		before, err := s.used(nil)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, program, slices.Concat([]string{"rebuild"}, at.place)...)
		began := time.Now()
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("rebuild: %w\n%s", err, text)
		}
		took := time.Since(began).Seconds()
		after, err := s.used(nil)
		if err != nil {
			return err
		}
		events, most := float64(at.fill.Events), 30_000.0
		if store == onMongo {
			most = 15_000
		}
		r.atLeast("rebuild, events a second", store, series{events / took}, count, most)
		usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		lines = append(lines, []string{
			store, seconds(took), count(events / took), duration(float64(cpu) / events), duration(float64(after.mongod-before.mongod) / events), memory(float64(usage.Maxrss << 10)),
		})
	}
	r.tabulate("A rebuild of the network", []string{"store", "took", "events/s", "CPU an event", "CPU of mongod", "memory, most"}, lines...)
	return nil
}
