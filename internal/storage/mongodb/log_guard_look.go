package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
)

// foundation is what the log rests on, as this process found it.
type foundation struct {
	collection *bson.Binary // the UUID of the collection of the events
	pins       bool         // the server takes collectionUUID with a command
	epoch      string
	first      firstEvent // zero while the log is empty
}

// firstEvent identifies the event at position 1. The log's own document keeps
// it, so that a log that has lost its events is not taken for a new one.
type firstEvent struct {
	Stream    string `bson:"stream"`
	Actor     string `bson:"actor"`
	CommandID string `bson:"commandId"`
}

// logRow is the document of the collection "log".
type logRow struct {
	Epoch string     `bson:"epoch"`
	First firstEvent `bson:"first,omitempty"`
	// Passwords and Secret say what there must be (log_guard_kept.go).
	Passwords *passwordsRow `bson:"passwords,omitempty"`
	Secret    bool          `bson:"secret,omitempty"`
}

// finding is what a look has found.
type finding struct {
	lost    []string // what the log rests on and is gone
	indexes []string // what is wrong with the unique indexes
	beyond  []string // strays that the log would run into
	strays  []string // all other strays
	passed  []string // those of guard.passed that were looked for
	first   firstEvent
	head    domain.Position
	least   domain.Position // where the log must end at least
	gap     string          // what is missing in the middle of the log
	suspect domain.Position // that was looked for, 0 if nothing was

	unkeptParts []string      // which credentials are lost
	credentials *bson.Binary  // the UUID of their collection
	passwords   *passwordsRow // one of them, nil if no account has one
	secret      bool          // there is a token secret
	news        bool          // the log's document does not have passwords or secret yet
}

// What mends a log that has lost something: adviceRestart is for a server that
// runs, which goes on distrusting a log that was replaced on purpose.
const (
	adviceRestore = "restore the whole database from a backup, or import an export into a new one"
	adviceRestart = "stop all servers, " + adviceRestore + ", unless that was just done, and start them again"
)

// broken says why nothing can be appended, and what to do about it; nil if
// something can.
func (f finding) broken(database string) error {
	var parts []string
	if len(f.lost) > 0 {
		parts = append(parts, strings.Join(f.lost, ", ")+": "+adviceRestart)
	}
	if len(f.indexes) > 0 && len(f.lost) == 0 {
		parts = append(parts, strings.Join(f.indexes, ", ")+": restart a server, which makes missing indexes again")
	}
	if f.gap != "" && len(f.lost) == 0 {
		parts = append(parts, f.gap)
	}
	if len(f.beyond) > 0 {
		names := f.beyond[:min(len(f.beyond), strayNames)]
		parts = append(parts, fmt.Sprintf("documents that are no events stand in the collection %s beyond the end of the log: remove those with the _id %s", eventsCollection, strings.Join(names, ", ")))
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("the database %s cannot take events: %s", database, strings.Join(parts, "; "))
}

// take reads what identifies the collection.
func (g *guard) take(ctx context.Context, base *foundation) (found finding, err error) {
	uuids, err := g.collectionUUIDs(ctx)
	base.collection = uuids[eventsCollection]
	if err == nil && base.collection != nil {
		probe := bson.D{{Key: "find", Value: eventsCollection}, {Key: "limit", Value: 1}, {Key: "singleBatch", Value: true}, {Key: "collectionUUID", Value: base.collection}}
		err = g.db.RunCommand(ctx, probe).Err()
		base.pins = err == nil
		if err != nil && !passing(err) {
			err = nil // a server before 6.0 does not know it
		}
	}
	return found, err
}

// look compares what there is with what there was.
func (g *guard) look(ctx context.Context, base foundation, seen domain.Position) (f finding, err error) {
	uuids, err := g.collectionUUIDs(ctx)
	if err == nil {
		err = g.sessions.run(ctx, func(ctx context.Context) error { return g.lookAtKept(ctx, uuids, &f) })
	}
	collection := uuids[eventsCollection]
	switch {
	case err != nil:
		return f, err
	case collection == nil:
		f.lost = append(f.lost, fmt.Sprintf("the collection %s is gone", eventsCollection))
		return f, nil
	case base.collection == nil || !collection.Equal(*base.collection):
		f.lost = append(f.lost, fmt.Sprintf("the collection %s was replaced while this server ran", eventsCollection))
	}
	if f.indexes, err = g.checkIndexes(ctx); err != nil {
		return f, err
	}
	err = g.sessions.run(ctx, func(ctx context.Context) error {
		if err := g.lookAtLog(ctx, base, &f); err != nil {
			return err
		}
		return g.lookAtEvents(ctx, seen, &f)
	})
	return f, err
}

// collectionUUIDs returns the UUIDs of the collections that are watched, by
// their names.
func (g *guard) collectionUUIDs(ctx context.Context) (map[string]*bson.Binary, error) {
	watched := bson.A{eventsCollection, credentialsCollection, secretsCollection}
	specs, err := g.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: watched}}}})
	if err != nil {
		return nil, err
	}
	uuids := map[string]*bson.Binary{}
	for _, spec := range specs {
		if spec.Type != "" && spec.Type != "collection" {
			return nil, fmt.Errorf("%s is a %s, not a collection", spec.Name, spec.Type)
		}
		if uuids[spec.Name] = spec.UUID; spec.UUID == nil { // not every server that speaks the protocol has them
			uuids[spec.Name] = &bson.Binary{}
		}
	}
	return uuids, nil
}

