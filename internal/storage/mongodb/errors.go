package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"chirp/internal/domain"
)

// Error codes of the server that this package acts on.
const (
	codeDuplicateKey         = 11000
	codeWriteConflict        = 112
	codeNamespaceExists      = 48
	codeAuthenticationFailed = 18
	codeNoReplicationEnabled = 76
)

// passingCodes are the server errors that end by themselves: elections,
// shutdowns, lost connections, time limits, and conflicts between
// transactions.
var passingCodes = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	24,    // LockTimeout
	46,    // LockBusy
	50,    // MaxTimeMSExpired
	64,    // WriteConcernFailed
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	112,   // WriteConflict
	117,   // ConflictingOperationInProgress, when a beginning was sent twice while the primary changed
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	202,   // NetworkInterfaceExceededTimeLimit
	225,   // TransactionTooOld
	239,   // SnapshotTooOld
	246,   // SnapshotUnavailable
	251,   // NoSuchTransaction
	262,   // ExceededTimeLimit
	317,   // ConnectionPoolExpired
	358,   // InternalTransactionNotSupported, while a node changes its version
	365,   // TemporarilyUnavailable
	9001,  // SocketException
	10058, // LegacyNotPrimary
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11601, // Interrupted, when a session is ended from outside
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// passing says whether the same call may well succeed a little later: the
// server cannot be reached, has no primary, is slow, or another transaction
// was in the way. Everything else is a mistake of ours or of the set-up.
func passing(err error) bool {
	if err == nil || refused(err) {
		return false
	}
	if mongo.IsTimeout(err) || mongo.IsNetworkError(err) || errors.Is(err, mongo.ErrClientDisconnected) || errors.Is(err, topology.ErrPoolClosed) {
		return true
	}
	if errors.As(err, &topology.ServerSelectionError{}) || errors.As(err, &topology.ConnectionError{}) {
		return true
	}
	var pool interface{ Retryable() bool } // a pool that was cleared because its server was lost
	if errors.As(err, &pool) && pool.Retryable() {
		return true
	}
	var labeled mongo.LabeledError
	if errors.As(err, &labeled) {
		for _, label := range []string{"TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError"} {
			if labeled.HasErrorLabel(label) {
				return true
			}
		}
	}
	var server mongo.ServerError
	return errors.As(err, &server) && slices.ContainsFunc(passingCodes, server.HasErrorCode)
}

// refused says whether the server turned our user or password down.
func refused(err error) bool { return hasCode(err, codeAuthenticationFailed) }

// hasCode says whether the server answered with an error code.
func hasCode(err error, code int) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && server.HasErrorCode(code)
}

// translate turns an error of the driver into one of the contracts': ctx's own
// error when ctx has ended, kind Unavailable when trying again may help, and
// otherwise the error itself. op says what was being done.
func translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	if passing(err) {
		return unavailable(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// unavailable makes an error of kind Unavailable that keeps its reason for the
// log.
func unavailable(op string, reason error) error {
	return fmt.Errorf("%s: %w: %w", op, &domain.Error{Kind: domain.Unavailable, Msg: "the database cannot answer now; try again"}, reason)
}
