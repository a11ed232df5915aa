package format_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"chirp/internal/storage/mongodb/format"
)

func TestDataSurvivesBSON(t *testing.T) {
	for _, data := range []string{
		`{}`, `{"a":{}}`, `{"a":[]}`, `{"b":1,"a":2,"c":0}`, `{"":""}`,
		`{"n":9223372036854775807,"m":-9223372036854775808}`,
		`{"n":18446744073709551615}`, `{"n":1234567890123456789012345678901234}`,
		`{"n":0.1,"m":-1.5e-7}`, `{"n":1e+300}`, `{"n":0.30000000000000004}`, `{"n":0.1000000000000000055511}`,
		`{"s":"héllo 👋 \"quoted\" \\ / <b>&amp;"}`, `{"s":"\u0000\u0001\n\t"}`, `{"s":"` + "\u2028" + `"}`,
		`{"t":true,"f":false,"z":null,"list":[1,"a",null,[true,{"x":[]}]]}`,
		`{"$set":{"a.b":1},"$date":"x"}`,
	} {
		t.Run(data, func(t *testing.T) {
			got, err := format.ThroughBSON([]byte(data))
			if err != nil || !sameJSON(got, []byte(data)) {
				t.Errorf("got %s, error %v; want the same", got, err)
			}
		})
	}
}

func TestDataThatBSONCannotHoldIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ data, says string }{
		"a zero byte in a key":  {`{"a\u0000b":1}`, "zero byte"},
		"too many digits":       {`{"n":12345678901234567890123456789012345678.5}`, "more digits"},
		"a number beyond range": {`{"n":1e99999}`, "more digits"},
		"deeper than any event": {strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), "nested deeper"},
		"something behind it":   {`{} {}`, "more than one"},
		"an object without end": {`{"a":1`, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := format.ThroughBSON([]byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %.60s, error %v; want an error with %q", got, err, c.says)
			}
		})
	}
}

func FuzzDataThroughBSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0,0.5,1e9,"x",null,true,{"b":"\ud83d\ude00"}]}`, `{"n":-9223372036854775809}`, `{"a":1,"a":2}`, `{"\ud800":"\udc00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			t.Skip()
		}
		got, err := format.ThroughBSON(data)
		if err != nil {
			return // refused, with a reason
		}
		if !sameJSON(got, data) {
			t.Errorf("%q became %q", data, got)
		}
		again, err := format.ThroughBSON(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q became %q the second time, error %v", got, again, err)
		}
	})
}

// sameJSON reports whether two texts have the same keys in the same order, the same
// strings and the same numbers.
func sameJSON(a, b []byte) bool {
	x, y := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	x.UseNumber()
	y.UseNumber()
	for {
		s, errS := x.Token()
		t, errT := y.Token()
		if errS != nil || errT != nil {
			return errS != nil && errT != nil
		}
		m, isNumber := s.(json.Number)
		n, isNumberToo := t.(json.Number)
		if isNumber && isNumberToo {
			if !sameNumber(m.String(), n.String()) {
				return false
			}
		} else if s != t {
			return false
		}
	}
}

func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}
