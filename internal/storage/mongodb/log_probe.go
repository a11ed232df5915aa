package mongodb

import (
	"context"
	"crypto/rand"
	"fmt"
	random "math/rand/v2"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// TryWrite writes an event as an append does, in a transaction that is not
// committed. Its position is none that an event has.
func (s *Store) TryWrite(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return translate(ctx, "try to write", s.tryWrite(ctx))
}

func (s *Store) tryWrite(ctx context.Context) error {
	session, err := s.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if err := session.StartTransaction(); err != nil {
		return err
	}
	t := &transaction{session: session, inside: mongo.NewSessionContext(ctx, session)}
	defer t.abort()
	_, err = s.db.Collection(eventsCollection).InsertOne(t.inside, bson.D{
		{Key: "_id", Value: -1 - random.Int64N(1<<40)}, {Key: "stream", Value: "probe:" + rand.Text()}, {Key: "version", Value: int64(1)},
	})
	if err != nil {
		return fmt.Errorf("insert an event: %w", err)
	}
	return nil
}
