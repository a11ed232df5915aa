package graph

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/cors"
)

// originCheck says whether a request may open a socket. A browser names the
// site of the page in Origin, and a page must not use this server in the name
// of its visitor unless its site is the server's own or one of those allowed,
// such as https://app.example.com. One star in an entry stands for any
// characters; "*" alone is every site. Others than browsers send no Origin.
func originCheck(allowed []string) func(*http.Request) bool {
	others := func(*http.Request) bool { return false }
	if len(allowed) > 0 { // which the library would take for all
		others = cors.New(cors.Options{AllowedOrigins: allowed}).OriginAllowed
	}
	return func(r *http.Request) bool {
		origin := r.Header.Get("Origin")
		u, err := url.Parse(origin)
		own := err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
		return origin == "" || own || others(r)
	}
}