// lookAtLog looks at the log's own document and the first event.
func (g *guard) lookAtLog(ctx context.Context, base foundation, f *finding) error {
	var row logRow
	err := g.db.Collection(logCollection).FindOne(ctx, bson.D{{Key: "_id", Value: logID}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		f.lost = append(f.lost, fmt.Sprintf("the document of the collection %s is gone", logCollection))
	case err != nil:
		return err
	case row.Epoch != base.epoch:
		f.lost = append(f.lost, fmt.Sprintf("the log's epoch is %s, and was %s", row.Epoch, base.epoch))
	}
	if f.first, err = g.readFirst(ctx); err != nil {
		return err
	}
	want := base.first
	if want == (firstEvent{}) {
		want = row.First
	}
	if want != (firstEvent{}) {
		f.least = 1
	}
	switch {
	case want == (firstEvent{}) || want == f.first:
	case f.first == (firstEvent{}):
		f.lost = append(f.lost, "the first event is gone")
	default:
		f.lost = append(f.lost, "the first event is another one than it was")
	}
	return nil
}

// readFirst reads the identity of the event at position 1.
func (g *guard) readFirst(ctx context.Context) (firstEvent, error) {
	var first firstEvent
	filter := bson.D{{Key: "_id", Value: int64(1)}, {Key: importingField, Value: nil}}
	err := g.db.Collection(eventsCollection).FindOne(ctx, filter).Decode(&first)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return firstEvent{}, nil
	}
	return first, err
}

// writeDown keeps the identity of the first event beside the epoch.
func (g *guard) writeDown(ctx context.Context, epoch string, first firstEvent) error {
	missing := bson.D{{Key: "_id", Value: logID}, {Key: "epoch", Value: epoch}, {Key: "first", Value: nil}}
	_, err := g.db.Collection(logCollection).UpdateOne(ctx, missing, bson.D{{Key: "$set", Value: bson.D{{Key: "first", Value: first}}}})
	return err
}

// lookAtEvents looks at both ends of the collection.
func (g *guard) lookAtEvents(ctx context.Context, seen domain.Position, f *finding) error {
	events := g.db.Collection(eventsCollection)
	last, err := readLast(ctx, events)
	var d *damage
	switch {
	case errors.As(err, &d):
		f.lost = append(f.lost, d.what)
	case errors.Is(err, errImporting):
		f.lost = append(f.lost, errImporting.Error())
	case err != nil:
		return err
	case last.position < seen:
		f.lost = append(f.lost, fmt.Sprintf("the log ends at position %d, and has been at %d", last.position, seen))
	}
	f.head, f.beyond = last.position, last.beyond
	if err := g.lookAtGap(ctx, f); err != nil {
		return err
	}
	for _, end := range []int{1, -1} {
		strays, err := straysAt(ctx, events, end)
		if err != nil {
			return err
		}
		f.strays = append(f.strays, strays...)
	}
	still, err := g.stillThere(ctx, events, f)
	f.strays = slices.Compact(slices.Sorted(slices.Values(append(f.strays, still...))))
	f.strays = slices.DeleteFunc(f.strays, func(name string) bool { return slices.Contains(f.beyond, name) })
	return err
}
