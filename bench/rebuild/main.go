// Command rebuild measures how fast the views are rebuilt from a log. With -fill it
// only writes a log of registrations, follows and chirps. Measuring is a separate
// call, so that the memory it reports is that of the rebuild alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/sqlite"
)

type options struct {
	data, uri, database string
	fill                bool
	users               int
	follows             int
	chirps              int
	threshold           int64
	profile             string
	batch, deliveries   int
}

type storage interface {
	Log() eventstore.Log
	Views() readmodel.Store
	Close() error
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "rebuild-data", "folder of the embedded store")
	flag.StringVar(&o.uri, "mongodb-uri", "", "use this MongoDB instead")
	flag.StringVar(&o.database, "mongodb-database", "rebuild", "database in MongoDB")
	flag.BoolVar(&o.fill, "fill", false, "write the log and exit")
	flag.IntVar(&o.users, "users", 37_700, "registrations to write")
	flag.IntVar(&o.follows, "follows", 578_006, "follows to write")
	flag.IntVar(&o.chirps, "chirps", 200_000, "chirps to write")
	flag.Int64Var(&o.threshold, "threshold", 10_000, "followers from which a user is a celebrity")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to this file")
	flag.IntVar(&o.batch, "events", 0, "maximum number of events in a batch (0: the projector's default)")
	flag.IntVar(&o.deliveries, "deliveries", 0, "maximum number of deliveries in a batch (0: the projector's default)")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "rebuild:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	store, err := open(ctx, o)
	if err != nil {
		return err
	}
	if o.fill {
		err = fill(ctx, store.Log(), o)
	} else {
		err = measure(ctx, store, o)
	}
	if closing := store.Close(); err == nil {
		err = closing
	}
	return err
}

func open(ctx context.Context, o options) (storage, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if o.uri != "" {
		return mongodb.Open(ctx, o.uri, o.database, mongodb.Options{Log: log})
	}
	return sqlite.Open(ctx, o.data, sqlite.Options{Log: log})
}

// measure rebuilds the views and prints the time and memory that it took.
func measure(ctx context.Context, store storage, o options) error {
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var last projector.Progress
	var finishing time.Duration
	began := time.Now()
	err := projector.Rebuild(ctx, projector.Config{
		Log: store.Log(), Views: store.Views(), Threshold: o.threshold, MaxEvents: o.batch, MaxDeliveries: o.deliveries,
	}, projector.RebuildConfig{Progress: func(p projector.Progress) {
		// Finishing lasts from the report that sets it to the next one.
		if p.Finishing {
			finishing = -time.Since(began)
		} else if finishing < 0 {
			finishing += time.Since(began)
		}
		last = p
	}})
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	deliveries, err := countDeliveries(ctx, store.Views(), last.Position)
	if err != nil {
		return err
	}
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return err
	}
	events := float64(last.Position - last.From)
	fmt.Printf("generation %d: %.0f events in %.1f s, %.0f/s; %d timeline entries, %.0f/s; indexes in %.1f s; peak memory %d MB, %.1f s of CPU\n",
		last.Generation, events, took, events/took, deliveries, float64(deliveries)/took, finishing.Seconds(), use.Maxrss>>10,
		time.Duration(use.Utime.Nano()+use.Stime.Nano()).Seconds())
	return nil
}

// countDeliveries returns the number of entries that the timelines must have: each
// author's pushed chirps, times its followers.
func countDeliveries(ctx context.Context, views readmodel.Store, head domain.Position) (int64, error) {
	s, err := views.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var sum int64
	const keys = 10_000
	for from := domain.Position(1); from <= head; from += keys {
		var list []readmodel.UserKey
		for k := from; k < from+keys && k <= head; k++ {
			list = append(list, readmodel.UserKey(k))
		}
		found, err := s.Profiles(ctx, list)
		if err != nil {
			return 0, err
		}
		for _, p := range found {
			sum += p.Pushed * p.Followers
		}
	}
	return sum, nil
}
