// Package views keeps the read model of the embedded store in the files
// views-N.db: one database for each generation, of which one serves. Package
// sqlite specifies the files, and how another generation comes to serve.
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

// refreshEvery is how long a process relies on what it last read from the file
// "views".
const refreshEvery = 100 * time.Millisecond

// limits are the limits that tests make smaller.
type limits struct {
	// room is the least number of deliveries in a full volume.
	room int64
	// snapshotLife is how long a snapshot may stay open.
	snapshotLife time.Duration
	// closeAfter is how long a generation stays open after the switch to
	// another one. All its snapshots have expired by then.
	closeAfter time.Duration
	// readCache is the size of the page cache of a connection that reads, in bytes.
	readCache int64
	// wal is the size of the write-ahead log, in bytes, above which new readers
	// wait for a moment so that it can be reused from its start.
	wal int64
	// holdOff is the longest time that readers wait for that.
	holdOff time.Duration
}

func defaultLimits() limits {
	return limits{room: 65_536, snapshotLife: time.Minute, readCache: 8 << 20, closeAfter: 90 * time.Second, wal: 64 << 20, holdOff: 50 * time.Millisecond}
}

// leastReadCache holds the upper levels of the indexes.
const leastReadCache = 256 << 10

var (
	errNoViews = readmodel.ErrNoViews
	errUnfit   = &domain.Error{Kind: domain.Unavailable, Msg: "the read model does not serve; the server on this folder makes it again when it starts"}
)

// Store implements readmodel.Store.
type Store struct {
	dir      string
	options  Options
	limits   limits
	log      Source
	readers  *gate.Gate // bounds the open snapshots
	progress readmodel.Progress

	mu        sync.Mutex
	current   *generation                 // the one that serves, nil if none does
	last      readmodel.Generation        // describes the last current that was not nil
	refreshed time.Time                   // when the file "views" was last read
	retired   map[*generation]*time.Timer // that served, and are not closed yet
	built     map[int]*generation         // that Build has opened, by number
	closed    bool
}

// Options configure Open.
type Options struct {
	// Exclusive is set by the server that holds the folder's lock. It discards
	// views that cannot serve; other processes leave them alone.
	Exclusive bool
	// ReadOnly refuses to write.
	ReadOnly bool
	// CacheBytes is how much memory the pages of all snapshots may take; 0 is the
	// default, 8 MB for each.
	CacheBytes int64
	// CheckLog returns an error while the log in the folder is not the log that
	// is open. The views in the folder are then not this process's either, and
	// are left alone. It may be nil.
	CheckLog func() error
	// Log receives messages for the operator. It must not be nil.
	Log *slog.Logger
}

// Open opens the views of a log in a folder, which need not have any. If the
// views cannot serve, a process that is Exclusive discards them, and any other
// gets an error.
func Open(ctx context.Context, dir string, log Source, o Options) (*Store, error) {
	limits := defaultLimits()
	if o.CacheBytes > 0 {
		limits.readCache = max(o.CacheBytes/(clientSnapshots+ownSnapshots), leastReadCache)
	}
	return openLimited(ctx, dir, log, o, limits)
}

func openLimited(ctx context.Context, dir string, log Source, o Options, limits limits) (*Store, error) {
	v := &Store{dir: dir, options: o, limits: limits, log: log, readers: gate.New("views", clientSnapshots, ownSnapshots),
		retired: make(map[*generation]*time.Timer), built: make(map[int]*generation)}
	v.progress.Every, v.progress.Read = refreshEvery, v.readCheckpoint
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.openServing(ctx)
	var unfit *unfitError
	switch {
	case !errors.As(err, &unfit):
	case o.Exclusive:
		v.last = readmodel.Generation{} // all files go, so numbers start at 1 again
		err = errors.Join(v.discard(unfit), v.closeAllRetired(), removeViews(dir))
	default:
		err = domain.Errorf(domain.Invalid, "the views in %s do not serve (%s); start the server on this folder once, which makes them again", dir, unfit.reason)
	}
	if err != nil {
		return nil, errors.Join(err, v.closeLocked())
	}
	return v, nil
}

