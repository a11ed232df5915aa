package transport

import (
	"testing"

	"chirp/graph/guard"
)

// FuzzWire decodes requests. One that names a document becomes one for the executor,
// with its documentId where the guard looks for it.
func FuzzWire(f *testing.F) {
	f.Add([]byte(`{"query":"{ __typename }","operationName":"A","variables":{"a":[1]},"extensions":{"b":null}}`))
	f.Add([]byte(`{"documentId":"sha256:00","extensions":{"persistedQuery":{"version":1},"documentId":"x"}}`))
	f.Add([]byte(`{"DocumentId":"x","documentid":"y","query":"{a}","Query":"{b}","headers":{"X":["y"]}}`))
	f.Add([]byte(`{"documentId":null,"query":"\ud83d\ude00","variables":{"n":1e400}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		wire, bad := Decode("the body", text)
		if bad != nil {
			return
		}
		got, bad := wire.Raw()
		if named := wire.NamesDocument(); named != (bad == nil) {
			t.Fatalf("%s: a document is named: %t, but got %v", text, named, bad)
		}
		if bad != nil {
			return
		}
		if id := wire.DocumentID; id != nil && got.Extensions[guard.DocumentIDKey] != *id || id == nil && got.Extensions[guard.DocumentIDKey] != nil {
			t.Fatalf("%s became %+v, want its documentId among the extensions and no other", text, got)
		}
		if wire.Query != nil && got.Query != *wire.Query || wire.OperationName != nil && got.OperationName != *wire.OperationName {
			t.Fatalf("%s became %+v", text, got)
		}
	})
}
