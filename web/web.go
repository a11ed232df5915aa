// Package web serves the pages: Chirp's own client, and GraphiQL, with which
// developers explore the API. Both are built beforehand and embedded, so the
// program needs nothing beside itself, and no page asks any other server for
// anything.
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

// What pages may do. Neither runs a script or asks for anything that is not
// from the server itself; %s is its address for sockets. GraphiQL's editor makes
// style sheets as it goes, has fonts within them, and workers.
const (
	clientPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'%s; font-src 'self'; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	graphiqlPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'%s; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Client serves Chirp's own client at the root. Every path without a file
// extension is one of its screens, which it finds by itself.
func Client() (http.Handler, error) {
	files, err := fs.Sub(client, "dist")
	if err != nil {
		return nil, err
	}
	return newSite(files, clientPolicy, isScreen)
}

// GraphiQL serves GraphiQL at /graphiql.
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

// isScreen says whether a path names a screen of the client and no file.
func isScreen(name string) bool {
	return path.Ext(name) == "" && name != "assets" && !strings.HasPrefix(name, "assets/")
}

// site is a folder of files with a page that some paths stand for.
type site struct {
	files  map[string]*file // by path, without a slash in front
	page   *file
	policy string
	shows  func(name string) bool // whether a path is the page's
}

// newSite serves the files, of which index.html is the page.
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
		return nil, errors.New("a site without an index.html")
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

// sockets gives the sources for sockets of the server, by the name that the
// browser knows it by: not all of them have sockets in 'self'.
func sockets(host string) string {
	if !hostname.MatchString(host) {
		return ""
	}
	return " ws://" + host + " wss://" + host
}
