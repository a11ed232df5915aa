package main

import (
	"net/http"

	"chirp/web"
)

// pages serves the client at the root, and GraphiQL where clients may ask for
// the schema, without which it is of no use.
func (f *front) pages(introspection bool) error {
	client, err := web.Client()
	if err != nil {
		return err
	}
	graphiql := http.NotFoundHandler()
	if introspection {
		if graphiql, err = web.GraphiQL(); err != nil {
			return err
		}
	}
	f.mux.Handle("/", client)
	f.mux.Handle("/graphiql", graphiql)
	f.mux.Handle("/graphiql/", graphiql)
	f.mux.Handle("/graphql/", http.NotFoundHandler()) // a mistyped API address is no screen of the client
	return nil
}
