package views

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

// misfitCodes are the server's errors for changes that do not fit the rows that
// are there, or the store.
var misfitCodes = []int{
	11000, // DuplicateKey
	121,   // DocumentValidationFailure
	257,   // TransactionTooLarge
	388,   // TransactionTooLargeForCache
	10334, // BSONObjectTooLarge
	17280, // KeyTooLong
	17419, // an update makes a document too large
	17420, // an upsert makes a document too large
}

// misfit names the collection that a write failed in, and tells a change that
// does not fit from other failures.
func misfit(c *mongo.Collection, err error) error {
	return fmt.Errorf("write %s: %w", c.Name(), asDoesNotFit(err))
}

// asDoesNotFit makes an error with one of the misfitCodes a readmodel.ErrDoesNotFit.
func asDoesNotFit(err error) error {
	var server mongo.ServerError
	if errors.As(err, &server) && slices.ContainsFunc(misfitCodes, server.HasErrorCode) {
		return fmt.Errorf("%w: %w", readmodel.ErrDoesNotFit, err)
	}
	return err
}

// translate is conn.Translate, except that a change that does not fit keeps its
// kind: some of the misfitCodes are limits of the server, which would otherwise
// count as an outage.
func translate(ctx context.Context, op string, err error) error {
	if ctx.Err() == nil && errors.Is(err, readmodel.ErrDoesNotFit) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return conn.Translate(ctx, op, err)
}

var (
	errClosed         = &domain.Error{Kind: domain.Unavailable, Msg: "the store is closing; try again later"}
	errStale          = &domain.Error{Kind: domain.Unavailable, Msg: "the database shows an older state than it did before; try again in a moment"}
	errSnapshotOld    = &domain.Error{Kind: domain.Unavailable, Msg: "the views have been replaced since this read began; try again"}
	errUnfitViews     = &domain.Error{Kind: domain.Unavailable, Msg: "the read model does not serve and is being rebuilt; try again in a moment"}
	errLogReplaced    = &domain.Error{Kind: domain.Unavailable, Msg: "the log was replaced by another one while this server ran; no views are built from it before a restart"}
	errLogGone        = &domain.Error{Kind: domain.Unavailable, Msg: "the log lacks its epoch or its first event, though views were made from it; restore the collections log and events"}
	errSnapshotClosed = errors.New("the snapshot of the views is closed")
	errNoLimit        = errors.New("a window needs a limit of at least 1")
)
