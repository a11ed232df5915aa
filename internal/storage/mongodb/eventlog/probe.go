package eventlog

import (
	"context"
	"crypto/rand"
	"fmt"
	random "math/rand/v2"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/storage/mongodb/conn"
)

// TryWrite inserts an event as an append does, in a transaction that it does not
// commit. Its position is one that no event has.
func (l *Log) TryWrite(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	return conn.Translate(ctx, "try to write", l.tryWrite(ctx))
}

// tryWrite is TryWrite with the driver's errors.
func (l *Log) tryWrite(ctx context.Context) error {
	session, err := l.conn.Client().StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if err := session.StartTransaction(); err != nil {
		return err
	}
	t := &transaction{session: session, inside: mongo.NewSessionContext(ctx, session)}
	defer t.abort()
	_, err = l.events.InsertOne(t.inside, bson.D{
		{Key: "_id", Value: -1 - random.Int64N(1<<40)}, {Key: "stream", Value: "probe:" + rand.Text()}, {Key: "version", Value: int64(1)},
	})
	if err != nil {
		return fmt.Errorf("insert an event: %w", err)
	}
	return nil
}
