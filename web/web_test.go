package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"chirp/web"
)

// sites returns the handlers of both sites.
func sites(t *testing.T) (client, graphiql http.Handler) {
	t.Helper()
	client, err := web.Client()
	if err != nil {
		t.Fatal(err)
	}
	graphiql, err = web.GraphiQL()
	if err != nil {
		t.Fatal(err)
	}
	return client, graphiql
}

// asset returns the path of the largest built GraphiQL asset with an extension.
func asset(t *testing.T, extension string) string {
	t.Helper()
	entries, err := os.ReadDir("graphiql/dist/assets")
	if err != nil {
		t.Fatal(err)
	}
	name, size := "", int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if path.Ext(e.Name()) == extension && info.Size() > size {
			name, size = "/graphiql/assets/"+e.Name(), info.Size()
		}
	}
	if name == "" {
		t.Fatalf("no asset has the extension %s", extension)
	}
	return name
}

func get(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "chirp.example:8080"
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const immutable = "public, max-age=31536000, immutable"

func TestFilesHaveTheirMediaType(t *testing.T) {
	client, graphiql := sites(t)
	script, style := asset(t, ".js"), asset(t, ".css")
	for _, c := range []struct {
		name, path string
		site       http.Handler
		status     int
		media      string
		caching    string
	}{
		{"the client", "/", client, 200, "text/html; charset=utf-8", "no-cache"},
		{"the client by name", "/index.html", client, 200, "text/html; charset=utf-8", "no-cache"},
		{"a screen of the client", "/explore", client, 200, "text/html; charset=utf-8", "no-cache"},
		{"a screen within another", "/u/Ada_1/followers/", client, 200, "text/html; charset=utf-8", "no-cache"},
		{"an unknown asset of the client", "/assets/index-0000.js", client, 404, "", ""},
		{"an asset without an extension", "/assets/index", client, 404, "", ""},
		{"the folder of assets", "/assets/", client, 404, "", ""},
		{"an unknown file", "/favicon.ico", client, 404, "", ""},
		{"a path outside the folder", "/../web.go", client, 404, "", ""},
		{"GraphiQL", "/graphiql", graphiql, 200, "text/html; charset=utf-8", "no-cache"},
		{"GraphiQL with a slash", "/graphiql/", graphiql, 200, "text/html; charset=utf-8", "no-cache"},
		{"its script", script, graphiql, 200, "text/javascript; charset=utf-8", immutable},
		{"its style", style, graphiql, 200, "text/css; charset=utf-8", immutable},
		{"its font", asset(t, ".ttf"), graphiql, 200, "font/ttf", immutable},
		{"its licences", "/graphiql/licenses.txt", graphiql, 200, "text/plain; charset=utf-8", "no-cache"},
		{"nothing else of GraphiQL", "/graphiql/explore", graphiql, 404, "", ""},
		{"an unknown asset of GraphiQL", "/graphiql/assets/x.js", graphiql, 404, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := get(c.site, http.MethodGet, c.path, nil)
			if got.StatusCode != c.status {
				t.Fatalf("got status %d, want %d", got.StatusCode, c.status)
			}
			if c.status != 200 {
				if caching := got.Header.Get("Cache-Control"); caching != "" {
					t.Errorf("got Cache-Control %q for a missing file, want none", caching)
				}
				return
			}
			if media, caching := got.Header.Get("Content-Type"), got.Header.Get("Cache-Control"); media != c.media || caching != c.caching {
				t.Errorf("got %q, %q; want %q, %q", media, caching, c.media, c.caching)
			}
			if vary, etag := got.Header.Get("Vary"), got.Header.Get("ETag"); vary != "Accept-Encoding" || etag == "" {
				t.Errorf("got Vary %q and ETag %q", vary, etag)
			}
		})
	}
}

