package eventlog

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/conn"
)

// commitGroup commits a group's transaction. If that fails, the group's appends are
// in doubt unless the server answered that it did not commit.
func commitGroup(t *transaction, group []*job) error {
	certain, err := commitTransaction(t)
	if err != nil && !certain {
		for _, j := range group {
			j.Work.inDoubt = true
		}
	}
	return err
}

// awaitIndexes waits for the result of the check of the indexes. Without the indexes
// the appends of the group are in doubt, because the operator may have to remove
// their events.
func awaitIndexes(group []*job, confirmed <-chan error) error {
	err := <-confirmed
	if err != nil {
		for _, j := range group {
			j.Work.inDoubt = true
		}
	}
	return err
}

// rejected reports whether the server answered a commit with this error, so that the
// transaction is certainly not committed. A server that does not know the outcome
// labels its answer so, and after a lost connection there is no answer.
func rejected(err error) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && !server.HasErrorLabel("UnknownTransactionCommitResult") &&
		!mongo.IsNetworkError(err) && !mongo.IsTimeout(err)
}

// finish answers the appends of a group that was not written. Those that are in doubt
// are not marked as eventstore.ErrNotAppended.
func finish(group []*job, err error) {
	for _, j := range group {
		if j.Work.inDoubt {
			j.Finish(err)
		} else {
			j.Finish(eventstore.NotAppended(err))
		}
	}
}

// answer returns the error that Append returns for the one of a job.
func answer(ctx context.Context, op string, err error) error {
	translated := conn.Translate(ctx, op, err)
	if errors.Is(err, eventstore.ErrNotAppended) {
		translated = eventstore.NotAppended(translated)
	}
	return translated
}
