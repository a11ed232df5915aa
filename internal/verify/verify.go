// Package verify compares the views with the log. It folds the log again, event by
// event and in memory, in the plainest way that yields the rows, and compares them
// with what the serving generation shows at its checkpoint. It shares no code with
// the projector, because it would share its mistakes. While it reads the log, it
// also checks what must hold of the log itself.
//
// It needs memory for the users, the follows and the chirps without their texts. It
// may run while servers write. A store may end a snapshot after a minute, so a long
// comparison uses several: it compares some users within one snapshot, then folds
// the log on to the checkpoint of the next one and continues there.
package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// Config says what to verify and where to report. Log and Views are required.
type Config struct {
	Log   eventstore.Log
	Views readmodel.Store
	// Problems returns the problems that the store itself has found; each counts
	// as a difference. It may be nil.
	Problems func() []string
	// Sample is the number of users whose lists are compared: chirps, follows
	// and timeline. They are drawn at random with Seed; 0 means all users. The
	// profiles and the log are always checked in full.
	Sample int
	Seed   uint64
	// SnapshotTime is how long one snapshot is used. Default: 30 s.
	SnapshotTime time.Duration
	// MaxReports is how many differences are reported; all are counted.
	// Default: 1,000.
	MaxReports int
	// Report is called with each difference as it is found. It may be nil.
	Report func(Difference)
	// Progress is called now and then. It may be nil.
	Progress func(Progress)
}

// Difference is something in the views or the log that is not as it must be.
type Difference struct {
	What  string // such as "followers count"
	Whose string // a user, or the log
	Want  string
	Got   string
}

// String returns the difference as one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s of %s: want %s, got %s", d.What, d.Whose, d.Want, d.Got)
}

// Progress reports how far one of the steps has come.
type Progress struct {
	Step        string // "events" while the log is read, "users" while views are compared
	Done, Total int64
}

// Summary is what was verified.
type Summary struct {
	// Generation describes the views as of the last snapshot.
	Generation readmodel.Generation
	// Head is where the log ended.
	Head domain.Position
	// Events, Users, Chirps and Follows count what is in the log up to Head.
	Events, Users, Chirps, Follows int64
	// Lists counts the users whose lists were compared, and TimelineEntries the
	// timeline entries that were read.
	Lists, TimelineEntries int64
	// Partial names an event that was applied in part when the views were
	// compared, which is no difference; empty if there was none.
	Partial string
	// Differences counts all differences, reported or not.
	Differences int64
	// Unsound counts the differences in the log or the store itself, which
	// rebuilding the views does not repair.
	Unsound int64
}

const (
	defaultSnapshotTime = 30 * time.Second
	defaultMaxReports   = 1000
	eventsPerRead       = 1000
	profilesPerRead     = 1000
	rowsPerRead         = 5000
)

// Run verifies, and returns a summary of what it found. Differences are not an
// error; Run returns an error if it could not finish.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.SnapshotTime <= 0 {
		cfg.SnapshotTime = defaultSnapshotTime
	}
	if cfg.MaxReports <= 0 {
		cfg.MaxReports = defaultMaxReports
	}
	r := &run{cfg: cfg}
	if err := r.begin(ctx); err != nil {
		return r.sum, err
	}
	// Keys are positions, so the users' keys begin at 1.
	for next := readmodel.UserKey(1); next != 0; {
		var err error
		if next, err = r.compareFrom(ctx, next); err != nil {
			return r.sum, err
		}
	}
	// The views are behind the log. Check the rest of the log too.
	head, err := cfg.Log.Head(ctx)
	if err == nil {
		err = r.foldTo(ctx, head.Position)
	}
	if err != nil {
		return r.sum, err
	}
	r.fold.finish()
	r.reportProblems()
	r.sum.Head = head.Position
	r.sum.Users, r.sum.Chirps, r.sum.Follows = int64(len(r.fold.order)), r.fold.chirps, r.fold.follows
	return r.sum, nil
}

// run is one verification.
type run struct {
	cfg  Config
	sum  Summary
	head domain.Position // the highest position known, for the progress
	fold *fold
	// sample holds the users whose lists are compared, nil for all.
	sample map[readmodel.UserKey]bool
}

func (r *run) report(d Difference) {
	r.sum.Differences++
	if d.Whose == theLog || d.Whose == theStore {
		r.sum.Unsound++
	}
	if r.sum.Differences <= int64(r.cfg.MaxReports) && r.cfg.Report != nil {
		r.cfg.Report(d)
	}
}