func TestCompressionIsNegotiated(t *testing.T) {
	_, graphiql := sites(t)
	script := asset(t, ".js")
	plain := get(graphiql, http.MethodGet, script, nil)
	text := read(t, plain.Body)
	for _, c := range []struct {
		accept string
		want   bool
	}{
		{"", false}, {"gzip, deflate, br, zstd", true}, {"br", false}, {"*", true}, {"gzip;q=0", false}, {"gzip; q=0.5, br", true},
		{"*;q=0", false}, {"*;q=0, gzip", true}, {"gzip;q=0, *", false}, {"identity", false}, {"GZIP", true}, {"gzip;q=rubbish", false},
	} {
		got := get(graphiql, http.MethodGet, script, http.Header{"Accept-Encoding": {c.accept}})
		if (got.Header.Get("Content-Encoding") == "gzip") != c.want {
			t.Errorf("%q: got Content-Encoding %q, want gzip %v", c.accept, got.Header.Get("Content-Encoding"), c.want)
			continue
		}
		var body io.Reader = got.Body
		if c.want {
			z, err := gzip.NewReader(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
			if got.ContentLength > int64(len(text))/2 || got.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Errorf("%q: got %d bytes, %d uncompressed, and ETag %s; the plain one is %s", c.accept, got.ContentLength, len(text), got.Header.Get("ETag"), plain.Header.Get("ETag"))
			}
		}
		if read(t, body) != text {
			t.Errorf("%q: the content differs", c.accept)
		}
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	client, _ := sites(t)
	for _, encoding := range []string{"", "gzip"} {
		first := get(client, http.MethodGet, "/", http.Header{"Accept-Encoding": {encoding}})
		etag := first.Header.Get("ETag")
		for given, want := range map[string]int{
			etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304, `"other"`: 200, "": 200,
		} {
			got := get(client, http.MethodGet, "/explore", http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {given}})
			body := read(t, got.Body)
			if got.StatusCode != want || (want == 304) != (body == "") {
				t.Errorf("If-None-Match %s, Accept-Encoding %q: got status %d and %d bytes, want %d", given, encoding, got.StatusCode, len(body), want)
			}
			if got.Header.Get("ETag") != etag || got.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("If-None-Match %s: got ETag %s and Cache-Control %s", given, got.Header.Get("ETag"), got.Header.Get("Cache-Control"))
			}
		}
	}
}

func TestOnlyGetAndHeadAreAllowed(t *testing.T) {
	client, graphiql := sites(t)
	for path, site := range map[string]http.Handler{"/": client, "/graphiql": graphiql, asset(t, ".css"): graphiql} {
		head, whole := get(site, http.MethodHead, path, nil), get(site, http.MethodGet, path, nil)
		if body := read(t, head.Body); body != "" || head.StatusCode != 200 || head.Header.Get("Content-Length") != whole.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: got status %d, %d bytes and length %s, want the headers of GET without a body", path, head.StatusCode, len(body), head.Header.Get("Content-Length"))
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			if got := get(site, method, path, nil); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got status %d and Allow %q, want 405", method, path, got.StatusCode, got.Header.Get("Allow"))
			}
		}
	}
}

func TestPoliciesAllowOnlyTheServer(t *testing.T) {
	client, graphiql := sites(t)
	const sockets = "connect-src 'self' ws://chirp.example:8080 wss://chirp.example:8080; "
	for path, c := range map[string]struct {
		site http.Handler
		want string
	}{
		"/": {client, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " + sockets +
			"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
		"/graphiql": {graphiql, "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " + sockets +
			"font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	} {
		if got := get(c.site, http.MethodGet, path, nil).Header.Values("Content-Security-Policy"); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: got %q, want %q", path, got, c.want)
		}
	}
}

func TestAHostCannotWidenThePolicy(t *testing.T) {
	client, _ := sites(t)
	for _, host := range []string{"", "a;script-src *", "a b", "a,b", "a'"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		client.ServeHTTP(w, r)
		if got := w.Result().Header.Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self';") {
			t.Errorf("host %q: got %q, want only the server", host, got)
		}
	}
}

// TestPagesFitTheirPolicies checks that scripts and styles are files on the server
// and that nothing refers to another server.
func TestPagesFitTheirPolicies(t *testing.T) {
	client, graphiql := sites(t)
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son\w+=|(?:src|href)="(?:https?:)?//`)
	for path, site := range map[string]http.Handler{"/": client, "/graphiql": graphiql} {
		page := read(t, get(site, http.MethodGet, path, nil).Body)
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s: the page has %q", path, found)
		}
		for _, ref := range regexp.MustCompile(`(?:src|href)="(/[^"]+\.\w+)"`).FindAllStringSubmatch(page, -1) {
			if got := get(site, http.MethodGet, ref[1], nil); got.StatusCode != 200 {
				t.Errorf("%s refers to %s: got status %d, want 200", path, ref[1], got.StatusCode)
			}
		}
	}
}
