package integrity

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// CheckLog refuses, with an error of kind Invalid, a database that holds no log.
func (m *Monitor) CheckLog(ctx context.Context) error {
	err := m.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		if err := m.checkNoEvents(ctx); err != nil {
			return err
		}
		return domain.Errorf(domain.Invalid, "the database %s holds no log; name one that a server has used with --mongodb-database", m.conn.DB().Name())
	}
	return conn.Translate(ctx, "look for the log", err)
}

// CheckLosses refuses, with an error of kind Invalid, a database whose log has
// lost its events or that has lost credentials. It must be called before missing
// collections are created, which would hide the loss. An import may fill a
// database that has lost its events.
func (m *Monitor) CheckLosses(ctx context.Context, importing bool) error {
	var row format.LogDocument
	err := m.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return m.checkNoEvents(ctx)
	case importing:
		return nil
	}
	var first format.FirstEvent
	if err == nil {
		first, err = m.firstEvent(ctx)
	}
	if err != nil {
		return conn.Translate(ctx, "look for the first event", err)
	}
	if row.First != (format.FirstEvent{}) && first == (format.FirstEvent{}) {
		return domain.Errorf(domain.Invalid, "the database %s has lost its log: the collection %s lacks the events from the first one on; %s, or, to start with an empty log, drop the whole database",
			m.conn.DB().Name(), format.EventsCollection, adviceRestore)
	}
	return m.checkCredentials(ctx, row)
}

// checkCredentials refuses a database that has lost credentials.
func (m *Monitor) checkCredentials(ctx context.Context, row format.LogDocument) error {
	if row.Passwords == nil && !row.Secret {
		return nil
	}
	var found findings
	uuids, err := m.collectionUUIDs(ctx)
	if err == nil {
		err = m.inspectCredentials(ctx, uuids, &found)
	}
	if err != nil {
		return conn.Translate(ctx, "look for the credentials", err)
	}
	if row.Passwords == nil && uuids[format.CredentialsCollection] == nil {
		found.lostPasswords = "" // the collection is about to be created
	}
	if err := found.credentialsError(m.conn.DB().Name()); err != nil {
		return domain.Errorf(domain.Invalid, "%v", err)
	}
	return nil
}

// checkNoEvents refuses a database that has events although the document with
// the epoch of their log is gone.
func (m *Monitor) checkNoEvents(ctx context.Context) error {
	events := append(format.OnlyEvents(), bson.E{Key: format.ImportingField, Value: nil})
	err := m.conn.DB().Collection(format.EventsCollection).FindOne(ctx, events).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return conn.Translate(ctx, "look for events", err)
	}
	return domain.Errorf(domain.Invalid, "the database %s has lost its log: the document of the collection %s is gone, though there are events; %s",
		m.conn.DB().Name(), format.LogCollection, adviceRestore)
}

// Start takes the log as it is now for the one to watch. It refuses, with an
// error of kind Invalid, a log that has lost some of what it rests on, unless an
// import is about to replace it. A readOnly monitor accepts such a log and
// reports the loss, so that commands can read what is left, as long as the
// collection of the events is there.
func (m *Monitor) Start(ctx context.Context, epoch string, importing bool) error {
	found, err := m.begin(ctx, epoch)
	switch {
	case err != nil:
		return conn.Translate(ctx, "check the log for losses", err)
	case importing:
		return nil
	case m.readOnly && m.base.collection == nil:
		return domain.Errorf(domain.Invalid, "the database %s has lost its log: the collection %s is gone; %s", m.conn.DB().Name(), format.EventsCollection, adviceRestore)
	case len(found.lost) > 0 && !m.readOnly:
		return domain.Errorf(domain.Invalid, "%v", found.damage(m.conn.DB().Name()))
	}
	m.remember(m.base, found, nil)
	m.Reached(max(found.head, found.atLeast))
	return nil
}
