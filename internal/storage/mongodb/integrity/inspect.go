package integrity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// baseline is what the log rested on when this process opened it.
type baseline struct {
	collection *bson.Binary // the UUID of the collection of the events
	pins       bool         // the server takes collectionUUID with a command
	epoch      string
	first      format.FirstEvent // zero while the log is empty
}

// findings are what a check has found.
type findings struct {
	lost    []string // what the log rests on and is gone
	indexes []string // what is wrong with the unique indexes
	beyond  []string // strays at positions that the log has yet to reach
	strays  []string // all other strays
	skipped []string // those of Monitor.skipped that were looked for
	first   format.FirstEvent
	head    domain.Position
	atLeast domain.Position // where the log must end at least
	gap     string          // what is missing in the middle of the log
	suspect domain.Position // what was looked for there, 0 if nothing was

	lostPasswords string               // how the credentials are lost, empty if they are not
	lostSecret    string               // how the token secret is lost, empty if it is not
	credentials   *bson.Binary         // the UUID of the collection of the credentials
	passwords     *format.PasswordMark // one of them, nil if no account has one
	secret        bool                 // there is a token secret
	unrecorded    bool                 // the log's document does not record passwords or secret yet
}

// How to repair a log that has lost something. adviceRestart is for a running
// server, which keeps distrusting even a log that was replaced on purpose.
const (
	adviceRestore = "restore the whole database from a backup, or import an export into a new one"
	adviceRestart = "stop all servers, " + adviceRestore + ", unless that was just done, and start them again"
)

// damage returns why nothing can be appended, and what to do about it, or nil if
// something can.
func (f findings) damage(database string) error {
	var parts []string
	if len(f.lost) > 0 {
		parts = append(parts, strings.Join(f.lost, ", ")+": "+adviceRestart)
	}
	if len(f.indexes) > 0 && len(f.lost) == 0 {
		parts = append(parts, strings.Join(f.indexes, ", ")+": restart a server, which creates missing indexes")
	}
	if f.gap != "" && len(f.lost) == 0 {
		parts = append(parts, f.gap)
	}
	if len(f.beyond) > 0 {
		names := f.beyond[:min(len(f.beyond), strayNames)]
		parts = append(parts, fmt.Sprintf("documents that are not events stand in the collection %s beyond the end of the log: remove those with the _id %s", format.EventsCollection, strings.Join(names, ", ")))
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("the database %s cannot accept events: %s", database, strings.Join(parts, "; "))
}

// identify reads what identifies the collection of the events.
func (m *Monitor) identify(ctx context.Context, base *baseline) error {
	uuids, err := m.collectionUUIDs(ctx)
	base.collection = uuids[format.EventsCollection]
	if err != nil || base.collection == nil {
		return err
	}
	probe := bson.D{{Key: "find", Value: format.EventsCollection}, {Key: "limit", Value: 1}, {Key: "singleBatch", Value: true}, {Key: "collectionUUID", Value: base.collection}}
	err = m.conn.DB().RunCommand(ctx, probe).Err()
	if base.pins = err == nil; conn.Transient(err) {
		return err
	}
	return nil // a server before 6.0 does not know the field
}

// inspect compares what is there with what must be there.
func (m *Monitor) inspect(ctx context.Context, base baseline, furthest domain.Position) (f findings, err error) {
	uuids, err := m.collectionUUIDs(ctx)
	if err == nil {
		err = m.conn.InSession(ctx, func(ctx context.Context) error { return m.inspectCredentials(ctx, uuids, &f) })
	}
	collection := uuids[format.EventsCollection]
	switch {
	case err != nil:
		return f, err
	case collection == nil:
		f.lost = append(f.lost, fmt.Sprintf("the collection %s is gone", format.EventsCollection))
		return f, nil
	case base.collection == nil || !collection.Equal(*base.collection):
		f.lost = append(f.lost, fmt.Sprintf("the collection %s was replaced while this server ran", format.EventsCollection))
	}
	if f.indexes, err = m.checkIndexes(ctx); err != nil {
		return f, err
	}
	err = m.conn.InSession(ctx, func(ctx context.Context) error {
		if err := m.inspectLog(ctx, base, &f); err != nil {
			return err
		}
		return m.inspectEvents(ctx, furthest, &f)
	})
	return f, err
}

// collectionUUIDs returns the UUIDs of the watched collections that are there,
// by name.
func (m *Monitor) collectionUUIDs(ctx context.Context) (map[string]*bson.Binary, error) {
	watched := bson.A{format.EventsCollection, format.CredentialsCollection, format.SecretsCollection}
	specs, err := m.conn.DB().ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: watched}}}})
	if err != nil {
		return nil, err
	}
	uuids := map[string]*bson.Binary{}
	for _, spec := range specs {
		if spec.Type != "" && spec.Type != "collection" {
			return nil, fmt.Errorf("%s is a %s, not a collection", spec.Name, spec.Type)
		}
		if uuids[spec.Name] = spec.UUID; spec.UUID == nil { // some servers that speak the protocol have none
			uuids[spec.Name] = &bson.Binary{}
		}
	}
	return uuids, nil
}

