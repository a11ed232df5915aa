package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"chirp/internal/domain"
)

// Error codes of the server that a store acts on.
const (
	CodeUnauthorized           = 13
	CodeNamespaceNotFound      = 26
	CodeNamespaceExists        = 48
	CodeWriteConflict          = 112
	CodeCollectionUUIDMismatch = 361
	CodeDuplicateKey           = 11000

	codeAuthenticationFailed = 18
	codeAtlas                = 8000 // whatever the hosted service refuses
)

// transientCodes are the server errors that end by themselves: elections,
// shutdowns, lost connections, time limits, and conflicts between
// transactions.
var transientCodes = []int{
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

// ourCodes are the server errors that this program causes: a command that is
// wrong, or a value that does not fit. Every other code, known or not, has a
// cause outside the program: rights, quotas, limits, the set-up.
var ourCodes = []int{
	2,     // BadValue
	9,     // FailedToParse
	14,    // TypeMismatch
	17,    // ProtocolError
	22,    // InvalidBSON
	28,    // PathNotViable
	40,    // ConflictingUpdateOperators
	52,    // DollarPrefixedFieldName
	56,    // EmptyFieldName
	57,    // DottedFieldName
	66,    // ImmutableField
	72,    // InvalidOptions
	73,    // InvalidNamespace
	168,   // InvalidPipelineOperator
	10334, // BSONObjectTooLarge
	11000, // DuplicateKey
	17280, // KeyTooLong
	17419, // an update makes a document too large
	40414, // a field is missing in a command
	40415, // a field in a command is unknown
}

// Transient reports whether the same call may well succeed a moment later, so
// that it is worth trying again: the server cannot be reached, has no primary,
// is slow, or another transaction was in the way.
func Transient(err error) bool {
	if err == nil || AuthRefused(err) {
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
	return errors.As(err, &server) && slices.ContainsFunc(transientCodes, server.HasErrorCode)
}

// external reports whether an error comes from the server, the network or the
// system, and not from what this program asked for. A code that is not known
// counts as external.
func external(err error) bool {
	if Transient(err) || AuthRefused(err) {
		return true
	}
	var server mongo.ServerError
	if errors.As(err, &server) {
		return !slices.ContainsFunc(ourCodes, server.HasErrorCode)
	}
	var network net.Error
	return errors.As(err, &network) || errors.As(err, new(*auth.Error)) || errors.As(err, new(syscall.Errno))
}

// AuthRefused reports whether the server rejected our user or password.
func AuthRefused(err error) bool {
	return HasCode(err, codeAuthenticationFailed) || HasCode(err, codeAtlas) && errors.As(err, new(*auth.Error))
}

// HasCode reports whether the server answered with an error code.
func HasCode(err error, code int) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && server.HasErrorCode(code)
}

// Translate turns an error of the driver into one of the contracts' errors:
// ctx's own error when ctx has ended, kind Unavailable when the cause is outside
// this program, and otherwise the error itself. op says what was being done.
func Translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	if domain.KindOf(err) == domain.Internal && external(err) {
		return Unavailable(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Unavailable returns an error of kind Unavailable that keeps its reason for
// the log.
func Unavailable(op string, reason error) error {
	return fmt.Errorf("%s: %w: %w", op, &domain.Error{Kind: domain.Unavailable, Msg: "the database cannot answer now; try again"}, reason)
}
