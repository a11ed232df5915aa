package request_test

import (
	"bytes"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/request"
)

func TestOnlyWhatWasWrittenIsTaken(t *testing.T) {
	oc := &graphql.OperationContext{}
	if o := request.OperationOf(oc); o != nil || o.HasWritten([]byte("{}")) {
		t.Errorf("got %v without an operation, want nil, which has written nothing", o)
	}
	request.WithOperation(oc, &request.Operation{})
	o := request.OperationOf(oc)
	data := []byte(`{"a":1}`)
	if o.HasWritten(data) || o.HasWritten(nil) {
		t.Error("something has been written before")
	}
	o.Wrote(data)
	if !o.HasWritten(data) {
		t.Error("what was written is not")
	}
	if o.HasWritten(bytes.Clone(data)) || o.HasWritten(data[:3]) || o.HasWritten(data[1:]) || o.HasWritten(nil) {
		t.Error("something else was written")
	}
}
