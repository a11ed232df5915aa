package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"chirp/graph/transport"
	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/app/httpserver"
)

func TestUnknownPathsAnswerAsAnAPI(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), nil)
	const query = `{"query": "{ __typename }"}`
	sent := http.Header{"Content-Type": {"application/json"}, "Accept": {"*/*"}}
	page := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	for _, c := range []struct {
		method, path string
		header       http.Header
		status       int
		code         string // empty for a page
	}{
		{"POST", "/graphql/", sent, 404, "NOT_FOUND"},
		{"POST", "/graphql/v1", sent, 404, "NOT_FOUND"},
		{"GET", "/graphql/", page, 404, "NOT_FOUND"},
		{"POST", "/api", sent, 404, "NOT_FOUND"},
		{"POST", "/api/graphql", page, 404, "NOT_FOUND"},
		{"POST", "/@ann", sent, 404, "NOT_FOUND"},
		{"PUT", "/api/graphql.json", sent, 404, "NOT_FOUND"},
		{"DELETE", "/explore", nil, 404, "NOT_FOUND"},
		{"OPTIONS", "/query", nil, 404, "NOT_FOUND"},
		{"GET", "/api/graphql?query={__typename}", sent, 404, "NOT_FOUND"},
		{"GET", "/v1/chirps", http.Header{"Accept": {"application/json"}}, 404, "NOT_FOUND"},
		{"GET", "/nowhere", nil, 404, "NOT_FOUND"},
		{"POST", "/", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/graphiql", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/graphiql/", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/healthz", sent, 405, "BAD_USER_INPUT"},
		{"DELETE", "/readyz", nil, 405, "BAD_USER_INPUT"},
		{"POST", "/metrics", nil, 404, "NOT_FOUND"},
		{"GET", "/nowhere", page, 200, ""},
		{"GET", "/@ann/followers", sent, 200, ""},
		{"GET", "/", http.Header{"Accept": {"application/json"}}, 200, ""},
		{"HEAD", "/login", nil, 200, ""},
	} {
		body := query
		if c.method == "GET" || c.method == "HEAD" {
			body = ""
		}
		got := apitest.Ask(t, c.method, s.URL+c.path, body, c.header)
		if got.Status != c.status || got.Code != c.code {
			t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.path, got.Status, got.Code, c.status, c.code)
		}
		if c.code == "NOT_FOUND" && !strings.Contains(got.Message, "the API is at /graphql") || c.status == 405 && got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: got %q and %v, want where the API is, and what is allowed", c.method, c.path, got.Message, got.Header)
		}
	}
}

func TestRefusedSocketIsToldWhy(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), func(cfg *app.Config) {
		cfg.Origins = apitest.Must(transport.ParseOrigins([]string{"https://Bücher.example:443"}))(t)
		cfg.PublicHosts = apitest.Must(httpserver.ParsePublicHosts([]string{"chirp.example"}))(t)
	})
	host := strings.TrimPrefix(s.URL, "http://")
	upgrade := func(change func(h http.Header)) http.Header {
		h := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"graphql-transport-ws"}}
		change(h)
		return h
	}
	for _, c := range []struct {
		name, method string
		header       http.Header
		status       int
		says         []string
		has, is      string // a header
	}{
		{"a foreign site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://evil.example") }), 403, []string{"https://evil.example", "--allowed-origins", host}, "", ""},
		{"without a site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "null") }), 403, []string{"null", "--allowed-origins"}, "", ""},
		{"a proxy that takes away Upgrade", "GET", upgrade(func(h http.Header) { h.Del("Upgrade"); h.Del("Connection") }), 426, []string{"proxy", "Upgrade: websocket"}, "Upgrade", "websocket"},
		{"a proxy that takes away Connection", "GET", upgrade(func(h http.Header) { h.Del("Connection") }), 426, []string{"proxy", "Connection: Upgrade"}, "Upgrade", "websocket"},
		{"a version of its own", "GET", upgrade(func(h http.Header) { h.Set("Sec-Websocket-Version", "8") }), 426, []string{"must be 13"}, "Sec-Websocket-Version", "13"},
		{"a key that is none", "GET", upgrade(func(h http.Header) { h.Set("Sec-Websocket-Key", "x") }), 400, []string{"Sec-WebSocket-Key"}, "", ""},
		{"by POST", "POST", upgrade(func(http.Header) {}), 405, []string{"GET"}, "Allow", "GET"},
		{"an allowed site, by its other name", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://xn--bcher-kva.example") }), 101, nil, "", ""},
		{"its own site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://chirp.example"); h.Set("Host", "chirp.example:443") }), 101, nil, "", ""},
		{"its own site, with the port", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://CHIRP.example:443"); h.Set("Host", "chirp.example") }), 101, nil, "", ""},
		{"its own site at another port", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://chirp.example:8443"); h.Set("Host", "chirp.example") }), 403, []string{"chirp.example:8443"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.status == 101 {
				response := upgradeOnly(t, s.URL, c.header)
				if response.StatusCode != 101 {
					t.Errorf("got %d, want 101", response.StatusCode)
				}
				return
			}
			got := apitest.Ask(t, c.method, s.URL+"/graphql", "", c.header)
			if got.Status != c.status || got.Code == "" || c.has != "" && got.Header.Get(c.has) != c.is {
				t.Errorf("got %d %q with %s %q, want %d, a code and %q", got.Status, got.Code, c.has, got.Header.Get(c.has), c.status, c.is)
			}
			for _, part := range c.says {
				if !strings.Contains(got.Message, part) {
					t.Errorf("got %q, want %q in it", got.Message, part)
				}
			}
		})
	}
	if text := s.Log.String(); !strings.Contains(text, "nor one of --allowed-origins") || !strings.Contains(text, "evil.example") {
		t.Errorf("the log has not the foreign site:\n%s", text)
	}
}

// upgradeOnly sends an upgrade request, whose connection is closed when the test
// ends.
func upgradeOnly(t *testing.T, url string, header http.Header) *http.Response {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	r.Host = header.Get("Host")
	response, err := apitest.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response
}
