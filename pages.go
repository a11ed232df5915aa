package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"chirp/web"
)

// pages serves the client at the root, and GraphiQL where clients may ask for
// the schema, without which it is of no use.
func (f *front) pages(introspection bool) error {
	client, err := web.Client()
	if err != nil {
		return err
	}
	var graphiql http.Handler = http.HandlerFunc(nothingHere)
	if introspection {
		if graphiql, err = web.GraphiQL(); err != nil {
			return err
		}
	}
	f.mux.Handle("/", screens(client))
	f.mux.Handle("/graphiql", readOnly(graphiql))
	f.mux.Handle("/graphiql/", readOnly(graphiql))
	f.mux.HandleFunc("/graphql/", nothingHere) // a mistyped API address is no screen of the client
	return nil
}

// readOnly passes on GET and HEAD.
func readOnly(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methodNotAllowed(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// screens passes on to the client what a browser asks for, and answers the rest
// as an API does: who sends JSON to a wrong address should not get a page.
func screens(client http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case read && (knownScreen(r.URL.Path) || isFile(r.URL.Path) || wantsPage(r)):
			client.ServeHTTP(w, r)
		case !read && r.URL.Path == "/":
			methodNotAllowed(w, r)
		default:
			nothingHere(w, r)
		}
	})
}

// knownScreens are the first parts of the paths that the client has screens for.
// Profiles begin with an @.
func knownScreens() []string { return []string{"", "login", "register", "explore", "chirp"} }

func knownScreen(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.HasPrefix(first, "@") || slices.Contains(knownScreens(), first)
}

func isFile(path string) bool {
	return strings.HasPrefix(path, "/assets/") || strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".")
}

// wantsPage reports whether a client accepts a page by name. Browsers do; for
// the others "*/*" means anything that can be read by a program.
func wantsPage(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept") {
		if strings.Contains(strings.ToLower(value), "text/html") {
			return true
		}
	}
	return false
}

func nothingHere(w http.ResponseWriter, r *http.Request) {
	refuseText(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("there is nothing at %.100s; the API is at /graphql", r.URL.Path))
}

// methodNotAllowed refuses all but GET and HEAD.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	refuseText(w, http.StatusMethodNotAllowed, "BAD_USER_INPUT", fmt.Sprintf("%.100s takes GET and HEAD only; the API is at /graphql", r.URL.Path))
}

// refuseText answers beside the API as the API does.
func refuseText(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(refusedJSON(code, message)) // an error means that the client has gone
}