// openServing opens the generation that serves, and checks that it belongs to the
// log. If none serves, the server removes the files of other generations.
func (v *Store) openServing(ctx context.Context) error {
	if err := v.refresh(); err != nil {
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
	return checkBelongs(ctx, v.log, at)
}

// refresh reads which generation serves, and opens it if that has changed. While
// the folder's log is another one, the generation that is open goes on serving.
func (v *Store) refresh() error {
	v.refreshed = time.Now()
	if v.options.CheckLog != nil {
		if err := v.options.CheckLog(); err != nil {
			if v.current != nil {
				return nil
			}
			return err
		}
	}
	number, err := readServing(v.dir)
	if err != nil {
		return err
	}
	if v.current != nil && v.current.number == number {
		return v.current.checkFiles()
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
	v.progress.SetServing(at)
	v.closeBuilt(number)
	return nil
}

// closeBuilt closes the connections with which a generation was built that serves now.
func (v *Store) closeBuilt(number int) {
	g := v.built[number]
	if g == nil {
		return
	}
	delete(v.built, number)
	if err := g.close(); err != nil {
		v.options.Log.Warn("the connections that built the views could not be closed", "file", g.path, "error", err)
	}
}

// serving returns the generation that serves. If fresh is set it reads the file
// "views" even if it did so a moment ago.
func (v *Store) serving(fresh bool) (*generation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.servingLocked(fresh)
}

// servingLocked is serving for callers that hold v.mu.
func (v *Store) servingLocked(fresh bool) (*generation, error) {
	if v.closed {
		return nil, dbfile.ErrClosed
	}
	if fresh || v.current == nil || time.Since(v.refreshed) >= refreshEvery {
		if err := v.refresh(); err != nil {
			return nil, v.openFailed(err)
		}
	}
	if v.current == nil {
		return nil, errNoViews
	}
	return v.current, nil
}

// openFailed maps an error of refresh to the one that callers get. If the views
// cannot serve, the server discards them, and other processes leave them alone.
func (v *Store) openFailed(err error) error {
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

// discardIfDamaged discards a generation if an error of using it shows that its
// file is damaged, and reports whether it did.
func (v *Store) discardIfDamaged(g *generation, err error) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	var damage *unfitError
	if !errors.As(unfit(err), &damage) || v.current != g || !v.options.Exclusive || v.closed {
		return false
	}
	if err := v.discard(damage); err != nil {
		v.options.Log.Error("the damaged views cannot be discarded", "folder", v.dir, "error", err)
	}
	return true
}

// discard takes the serving generation out of service, so that the next Serving
// starts over. The files stay, because snapshots may have them open.
func (v *Store) discard(why *unfitError) error {
	v.options.Log.Warn("the views are discarded and will be made again from the log", "folder", v.dir, "reason", why.reason)
	if v.current != nil {
		v.retire(v.current)
		markRetired(v.current.path)
		v.current = nil
	}
	v.progress.SetServing(readmodel.Generation{})
	return removeServing(v.dir)
}

// retire closes a generation when its last snapshots have expired.
func (v *Store) retire(g *generation) {
	v.retired[g] = time.AfterFunc(v.limits.closeAfter, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if err := v.closeRetired(g); err != nil {
			v.options.Log.Warn("an old generation of the views could not be closed", "file", g.path, "error", err)
		}
	})
}

// Await implements readmodel.Store.
func (v *Store) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	return v.progress.Await(ctx, beyond)
}

// readCheckpoint is the progress's Read.
func (v *Store) readCheckpoint(ctx context.Context) error {
	g, err := v.serving(false) // which reports if another generation serves
	if err != nil {
		return err
	}
	at, err := g.describe()
	if err != nil {
		if v.discardIfDamaged(g, err) {
			return readmodel.ErrNoViews
		}
		return dbfile.Translate(ctx, "read the checkpoint", err)
	}
	v.progress.Advance(at.Number, at.Checkpoint.Position)
	return nil
}

// Gate returns the statistics of the gate at which callers wait for a snapshot.
func (v *Store) Gate() gate.Stats { return v.readers.Stats() }

// Close makes every waiting call return and closes the files.
func (v *Store) Close() error {
	v.progress.Close(dbfile.ErrClosed) // first, because closing waits for snapshots
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closeLocked()
}

func (v *Store) closeLocked() error {
	if v.closed {
		return nil
	}
	v.closed = true
	err := v.closeAllRetired()
	for _, g := range v.built {
		err = errors.Join(err, g.close())
	}
	if v.current != nil {
		err = errors.Join(err, v.current.close())
	}
	return err
}

func (v *Store) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

func (v *Store) closeAllRetired() error {
	var errs []error
	for g := range v.retired {
		errs = append(errs, v.closeRetired(g))
	}
	return errors.Join(errs...)
}

// closeRetired closes a retired generation, unless that has happened already.
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
	g, err := v.servingLocked(true)
	if errors.Is(err, errNoViews) {
		if err = v.create(epoch, threshold); err == nil {
			g, err = v.servingLocked(true)
		}
	}
	if err != nil {
		return nil, err
	}
	return &writer{views: v, generation: g, serving: true, fence: func() error { return v.checkServing(g) }}, nil
}

// create creates a generation and makes it serve, unless another process has
// made one serve meanwhile.
func (v *Store) create(epoch string, threshold int64) error {
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

// Lease implements readmodel.Store. The folder's lock is the lease: only the
// process that holds it projects.
func (v *Store) Lease(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	return true, ctx.Err()
}

// Release implements readmodel.Store.
func (v *Store) Release(context.Context, string) error { return nil }
