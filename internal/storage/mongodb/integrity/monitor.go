// Package integrity watches what the promises of the log and the credentials
// rest on, and keeps a server from acknowledging writes to a database that has
// lost some of it: a collection that was dropped, a unique index, events that
// were deleted or that a restored backup does not have.
package integrity

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

const (
	// checkEvery is how often a monitor checks when nothing asks it to.
	checkEvery = time.Second
	// checkPause is the shortest time between two checks of its own.
	checkPause = 50 * time.Millisecond
	// strayNames is how many strays are named.
	strayNames = 5
)

// Monitor checks, every second and when asked to, that the collection of the
// events is the one that this process opened and has its unique indexes, that
// the log has its epoch and its first event, and that it never ends before where
// it ended once. It checks the credentials as well. While one of these does not
// hold, appends are refused and the store reports a problem; once it holds
// again, appends are accepted again.
//
// Three things keep appends from being acknowledged between two checks. The
// insert names the collection by its UUID (Pin), so that it does not create a
// collection in place of one that was dropped. The indexes are checked once more
// after the insert (ConfirmIndexes). And the change stream requests a check at
// once when it reports something other than appends.
type Monitor struct {
	conn      *conn.Conn
	logger    *slog.Logger
	readOnly  bool
	requested chan struct{} // has room for one signal: check now
	recount   chan struct{} // has room for one signal: count the events now
	checking  sync.Mutex    // held during a check
	// rightIndexes is the server's list of the indexes when they were right.
	rightIndexes atomic.Pointer[[]byte]

	mu       sync.Mutex
	base     *baseline       // nil while it is not known: during an import
	furthest domain.Position // where the log ended when it was furthest
	damage   error           // why appends are refused, nil if they are not
	strays   []string        // as the last check found them
	beyond   []string        // likewise, those at positions that the log has yet to reach
	skipped  map[string]bson.RawValue
	gap      domain.Position // an event that may be missing in the middle, 0 if none
	failed   error           // why the last check could not be made
	lost     error           // which credentials are lost, with the token secret; nil if none are
	// lostPasswords is lost without regard to the token secret.
	lostPasswords error
	// credentials is the UUID of the collection of the credentials, and
	// passwords an account that has one, as they were when neither was lost.
	credentials *bson.Binary
	passwords   *format.PasswordMark
	unchecked   outage.Outage
}

// New returns a monitor of a database. It checks nothing before Start. A
// readOnly monitor writes nothing to the database.
func New(c *conn.Conn, logger *slog.Logger, readOnly bool) *Monitor {
	return &Monitor{
		conn: c, logger: logger, readOnly: readOnly,
		requested: make(chan struct{}, 1), recount: make(chan struct{}, 1), skipped: map[string]bson.RawValue{},
	}
}

// Watch checks every now and then, and when requested to, until ctx ends.
func (m *Monitor) Watch(ctx context.Context) {
	m.findFractions(ctx)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.requested:
		}
		m.Check(ctx)
		outage.Pause(ctx, checkPause)
	}
}

// RequestCheck makes Watch check soon.
func (m *Monitor) RequestCheck() {
	select {
	case m.requested <- struct{}{}:
	default:
	}
}

// Check inspects the database and remembers what it found. It changes nothing
// if ctx ends.
func (m *Monitor) Check(ctx context.Context) {
	m.checking.Lock()
	defer m.checking.Unlock()
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	m.mu.Lock()
	base, furthest := m.base, m.furthest
	m.mu.Unlock()
	if base == nil {
		return
	}
	found, err := m.inspect(call, *base, furthest)
	if ctx.Err() != nil {
		return
	}
	if err == nil && !m.readOnly && base.first == (format.FirstEvent{}) && found.first != (format.FirstEvent{}) && len(found.lost) == 0 {
		err = m.recordFirst(call, base.epoch, found.first)
	}
	if err == nil && found.unrecorded && !m.readOnly {
		err = m.recordCredentials(call, base.epoch, found)
	}
	m.remember(base, found, err)
}

// remember takes over what a check of a log found, and logs what is new in it.
func (m *Monitor) remember(base *baseline, found findings, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.base != base {
		return // the log was replaced meanwhile
	}
	if m.failed = err; err != nil {
		if !conn.Transient(err) {
			m.unchecked.Failed(m.logger, "the log cannot be checked for losses", err)
		}
		return
	}
	m.unchecked.Ended(m.logger, "the log can be checked for losses again")
	if base.first == (format.FirstEvent{}) {
		base.first = found.first
	}
	damage := found.damage(m.conn.DB().Name())
	switch {
	case damage != nil && (m.damage == nil || m.damage.Error() != damage.Error()):
		m.logger.Error("appends are refused, because the log cannot be relied on", "reason", damage)
	case damage == nil && m.damage != nil:
		m.logger.Info("appends are accepted again: the log is intact")
	}
	m.damage = damage
	m.rememberCredentials(found)
	m.rememberGap(found)
	if len(found.strays) > 0 && !slices.Equal(found.strays, m.strays) {
		m.logger.Warn(describeStrays(found.strays), "database", m.conn.DB().Name())
	}
	m.strays, m.beyond = found.strays, found.beyond
	for _, name := range found.skipped {
		if !slices.Contains(found.strays, name) {
			delete(m.skipped, name)
		}
	}
}

// Reached notes a position at which the log ends, as a majority has it.
func (m *Monitor) Reached(p domain.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.furthest = max(m.furthest, p)
}

// Furthest returns where the log ended when it was furthest.
func (m *Monitor) Furthest() domain.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.furthest
}

// Pin returns the field of an insert command that makes it fail if the
// collection is not the one that this process opened. It returns nil for a
// server that does not know the field, before version 6.0.
func (m *Monitor) Pin() bson.D {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.base == nil || !m.base.pins {
		return nil
	}
	return bson.D{{Key: "collectionUUID", Value: m.base.collection}}
}

// Suspend forgets the log and stops checking, because an import is about to
// replace it. Begin ends that.
func (m *Monitor) Suspend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.base, m.furthest, m.damage, m.strays, m.beyond, m.skipped = nil, 0, nil, nil, nil, map[string]bson.RawValue{}
	m.gap, m.lost, m.lostPasswords, m.credentials, m.passwords = 0, nil, nil, nil, nil
}

// Begin takes the log as it is now for the one to watch.
func (m *Monitor) Begin(ctx context.Context, epoch string) error {
	_, err := m.begin(ctx, epoch)
	return err
}

func (m *Monitor) begin(ctx context.Context, epoch string) (findings, error) {
	base := &baseline{epoch: epoch}
	err := m.identify(ctx, base)
	var found findings
	if err == nil {
		found, err = m.inspect(ctx, *base, 0)
	}
	if err != nil {
		return found, err
	}
	m.mu.Lock()
	m.base = base
	m.mu.Unlock()
	return found, nil
}
