// Package web serves the web pages: Chirp's own client, and GraphiQL, in which
// developers explore the API. Both are built in advance and embedded, so the
// program needs no other files, and no page makes requests to another server.
package web

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

//go:embed all:dist
var client embed.FS

//go:embed all:graphiql/dist
var graphiql embed.FS

// Content security policies. Neither allows scripts from, or requests to, any
// other server; %s stands for this server's WebSocket sources. GraphiQL's editor
// creates style sheets at run time, embeds fonts in them, and uses workers.
const (
	clientPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'%s; font-src 'self'; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	graphiqlPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'%s; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Client returns a handler that serves Chirp's own client at the root. A path
// without a file extension is one of the client's screens, which it routes itself.
func Client() (http.Handler, error) {
	files, err := fs.Sub(client, "dist")
	if err != nil {
		return nil, err
	}
	return newSite(files, clientPolicy, isScreen)
}

// GraphiQL returns a handler that serves GraphiQL at /graphiql.
func GraphiQL() (http.Handler, error) {
	files, err := fs.Sub(graphiql, "graphiql/dist")
	if err != nil {
		return nil, err
	}
	s, err := newSite(files, graphiqlPolicy, func(name string) bool { return name == "" })
	if err != nil {
		return nil, err
	}
	return http.StripPrefix("/graphiql", s), nil
}

// isScreen reports whether a path names a screen of the client, not a file.
func isScreen(name string) bool {
	return path.Ext(name) == "" && name != "assets" && !strings.HasPrefix(name, "assets/")
}

// site is a folder of files, with one page that is served for several paths.
type site struct {
	files  map[string]*file // by path, without a leading slash
	page   *file
	policy string
	shows  func(name string) bool // reports whether a path shows the page
}

// newSite returns a site of the files, with index.html as the page.
func newSite(files fs.FS, policy string, shows func(name string) bool) (*site, error) {
	s := &site{files: map[string]*file{}, policy: policy, shows: shows}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		s.files[name] = newFile(name, raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.page = s.files["index.html"]; s.page == nil {
		return nil, errors.New("site has no index.html")
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	f := s.files[name]
	if f == nil && s.shows(name) {
		f = s.page
	}
	switch {
	case f == nil:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are allowed here", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Content-Security-Policy", strings.Replace(s.policy, "%s", sockets(r.Host), 1))
		f.serve(w, r)
	}
}

var hostname = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// sockets returns the policy sources for the server's WebSockets under the host name
// that the browser uses, because not all browsers include them in 'self'.
func sockets(host string) string {
	if !hostname.MatchString(host) {
		return ""
	}
	return " ws://" + host + " wss://" + host
}
