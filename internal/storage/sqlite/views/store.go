// Package views keeps the read model in the files views-N.db of a folder: a
// database for each generation, of which one serves.
package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// lookEvery is how often a process looks which generation serves.
const lookEvery = 100 * time.Millisecond

// limits are the limits that tests need smaller.
type limits struct {
	// room is the least number of deliveries that a volume has room for.
	room int64
	// snapshotLife is how long a snapshot may stay open.
	snapshotLife time.Duration
	// closeAfter is how long a generation is kept open after the switch to
	// another one: all its snapshots are closed by then.
	closeAfter time.Duration
	// wal is the size of the write-ahead log, in bytes, from which readers are
	// held off for a moment so that it can begin anew.
	wal int64
	// holdOff is the longest that readers are held off at a time.
	holdOff time.Duration
}

func defaultLimits() limits {
	return limits{room: 65_536, snapshotLife: time.Minute, closeAfter: 90 * time.Second, wal: 64 << 20, holdOff: 50 * time.Millisecond}
}

var (
	errNoViews = readmodel.ErrNoViews
	errUnfit   = &domain.Error{Kind: domain.Unavailable, Msg: "the read model does not serve; the server on this folder makes it anew when it starts"}
)

// Store implements readmodel.Store in the files views-N.db of a folder.
type Store struct {
	dir      string
	options  Options
	limits   limits
	log      Source
	readers  *gate.Gate // what a snapshot's connection is waited for at
	progress progress
	watchers sync.WaitGroup
	closing  chan struct{} // closed with the views

	mu      sync.Mutex
	current *generation          // nil when none serves
	last    readmodel.Generation // what current was last
	looked  time.Time            // when the file "views" was last read
	retired map[*generation]*time.Timer
	built   map[int]*generation // those that Build has opened, by number
	closed  bool
}

// Options say how views are opened.
type Options struct {
	// Exclusive is set for the server that holds the folder's lock: it makes
	// views that cannot serve again from the log. Others leave them alone.
	Exclusive bool
	// ReadOnly refuses to write.
	ReadOnly bool
	// Intact returns an error while the folder's log is not the one that is
	// open. It may be nil.
	Intact func() error
	// Log receives what an operator should know.
	Log *slog.Logger
}

// Open opens the views of a log in a folder, which may have none.
func Open(ctx context.Context, dir string, log Source, o Options) (*Store, error) {
	return openLimited(ctx, dir, log, o, defaultLimits())
}

func openLimited(ctx context.Context, dir string, log Source, o Options, limits limits) (*Store, error) {
	v := &Store{dir: dir, options: o, limits: limits, log: log, readers: gate.New("views", snapshots, ownSnapshots), closing: make(chan struct{}),
		retired: make(map[*generation]*time.Timer), built: make(map[int]*generation)}
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.adopt(ctx)
	var unfit *unfitError
	switch {
	case !errors.As(err, &unfit):
	case o.Exclusive:
		v.last = readmodel.Generation{} // nothing is left whose number must not come again
		err = errors.Join(v.discard(unfit), v.closeAllRetired(), removeViews(dir))
	default:
		err = domain.Errorf(domain.Invalid, "the views in %s do not serve (%s); start the server on this folder once, which makes them anew", dir, unfit.reason)
	}
	if err != nil {
		return nil, errors.Join(err, v.shut())
	}
	return v, nil
}

// adopt opens the generation that serves, and checks that it belongs to the
// log. If none serves, the server takes what is left of others out of the
// folder.
func (v *Store) adopt(ctx context.Context) error {
	if err := v.look(); err != nil {
		return err
	}
	if v.current == nil {
		if v.options.Exclusive {
			return removeViews(v.dir)
		}
		return nil
	}
	at, err := v.current.describe()
	if err != nil {
		return unfit(err)
	}
	return belongs(ctx, v.log, at)
}

// look reads which generation serves, and opens it if that has changed.
func (v *Store) look() error {
	v.looked = time.Now()
	if err := v.away(); err != nil {
		if v.current != nil {
			return nil
		}
		return err
	}
	number, err := readServing(v.dir)
	if err != nil {
		return err
	}
	if v.current != nil && v.current.number == number {
		return v.current.strayed()
	}
	var next *generation
	var at readmodel.Generation
	if number != 0 {
		if next, err = openGeneration(v.dir, number, v.limits, v.options.ReadOnly); err != nil {
			return err
		}
		if at, err = next.describe(); err != nil {
			return errors.Join(unfit(err), next.close())
		}
	}
	if v.current != nil {
		v.retire(v.current)
	}
	v.current = next
	if next != nil {
		v.last = at
	}
	v.progress.serves(next, at.Checkpoint.Position)
	return nil
}

