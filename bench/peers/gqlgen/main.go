// Command gqlgen serves a page of a feed with gqlgen and nothing else: with -canned
// the same page from memory, and otherwise one find of documents that hold all of a
// page. It trusts the token, which is the id of a user.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/bench/peers/gqlgen/generated"
)

//go:generate go tool gqlgen

func main() {
	canned := flag.Bool("canned", false, "answer from memory")
	uri := flag.String("mongodb-uri", "", "MongoDB to read from")
	database := flag.String("mongodb-database", "peers", "its database")
	flag.Parse()
	if err := serve(*canned, *uri, *database); err != nil {
		fmt.Fprintln(os.Stderr, "gqlgen:", err)
		os.Exit(1)
	}
}

func serve(canned bool, uri, database string) error {
	r := &resolver{read: readCanned}
	if !canned {
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			return err
		}
		r.read = timeline{client.Database(database).Collection("timeline")}.read
	}
	srv := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: r}))
	srv.AddTransport(transport.POST{})
	srv.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening url=http://%s\n", l.Addr())
	return http.Serve(l, withViewer(srv))
}

type viewerKey struct{}

// withViewer hands the token on to the resolvers.
func withViewer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		viewer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), viewerKey{}, viewer)))
	})
}
