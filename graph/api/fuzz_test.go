package api_test

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/model"
)

// FuzzRequest sends bodies, and the same text as the query of a URL. Whatever they
// are, the response is JSON, its errors have codes, none is internal, and a refusal is
// short.
func FuzzRequest(f *testing.F) {
	for _, c := range corpus() {
		if len(c.body) < 2000 {
			f.Add(c.body)
		}
	}
	f.Add(`{"query":"query A($n: Int = 1) { viewer { chirps(first: $n) { edges { cursor } } } }","operationName":"A","variables":{"n":2}}`)
	f.Add(`{"documentId":"` + graphtest.DocumentID("x") + `","extensions":{}}`)
	w := graphtest.New(f, func(c *api.Config) { c.Guard.RateLimit = 1 }) // or it would hash passwords
	addresses := uint32(10 << 24)
	f.Fuzz(func(t *testing.T, body string) {
		addresses++ // another one each time, because what is refused for its rate is not decoded
		post := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		post.Header.Set("Content-Type", "application/json")
		get := httptest.NewRequest(http.MethodGet, "/?query="+url.QueryEscape(body)+"&variables="+url.QueryEscape(body), nil)
		for _, r := range []*http.Request{post, get} {
			r.RemoteAddr = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, addresses))).String() + ":1"
			got := httptest.NewRecorder()
			w.Handler.ServeHTTP(got, r)
			checkAnswer(t, got.Body.Bytes())
		}
	})
}

func checkAnswer(t *testing.T, body []byte) {
	t.Helper()
	graphtest.CheckPaths(t, string(body))
	var a graphtest.Answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("got %.500q: %v", body, err)
	}
	if a.Data == nil && (len(a.Errors) == 0 || len(body) > maxAnswer) && !strings.Contains(string(body), `"data"`) {
		t.Fatalf("got %.500s (%d bytes), want a short refusal", body, len(body))
	}
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		if !model.ErrorCode(code).IsValid() || code == "INTERNAL" || e.Message == "" {
			t.Fatalf("got %.500s, want errors of the client's with their codes", body)
		}
	}
}
