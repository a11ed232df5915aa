package format

import (
	"bytes"
	"testing"
)

func FuzzPlainObjectsAreEncodedAsAnyValue(f *testing.F) {
	for _, seed := range []string{
		`{"a":"b"}`, `{"a":"b","":"","a":"héllo 👋"}`, `{}`, `{"a":"b",}`, `{"a":"b"`, `{"a":"b"}}`, `{"a":"b"} `, `{"a": "b"}`,
		`{"a":1}`, `{"a":"\n"}`, `{"a":"\u0041"}`, `{"a":"\""}`, "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", `{,"a":"b"}`, `[]`, `"a"`, ``, `{"`, `{"a`, `{"a":"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := appendPlain([]byte("before"), "data", data)
		if !ok {
			return
		}
		want, err := appendAny([]byte("before"), "data", data)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: got %q, want %q, error %v", data, got, want, err)
		}
	})
}

func TestAnOrdinaryEventIsPlain(t *testing.T) {
	if _, ok := appendPlain(nil, "data", []byte(`{"chirpId":"chirp_1","authorId":"user_1","content":"Grüße, world"}`)); !ok {
		t.Error("the event is not plain, want that it is")
	}
}
