// Package verify holds the views against the log. It folds the log once more,
// event by event and in memory, in the plainest way that gives the rows, and
// compares them with what the serving generation shows at its checkpoint. It
// shares no code with the projector, or it would share its mistakes. On the way
// it checks what must hold of the log itself.
//
// It needs memory for the users, the follows and the chirps without their
// texts, and reads beside servers that go on writing. A store may give up a
// snapshot after a minute, so a long comparison takes turns: each compares some
// users within one snapshot, and the next one folds the log on to where its own
// snapshot stands.
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

// Config says what is verified, and who hears of it.
type Config struct {
	Log   eventstore.Log
	Views readmodel.Store
	// Problems returns what the store itself finds wrong; each of them is a
	// difference. It may be nil.
	Problems func() []string
	// Sample is the number of users, drawn by Seed, whose lists are compared:
	// chirps, follows and timeline. 0 is all. Profiles and the log are checked
	// in full all the same.
	Sample int
	Seed   uint64
	// Turn is how long one snapshot is used. Default: 30 s.
	Turn time.Duration
	// MaxReports is how many differences are reported; all are counted.
	// Default: 1,000.
	MaxReports int
	// Report is told of differences as they are found.
	Report func(Difference)
	// Progress is told now and then how far the work has come. It may be nil.
	Progress func(Progress)
}

// Difference is something that is not as it must be.
type Difference struct {
	What  string // such as "followers count"
	Whose string // a user, or the log
	Want  string
	Got   string
}

// String gives the difference as one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s of %s: want %s, got %s", d.What, d.Whose, d.Want, d.Got)
}

// Progress is how far one of the steps has come.
type Progress struct {
	Step        string // "events" while the log is read, "users" while views are compared
	Done, Total int64
}

// Summary is what was verified.
type Summary struct {
	// Generation describes the views as they were compared last.
	Generation readmodel.Generation
	// Head is where the log ended.
	Head domain.Position
	// Events, Users, Chirps and Follows count what the log holds up to Head.
	Events, Users, Chirps, Follows int64
	// Lists counts the users whose lists were compared, and TimelineEntries
	// the entries that were read for it.
	Lists, TimelineEntries int64
	// Partial names an event that was applied in part when the views were
	// compared, which was allowed for; empty if there was none.
	Partial string
	// Differences counts all, reported or not.
	Differences int64
	// Unsound counts those of them that are of the log or the store itself,
	// which no rebuild of the views mends.
	Unsound int64
}

const (
	defaultTurn       = 30 * time.Second
	defaultMaxReports = 1000
	eventsPerRead     = 1000
	profilesPerRead   = 1000
	rowsPerRead       = 5000
)

// Run verifies, and says what it saw. Differences are no error; an error says
// that the work could not be done to its end.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Turn <= 0 {
		cfg.Turn = defaultTurn
	}
	if cfg.MaxReports <= 0 {
		cfg.MaxReports = defaultMaxReports
	}
	r := &run{cfg: cfg}
	if err := r.begin(ctx); err != nil {
		return r.sum, err
	}
	for next := readmodel.UserKey(1); next != 0; {
		var err error
		if next, err = r.turn(ctx, next); err != nil {
			return r.sum, err
		}
	}
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
	head domain.Position // as last heard of, for the progress
	fold *fold
	// sample has the users whose lists are compared, nil for all.
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

// reportProblems reports what the store finds wrong, in the end, when it has
// been read.
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

// begin folds the log up to where the views stand, or a little less, and draws
// the sample.
func (r *run) begin(ctx context.Context) error {
	snapshot, err := r.cfg.Views.Snapshot(ctx)
	if err != nil {
		return err
	}
	r.sum.Generation = snapshot.Generation()
	snapshot.Close() // the log may take longer than it lives
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

// turn compares the users from a key on within one snapshot, until all are
// done or the time for it is over, and gives the key to go on from, 0 if there
// is none.
func (r *run) turn(ctx context.Context, from readmodel.UserKey) (readmodel.UserKey, error) {
	snapshot, err := r.cfg.Views.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snapshot.Close()
	end := time.Now().Add(r.cfg.Turn)
	g := snapshot.Generation()
	if g.Threshold != r.sum.Generation.Threshold || g.Epoch != r.sum.Generation.Epoch || g.Checkpoint.Position < r.fold.at {
		return 0, domain.Errorf(domain.Unavailable, "the views were made anew while they were compared; run it again")
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
	if next == 0 && err == nil && r.sample == nil && r.sum.Partial == "" && r.sum.Differences == 0 {
		err = c.totals(ctx)
	}
	return next, err
}

// foldTo reads the log up to a position and folds it. What cannot be read is
// reported and passed over.
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
			limit = 1 // to find the event that it is about
		case err != nil:
			f.skip(f.at+1, fmt.Sprintf("the error %q", err))
			limit = eventsPerRead
		case len(events) == 0:
			f.skip(to, "the end of the log")
		default:
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
