package mongodb

import (
	"context"
	"crypto/rand"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/credentials"
	"chirp/internal/storage/mongodb/format"
)

// prepare checks the server and the database and creates the collections and
// indexes that are missing, because a transaction should never have to. It sets
// the epoch and starts the monitor.
func (s *Store) prepare(ctx context.Context, uri string) error {
	if err := checkReplicaSet(ctx, s.conn.Client(), uri); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 4*conn.AnswerTimeout)
	defer cancel()
	if s.options.Existing || s.options.ReadOnly {
		if err := s.monitor.CheckLog(ctx); err != nil {
			return err
		}
	}
	if !s.options.ReadOnly {
		if err := s.create(ctx); err != nil {
			return err
		}
	}
	if err := s.checkImport(ctx); err != nil {
		return err
	}
	var err error
	if s.epoch, err = s.readEpoch(ctx); err != nil {
		return err
	}
	return s.monitor.Start(ctx, s.epoch, s.options.Import)
}

// create creates the collections and indexes that are missing, unless they are
// missing because the database has lost something.
func (s *Store) create(ctx context.Context) error {
	if err := s.monitor.CheckLosses(ctx, s.options.Import); err != nil {
		return err
	}
	for _, c := range []string{format.EventsCollection, format.LogCollection, format.TicketsCollection, format.CredentialsCollection, format.SecretsCollection} {
		if err := s.conn.DB().CreateCollection(ctx, c); err != nil && !conn.HasCode(err, conn.CodeNamespaceExists) {
			return conn.Translate(ctx, "create collection "+c, err)
		}
	}
	err := s.createIndexes(ctx)
	if conn.HasCode(err, conn.CodeDuplicateKey) {
		if duplicates := s.monitor.ExplainDuplicates(ctx); duplicates != nil {
			return duplicates
		}
	}
	return conn.Translate(ctx, "create indexes", err)
}

func (s *Store) createIndexes(ctx context.Context) error {
	_, err := s.conn.DB().Collection(format.EventsCollection).Indexes().CreateMany(ctx, format.EventIndexes())
	if err == nil {
		_, err = s.conn.DB().Collection(format.CredentialsCollection).Indexes().CreateMany(ctx, credentials.Indexes())
	}
	return err
}

// checkImport refuses a log whose import was broken off. An import may replace
// such a log, and refuses a database that is in use instead.
func (s *Store) checkImport(ctx context.Context) error {
	if s.options.Import {
		return s.checkNoServers(ctx)
	}
	var damage *format.Damage // which the monitor reports
	_, err := format.ReadLast(ctx, s.conn.DB().Collection(format.EventsCollection))
	if errors.Is(err, format.ErrImporting) {
		return domain.Errorf(domain.Invalid, "an import into the database %s was broken off at its last step: import the file again", s.conn.DB().Name())
	} else if err != nil && !errors.As(err, &damage) {
		return conn.Translate(ctx, "look at the log", err)
	}
	return nil
}

// readEpoch returns the log's epoch. Unless the store only reads, it generates
// one if there is none. If several processes do so at once one wins, and all of
// them return its epoch.
func (s *Store) readEpoch(ctx context.Context) (string, error) {
	const op = "read the log's epoch"
	log := s.conn.DB().Collection(format.LogCollection)
	id := bson.D{{Key: "_id", Value: format.LogID}}
	if !s.options.ReadOnly {
		generate := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "epoch", Value: rand.Text()}}}}
		_, err := log.UpdateOne(ctx, id, generate, options.UpdateOne().SetUpsert(true))
		if err != nil && !conn.HasCode(err, conn.CodeDuplicateKey) {
			return "", conn.Translate(ctx, op, err)
		}
	}
	var row format.LogDocument
	err := log.FindOne(ctx, id).Decode(&row)
	return row.Epoch, conn.Translate(ctx, op, err)
}
