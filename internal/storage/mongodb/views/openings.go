package views

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

// openings reads at which state of the database snapshots begin. Callers that come while
// one reading runs share the next one, which begins after all of them came, so that each
// sees what was there when it called. A reading costs as much as that of a page's
// positions, and many callers come at once.
type openings struct {
	mu      sync.Mutex
	running bool
	next    *opening // for those that came since the running one began; nil if none did
}

// opening is a state at which snapshots begin.
type opening struct {
	done chan struct{} // closed when what follows is set

	gen readmodel.Generation
	at  bson.Timestamp
	// began is before the state was read.
	began time.Time
	err   error
}

// open returns a state that is read after the call.
func (v *Store) open(ctx context.Context) (*opening, error) {
	of := v.openings.join(v.readOpening)
	select {
	case <-of.done:
		return of, of.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// join returns the next opening, and starts reading it unless another one is being read.
func (o *openings) join(read func(*opening)) *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		o.next = &opening{done: make(chan struct{})}
	}
	of := o.next
	if !o.running {
		o.running = true
		go o.run(read)
	}
	return of
}

// run reads openings until nobody waits for one.
func (o *openings) run(read func(*opening)) {
	for of := o.begin(); of != nil; of = o.begin() {
		read(of)
		close(of.done)
	}
}

// begin returns the opening to read, or nil.
func (o *openings) begin() *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	of := o.next
	o.next, o.running = nil, of != nil
	return of
}

// readOpening reads which generation serves now, and the time of that state.
func (v *Store) readOpening(of *opening) {
	ctx, cancel := context.WithTimeout(context.Background(), conn.AnswerTimeout)
	defer cancel()
	session, err := v.conn.Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		of.err = err
		return
	}
	defer session.EndSession(ctx)
	of.began = time.Now()
	if of.gen, of.err = v.serving(mongo.NewSessionContext(ctx, session)); of.err == nil {
		of.err = v.checkServing(ctx, of.gen)
	}
	of.at = session.SnapshotTime()
}