// serving gives the generation that serves. If fresh is set it looks even if
// it did so a moment ago.
func (v *Store) serving(fresh bool) (*generation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.servingNow(fresh)
}

// servingNow is serving for those who hold the mutex.
func (v *Store) servingNow(fresh bool) (*generation, error) {
	if v.closed {
		return nil, dbfile.ErrClosed
	}
	if fresh || v.current == nil || time.Since(v.looked) >= lookEvery {
		if err := v.look(); err != nil {
			return nil, v.unserved(err)
		}
	}
	if v.current == nil {
		return nil, errNoViews
	}
	return v.current, nil
}

// unserved deals with an error of look: views that do not serve are discarded
// by the server, and left alone by anybody else.
func (v *Store) unserved(err error) error {
	var unfit *unfitError
	switch {
	case !errors.As(err, &unfit):
		return dbfile.Translate(context.Background(), "open the views", err)
	case !v.options.Exclusive:
		return fmt.Errorf("%w: %w", errUnfit, unfit)
	}
	if err := v.discard(unfit); err != nil {
		return dbfile.Translate(context.Background(), "discard the views", err)
	}
	return fmt.Errorf("%w: %w", errNoViews, unfit)
}

// condemn discards a generation in which a damaged page was met.
func (v *Store) condemn(g *generation, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var damage *unfitError
	if !errors.As(unfit(err), &damage) || v.current != g || !v.options.Exclusive || v.closed {
		return
	}
	if err := v.discard(damage); err != nil {
		v.options.Log.Error("the damaged views cannot be discarded", "folder", v.dir, "error", err)
	}
}

// discard lets no generation serve, so that the next Serving starts over. The
// files stay for as long as snapshots may have them open.
func (v *Store) discard(why *unfitError) error {
	v.options.Log.Warn("the views are discarded and will be made anew from the log", "folder", v.dir, "reason", why.reason)
	if v.current != nil {
		v.retire(v.current)
		touch(v.current.path)
		v.current = nil
	}
	v.progress.serves(nil, 0)
	return removeServing(v.dir)
}

// retire closes a generation when its last snapshots are gone.
func (v *Store) retire(g *generation) {
	v.retired[g] = time.AfterFunc(v.limits.closeAfter, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if err := v.closeRetired(g); err != nil {
			v.options.Log.Warn("an old generation of the views is not closed well", "file", g.path, "error", err)
		}
	})
}

// Gate returns the numbers of what callers wait at for a snapshot.
func (v *Store) Gate() gate.Stats { return v.readers.Stats() }

// Close ends all that is waiting and closes the files.
func (v *Store) Close() error {
	v.mu.Lock()
	err := v.shut()
	v.mu.Unlock()
	v.watchers.Wait()
	return err
}

func (v *Store) shut() error {
	if v.closed {
		return nil
	}
	v.closed = true
	close(v.closing)
	v.progress.close()
	err := v.closeAllRetired()
	for _, g := range v.built {
		err = errors.Join(err, g.close())
	}
	if v.current != nil {
		err = errors.Join(err, v.current.close())
	}
	return err
}

func (v *Store) closeAllRetired() error {
	var errs []error
	for g := range v.retired {
		errs = append(errs, v.closeRetired(g))
	}
	return errors.Join(errs...)
}

// closeRetired closes a generation that was retired, if it is open still.
func (v *Store) closeRetired(g *generation) error {
	timer, open := v.retired[g]
	if !open {
		return nil
	}
	timer.Stop()
	delete(v.retired, g)
	return g.close()
}

// Serving implements readmodel.Store.
func (v *Store) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	g, err := v.servingNow(true)
	if errors.Is(err, errNoViews) {
		if err = v.begin(epoch, threshold); err == nil {
			g, err = v.servingNow(true)
		}
	}
	if err != nil {
		return nil, err
	}
	return &writer{views: v, generation: g, serving: true, may: func() error { return v.serves(g) }}, nil
}

// begin makes a generation and lets it serve, unless another process was
// faster.
func (v *Store) begin(epoch string, threshold int64) error {
	if v.options.ReadOnly {
		return domain.Errorf(domain.Invalid, "data folder %s is open for reading only; start the server on it once", v.dir)
	}
	number, err := nextGeneration(v.dir)
	number = max(number, v.last.Number+1)
	if err == nil {
		err = createGeneration(v.dir, readmodel.Generation{Number: number, Epoch: epoch, Threshold: threshold}, v.limits.room, readerIndexes)
	}
	if err == nil {
		err = writeServing(v.dir, number, false)
	}
	return dbfile.Translate(context.Background(), "create the views", err)
}

// Lease implements readmodel.Store. Only the process with the folder's lock
// projects.
func (v *Store) Lease(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	return true, ctx.Err()
}

// Release implements readmodel.Store.
func (v *Store) Release(context.Context, string) error { return nil }