// reportProblems reports the problems that the store has found. It is called last,
// because the store finds them while it is read.
func (r *run) reportProblems() {
	if r.cfg.Problems == nil {
		return
	}
	for _, p := range r.cfg.Problems() {
		r.report(Difference{"soundness", theStore, "no problem", p})
	}
}

func (r *run) progress(step string, done, total int64) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(Progress{step, done, total})
	}
}

// begin folds the log up to the views' checkpoint and draws the sample. When it is
// done, the views may have moved on a little.
func (r *run) begin(ctx context.Context) error {
	snapshot, err := r.cfg.Views.Snapshot(ctx)
	if err != nil {
		return err
	}
	r.sum.Generation = snapshot.Generation()
	snapshot.Close() // folding the log may take longer than a snapshot lasts
	head, err := r.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	r.head = head.Position
	if epoch := r.sum.Generation.Epoch; epoch != head.Epoch {
		return domain.Errorf(domain.Invalid, "the views were made from another log: theirs has epoch %s, this one %s", epoch, head.Epoch)
	}
	r.fold = newFold(r.sum.Generation.Threshold, r.report)
	if err := r.foldTo(ctx, r.sum.Generation.Checkpoint.Position); err != nil {
		return err
	}
	if r.cfg.Sample > 0 {
		r.sample = make(map[readmodel.UserKey]bool)
		random := rand.New(rand.NewPCG(r.cfg.Seed, 0))
		for _, i := range random.Perm(len(r.fold.order))[:min(r.cfg.Sample, len(r.fold.order))] {
			r.sample[r.fold.order[i].Key] = true
		}
	}
	return nil
}

// compareFrom compares the users from a key on within one snapshot, until all are
// done or SnapshotTime is over. It returns the key to continue from, 0 if all are
// done.
func (r *run) compareFrom(ctx context.Context, from readmodel.UserKey) (readmodel.UserKey, error) {
	snapshot, err := r.cfg.Views.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snapshot.Close()
	end := time.Now().Add(r.cfg.SnapshotTime)
	// Another generation may have begun to serve since the last snapshot. It is as
	// good, unless the fold does not apply to it or is already beyond it.
	g := snapshot.Generation()
	if g.Threshold != r.sum.Generation.Threshold || g.Epoch != r.sum.Generation.Epoch || g.Checkpoint.Position < r.fold.at {
		return 0, domain.Errorf(domain.Unavailable, "the views were rebuilt during the verification; run it again")
	}
	r.sum.Generation = g
	if err := r.foldTo(ctx, g.Checkpoint.Position); err != nil {
		return 0, err
	}
	c := &comparison{run: r, snapshot: snapshot}
	if err := c.allowForPartial(ctx); err != nil {
		return 0, err
	}
	r.fold.listFollowers()
	next, err := c.users(ctx, from, end)
	// The totals are comparable only if everything else is known to be right.
	if next == 0 && err == nil && r.sample == nil && r.sum.Partial == "" && r.sum.Differences == 0 {
		err = c.totals(ctx)
	}
	return next, err
}

// foldTo reads the log up to a position and folds it. It reports what cannot be read
// and skips it, except in an outage, when it returns the error.
func (r *run) foldTo(ctx context.Context, to domain.Position) error {
	f := r.fold
	for limit := eventsPerRead; f.at < to; {
		r.head = max(r.head, to)
		r.progress("events", int64(f.at), int64(r.head))
		events, err := r.cfg.Log.ReadAll(ctx, f.at, min(limit, int(to-f.at)))
		switch {
		case err != nil && (ctx.Err() != nil || domain.KindOf(err) == domain.Unavailable):
			return err
		case err != nil && limit > 1:
			limit = 1 // to find the event that causes the error
		case err != nil:
			f.skip(f.at+1, fmt.Sprintf("the error %q", err))
			limit = eventsPerRead
		case len(events) == 0:
			f.skip(to, "the end of the log")
		default:
			// A log that returns only events at or before f.at would be read
			// for ever.
			before := f.at
			r.sum.Events += f.addAll(events, to)
			if f.at == before {
				f.skip(to, "only events before them")
			}
		}
	}
	r.progress("events", int64(f.at), int64(max(r.head, f.at)))
	return nil
}
