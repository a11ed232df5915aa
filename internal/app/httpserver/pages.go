package httpserver

import (
	"net/http"
	"slices"
	"strings"

	"chirp/web"
)

// ServePages serves the web client at the root, and GraphiQL, which is of no
// use without introspection, if that is allowed.
func (m *Mux) ServePages(introspection bool) error {
	client, err := web.Client()
	if err != nil {
		return err
	}
	var graphiql http.Handler = http.HandlerFunc(notFound)
	if introspection {
		if graphiql, err = web.GraphiQL(); err != nil {
			return err
		}
	}
	m.mux.Handle("/", clientScreens(client))
	m.mux.Handle("/graphiql", readOnly(graphiql))
	m.mux.Handle("/graphiql/", readOnly(graphiql))
	m.mux.HandleFunc("/graphql/", notFound) // a mistyped API address is no screen of the client
	return nil
}

// readOnly refuses all requests but GET and HEAD.
func readOnly(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methodNotAllowed(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// clientScreens serves the client to browsers, and answers the rest as an API
// does: a program that sends JSON to a wrong address should not get a page.
func clientScreens(client http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case read && (isScreen(r.URL.Path) || isFile(r.URL.Path) || acceptsHTML(r)):
			client.ServeHTTP(w, r)
		case !read && r.URL.Path == "/":
			methodNotAllowed(w, r)
		default:
			notFound(w, r)
		}
	})
}

// screens returns the first segments of the paths that the client has screens
// for. Those of profiles begin with an @.
func screens() []string { return []string{"", "login", "register", "explore", "chirp", "account"} }

func isScreen(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.HasPrefix(first, "@") || slices.Contains(screens(), first)
}

func isFile(path string) bool {
	return strings.HasPrefix(path, "/assets/") || strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".")
}

// acceptsHTML reports whether a client accepts HTML by name. Browsers do; a
// program that sends "*/*" wants what it can parse.
func acceptsHTML(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept") {
		if strings.Contains(strings.ToLower(value), "text/html") {
			return true
		}
	}
	return false
}
