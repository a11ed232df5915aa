package request

import (
	"unsafe"

	"github.com/99designs/gqlgen/graphql"
)

// operationKey is the extension of an operation's statistics that has the Operation.
const operationKey = "ChirpOperation"

// Operation is what the guards, the executor and the transports tell each other about an
// operation.
type Operation struct {
	// Prepared is what was prepared for executing the document. It is kept as long as the
	// document.
	Prepared any

	written []byte
}

// WithOperation adds what is known of an operation to its statistics.
func WithOperation(oc *graphql.OperationContext, o *Operation) {
	oc.Stats.SetExtension(operationKey, o)
}

// OperationOf returns what is known of an operation, or nil.
func OperationOf(oc *graphql.OperationContext) *Operation {
	o, _ := oc.Stats.GetExtension(operationKey).(*Operation)
	return o
}

// Wrote records the data of the operation's newest response, which is valid JSON because
// it was written value by value.
func (o *Operation) Wrote(data []byte) { o.written = data }

// HasWritten reports whether some data is what was recorded by Wrote, and not only equal.
func (o *Operation) HasWritten(data []byte) bool {
	return o != nil && len(data) > 0 && len(data) == len(o.written) && unsafe.SliceData(data) == unsafe.SliceData(o.written)
}