// inspectLog inspects the log's own document and the first event.
func (m *Monitor) inspectLog(ctx context.Context, base baseline, f *findings) error {
	var row format.LogDocument
	err := m.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		f.lost = append(f.lost, fmt.Sprintf("the document of the collection %s is gone", format.LogCollection))
	case err != nil:
		return err
	case row.Epoch != base.epoch:
		f.lost = append(f.lost, fmt.Sprintf("the log's epoch is %s, and was %s", row.Epoch, base.epoch))
	}
	if f.first, err = m.firstEvent(ctx); err != nil {
		return err
	}
	want := base.first
	if want == (format.FirstEvent{}) {
		want = row.First
	}
	if want != (format.FirstEvent{}) {
		f.atLeast = 1
	}
	switch {
	case want == (format.FirstEvent{}) || want == f.first:
	case f.first == (format.FirstEvent{}):
		f.lost = append(f.lost, "the first event is gone")
	default:
		f.lost = append(f.lost, "the first event is another one than it was")
	}
	return nil
}

// firstEvent returns the identity of the event at position 1, the zero value if
// there is none.
func (m *Monitor) firstEvent(ctx context.Context) (format.FirstEvent, error) {
	var first format.FirstEvent
	filter := bson.D{{Key: "_id", Value: int64(1)}, {Key: format.ImportingField, Value: nil}}
	err := m.conn.DB().Collection(format.EventsCollection).FindOne(ctx, filter).Decode(&first)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return format.FirstEvent{}, nil
	}
	return first, err
}

// recordFirst records the identity of the first event beside the epoch.
func (m *Monitor) recordFirst(ctx context.Context, epoch string, first format.FirstEvent) error {
	missing := bson.D{{Key: "_id", Value: format.LogID}, {Key: "epoch", Value: epoch}, {Key: format.FirstField, Value: nil}}
	_, err := m.conn.DB().Collection(format.LogCollection).UpdateOne(ctx, missing, bson.D{{Key: "$set", Value: bson.D{{Key: format.FirstField, Value: first}}}})
	return err
}

// inspectEvents inspects both ends of the collection.
func (m *Monitor) inspectEvents(ctx context.Context, furthest domain.Position, f *findings) error {
	events := m.conn.DB().Collection(format.EventsCollection)
	last, err := format.ReadLast(ctx, events)
	var d *format.Damage
	switch {
	case errors.As(err, &d):
		f.lost = append(f.lost, d.What)
	case errors.Is(err, format.ErrImporting):
		f.lost = append(f.lost, format.ErrImporting.Error())
	case err != nil:
		return err
	case last.Position < furthest:
		f.lost = append(f.lost, fmt.Sprintf("the log ends at position %d, and has been at %d", last.Position, furthest))
	}
	f.head, f.beyond = last.Position, last.Beyond
	if err := m.inspectGap(ctx, f); err != nil {
		return err
	}
	for _, end := range []int{1, -1} {
		strays, err := straysAt(ctx, events, end)
		if err != nil {
			return err
		}
		f.strays = append(f.strays, strays...)
	}
	still, err := m.stillThere(ctx, f)
	f.strays = slices.Compact(slices.Sorted(slices.Values(append(f.strays, still...))))
	f.strays = slices.DeleteFunc(f.strays, func(name string) bool { return slices.Contains(f.beyond, name) })
	return err
}
