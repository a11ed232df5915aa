package eventlog

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/conn"
)

// committing commits a group's transaction. A failure puts its appends in doubt
// unless the server answered that there is nothing of it.
func committing(t *transaction, group []*pending) error {
	certain, err := commitTransaction(t)
	if err != nil && !certain {
		for _, p := range group {
			p.inDoubt = true
		}
	}
	return err
}

// standing waits for what was found out, beside the commit of a group, about
// the indexes. Without them it is in doubt whether its events will stay.
func standing(group []*pending, stand <-chan error) error {
	err := <-stand
	if err != nil {
		for _, p := range group {
			p.inDoubt = true
		}
	}
	return err
}

// rejected reports whether the server answered a commit with the error, so that
// the transaction is certainly not committed. It says so itself when it does not
// know, and a lost connection says nothing.
func rejected(err error) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && !server.HasErrorLabel("UnknownTransactionCommitResult") &&
		!mongo.IsNetworkError(err) && !mongo.IsTimeout(err)
}

// finish answers the appends of a group, none of which was written, unless one
// is in doubt.
func finish(group []*pending, o outcome) {
	for _, p := range group {
		answer := o
		if !p.inDoubt {
			answer.err = eventstore.NotAppended(o.err)
		}
		p.done <- answer
	}
}

// answer returns what a caller gets for an outcome.
func answer(ctx context.Context, op string, o outcome) (eventstore.Commit, error) {
	err := conn.Translate(ctx, op, o.err)
	if errors.Is(o.err, eventstore.ErrNotAppended) {
		err = eventstore.NotAppended(err)
	}
	return o.commit, err
}
