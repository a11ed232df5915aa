package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"chirp/bench/client"
	"chirp/bench/history"
	"chirp/bench/process"
	"chirp/internal/apitest"
	"chirp/internal/domain"
)

// feedDocument asks for a page with its authors.
const feedDocument = `query($n: Int) { feed(first: $n) { edges { cursor node { id content postedAt author { id username } } } pageInfo { hasNextPage endCursor } } }`

const (
	manyClients = 32
	// Pages a second that Chirp served on this machine before it was made fast.
	pagesBeforeEmbedded, pagesBeforeMongoDB = 1275, 510
)

// measureFeed measures pages of readers of the network: beside other queries on the
// same server, gqlgen alone and Apollo Server, from many clients and from one.
func measureFeed(ctx context.Context, s *stage, r *result) (err error) {
	w, err := s.network()
	if err != nil {
		return err
	}
	readers := w.readers(s.size.readers)
	p, err := s.startPeers(ctx, w, readers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	beside := map[string]*process.Server{"gqlgen, canned": p.canned, "gqlgen, one find": p.find, "Apollo Server": p.apollo}
	many, alone := newField(manyClients), newField(1)
	for _, name := range []string{"gqlgen, canned", "gqlgen, one find", "Apollo Server"} {
		if beside[name] == nil {
			continue
		}
		token := func(user int) (string, error) { return string(history.UserID(user)), nil }
		for _, f := range []*field{many, alone} {
			l, err := pages(beside[name].URL, readers, token, f.clients)
			if err != nil {
				return err
			}
			f.add(name, "", s.loadOn(name, beside[name], l))
		}
	}
	for _, store := range s.stores {
		at, err := s.site(ctx, w, store)
		if err != nil {
			return err
		}
		srv, err := s.serve(ctx, at, process.Patience)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, srv.Stop()) }()
		if err := w.checkPages(ctx, srv.URL, readers[:min(len(readers), 20)]); err != nil {
			return err
		}
		if err := s.addQueries(many, alone, srv, w, store, readers); err != nil {
			return err
		}
	}
	if err := s.inTurns(ctx, slices.Concat(many.all, alone.all)); err != nil {
		return err
	}
	for _, store := range s.stores {
		many.judgePages(r, store)
	}
	many.tabulate(r, fmt.Sprintf("Pages of %d chirps with their authors, %d clients", pageSize, manyClients))
	alone.tabulate(r, "The same, one client")
	return nil
}

// addQueries adds the page on a server, and less that the same server can be asked.
func (s *stage) addQueries(many, alone *field, srv *process.Server, w *world, store string, readers []int) error {
	for _, f := range []*field{many, alone} {
		l, err := pages(srv.URL, readers, w.token, f.clients)
		if err != nil {
			return err
		}
		f.add("page", store, s.loadOn("page, "+store, srv, l))
	}
	token, err := w.token(readers[0])
	if err != nil {
		return err
	}
	for _, document := range []string{"{ __typename }", "{ viewer { id } }"} {
		request := client.Request(srv.URL, token, document, nil)
		many.add(document, store, s.loadOn(document+", "+store, srv, client.Load{
			Clients: many.clients, Request: func(int, int) []byte { return request }, Check: noErrors,
		}))
	}
	return nil
}

// pages returns a load of pages of the readers' feeds.
func pages(url string, readers []int, token func(int) (string, error), clients int) (client.Load, error) {
	requests := make([][]byte, len(readers))
	for i, user := range readers {
		t, err := token(user)
		if err != nil {
			return client.Load{}, err
		}
		requests[i] = client.Request(url, t, feedDocument, map[string]any{"n": pageSize})
	}
	return client.Load{
		Clients: clients, Check: fullPage,
		Request: func(c, n int) []byte { return requests[(c*len(requests)/clients+n)%len(requests)] },
	}, nil
}

// fullPage returns an error unless a page has all its chirps.
func fullPage(body []byte) error {
	if n := bytes.Count(body, []byte(`"cursor":`)); n != pageSize {
		return fmt.Errorf("the page has %d chirps, not %d: %.300s", n, pageSize, body)
	}
	return noErrors(body)
}

func noErrors(body []byte) error {
	if bytes.Contains(body, []byte(`"errors":`)) {
		return fmt.Errorf("the answer is %.300s", body)
	}
	return nil
}

// checkPages compares pages with what they must be. Chirps that were posted since the
// world was written come first.
func (w *world) checkPages(ctx context.Context, url string, users []int) error {
	numbers := w.chirpNumbers()
	for _, user := range users {
		token, err := w.token(user)
		if err != nil {
			return err
		}
		page, err := apitest.API{URL: url, Token: token}.Page(ctx, pageSize, "")
		if err != nil {
			return err
		}
		var got []int
		for _, e := range page.Edges {
			if n, known := numbers[domain.ChirpID(e.Node.ID)]; known {
				got = append(got, n)
			}
		}
		if want := w.feed(user, len(got)); !slices.Equal(got, want) {
			return fmt.Errorf("the feed of user %d: got the chirps %v, want %v", user, got, want)
		}
	}
	return nil
}

// field has the contenders that as many clients call.
type field struct {
	clients int
	all     []*contender
	by      map[[2]string]*contender // name and store
}

func newField(clients int) *field { return &field{clients: clients, by: map[[2]string]*contender{}} }

func (f *field) add(name, store string, c *contender) {
	f.all = append(f.all, c)
	f.by[[2]string{name, store}] = c
}

// of returns a figure of a contender, nothing if it was not measured. A peer has no
// store.
func (f *field) of(name, store string, figure func(sample) float64) series {
	c := f.by[[2]string{name, store}]
	if c == nil {
		return nil
	}
	return c.of(figure)
}

// judgePages adds the aims of pages on a store.
func (f *field) judgePages(r *result, store string) {
	page, before := f.of("page", store, rate), pagesBeforeEmbedded
	if store == onMongo {
		before = pagesBeforeMongoDB
	}
	r.atLeast(fmt.Sprintf("pages a second, %d clients (before: %s)", f.clients, count(float64(before))), store, page, count, float64(3*before))
	r.atLeast("… ÷ gqlgen with one find", store, page.over(f.of("gqlgen, one find", "", rate)), ratio, 1)
	r.atLeast("… ÷ Apollo Server", store, page.over(f.of("Apollo Server", "", rate)), ratio, 4)
	r.atLeast("… ÷ `{__typename}` on the same server", store, page.over(f.of("{ __typename }", store, rate)), ratio, 0.3)
	slow := f.of("page", store, p99)
	r.atMost("p99 of a page ÷ that of gqlgen with one find", store, slow.over(f.of("gqlgen, one find", "", p99)), ratio, 1)
	r.atMost("p99 of a page ÷ that of Apollo Server", store, slow.over(f.of("Apollo Server", "", p99)), ratio, 1)
}

// tabulate adds a table of the contenders' figures.
func (f *field) tabulate(r *result, title string) {
	var lines [][]string
	for _, c := range f.all {
		lines = append(lines, c.line())
	}
	r.tabulate(title, loadColumns, lines...)
}
