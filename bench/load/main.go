// Command load plays a social network against a running Chirp server, using only its
// public GraphQL API. It registers the users of a follow graph, follows its edges,
// posts texts, prints the rates, and then compares feeds with what they must be. It
// exits with status 1 if a feed differs or a call fails.
//
// Start the server with --rate-limit 0, because all calls come from one address.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"chirp/bench/history"

	"golang.org/x/sync/errgroup"
)

type options struct {
	url     string
	follows string
	texts   string
	users   int
	// mostFollowed selects the users with the most follows, not the first ones.
	mostFollowed bool
	posts        int
	check        int
	history      string
	workers      int
	seed         uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.url, "url", "http://localhost:8080/graphql", "GraphQL endpoint")
	flag.StringVar(&o.follows, "follows", "", "edge list of mutual follows, CSV or CSV.GZ with a header and two numbers a line (default: a generated graph)")
	flag.StringVar(&o.texts, "texts", "", "file with one text a line (default: generated texts)")
	flag.IntVar(&o.users, "users", 2000, "use the users with numbers below this, and the edges between them")
	flag.BoolVar(&o.mostFollowed, "most-followed", false, "use the users with the most follows instead")
	flag.IntVar(&o.posts, "posts", 5000, "chirps to post")
	flag.IntVar(&o.check, "check", 200, "feeds to compare at the end")
	flag.StringVar(&o.history, "history", "", "write the network to this file, for chirp import, instead of playing it")
	flag.IntVar(&o.workers, "workers", 32, "concurrent calls")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the random numbers")
	flag.Parse()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// user is a user of the network.
type user struct {
	id        string
	token     string
	followees []int
}

// post is a chirp that the server acknowledged.
type post struct {
	id       string
	author   int
	position int64
}

// player plays the network.
type player struct {
	options
	client *client
	out    io.Writer
	rand   *rand.Rand
	users  []user
	edges  [][2]int
	posted []post
	last   atomic.Int64 // the highest position that the server returned
}

func run(ctx context.Context, o options, out io.Writer) error {
	p := newPlayer(o, out)
	var err error
	if p.edges, err = history.ReadEdges(o.follows, o.users, o.mostFollowed, p.rand); err != nil {
		return err
	}
	texts, err := history.ReadTexts(o.texts, p.rand)
	if err != nil {
		return err
	}
	if o.history != "" {
		return writeHistory(o.history, o, p.edges, texts, p.rand)
	}
	return p.play(ctx, texts)
}

func newPlayer(o options, out io.Writer) *player {
	return &player{options: o, client: newClient(o.url, o.workers), out: out, rand: rand.New(rand.NewPCG(o.seed, 0))}
}

// play registers the users, follows the edges, posts the texts, and compares
// the feeds.
func (p *player) play(ctx context.Context, texts []string) error {
	p.users = make([]user, p.options.users)
	for _, e := range p.edges {
		p.users[e[0]].followees = append(p.users[e[0]].followees, e[1])
	}
	// Names must differ from those of an earlier load on the same server.
	name := strconv.FormatInt(time.Now().UnixMilli()%2_000_000_000, 36)
	check := min(p.options.check, p.options.users)
	steps := []struct {
		name string
		n    int
		do   func(ctx context.Context, i int) error
	}{
		{"register", p.options.users, func(ctx context.Context, i int) error { return p.register(ctx, i, fmt.Sprintf("%s_%d", name, i)) }},
		{"follow", len(p.edges), p.follow},
		{"post", p.options.posts, p.poster(texts)},
		{"check feeds", check, p.checker()},
	}
	for _, s := range steps {
		if err := p.step(ctx, s.name, s.n, s.do); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fmt.Fprintf(p.out, "%d feeds have exactly the chirps that the acknowledged follows and posts imply\n", check)
	return nil
}

// step calls do for 0 to n-1, concurrently, and prints the rate and the latencies.
func (p *player) step(ctx context.Context, name string, n int, do func(ctx context.Context, i int) error) error {
	var mu sync.Mutex
	took := make([]time.Duration, 0, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.workers)
	start := time.Now()
	for i := range n {
		g.Go(func() error {
			began := time.Now()
			err := do(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			return err
		})
	}
	// A failed call ends the step, so took has the time of every call here.
	if err := g.Wait(); err != nil {
		return err
	}
	all := time.Since(start)
	slices.Sort(took)
	at := func(percent int) time.Duration {
		if n == 0 {
			return 0
		}
		return took[(n-1)*percent/100].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(p.out, "%-12s %7d in %8s  %8.0f/s  p50 %s  p99 %s\n", name, n, all.Round(time.Millisecond), float64(n)/all.Seconds(), at(50), at(99))
	return nil
}

func (p *player) register(ctx context.Context, i int, name string) error {
	var out struct {
		RegisterUser struct {
			User     struct{ ID string }
			Token    string
			Position string
		}
	}
	err := p.client.do(ctx, request{query: `mutation($name: String!, $command: String!) { registerUser(input: {username: $name, password: "correct horse", commandId: $command}) { user { id } token position } }`,
		variables: map[string]any{"name": name, "command": "load-register"}}, &out)
	if err != nil {
		return err
	}
	p.users[i].id, p.users[i].token = out.RegisterUser.User.ID, out.RegisterUser.Token
	return p.saw(out.RegisterUser.Position)
}

func (p *player) follow(ctx context.Context, i int) error {
	follower, followee := p.users[p.edges[i][0]], p.users[p.edges[i][1]]
	var out struct{ FollowUser struct{ Position string } }
	err := p.client.do(ctx, request{token: follower.token, query: `mutation($id: ID!, $command: String!) { followUser(input: {userId: $id, commandId: $command}) { position } }`,
		variables: map[string]any{"id": followee.id, "command": fmt.Sprintf("load-follow-%d", i)}}, &out)
	if err != nil {
		return err
	}
	return p.saw(out.FollowUser.Position)
}

// poster returns a func that posts by randomly drawn authors, and records what the
// server acknowledged.
func (p *player) poster(texts []string) func(ctx context.Context, i int) error {
	var mu sync.Mutex
	authors := make([]int, p.options.posts)
	for i := range authors {
		authors[i] = p.rand.IntN(p.options.users)
	}
	return func(ctx context.Context, i int) error {
		var out struct {
			PostChirp struct {
				Chirp    struct{ ID string }
				Position string
			}
		}
		err := p.client.do(ctx, request{token: p.users[authors[i]].token,
			query:     `mutation($text: String!, $command: String!) { postChirp(input: {content: $text, commandId: $command}) { chirp { id } position } }`,
			variables: map[string]any{"text": texts[i%len(texts)], "command": fmt.Sprintf("load-post-%d", i)}}, &out)
		if err != nil {
			return err
		}
		position, err := strconv.ParseInt(out.PostChirp.Position, 10, 64)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		p.posted = append(p.posted, post{out.PostChirp.Chirp.ID, authors[i], position})
		return p.saw(out.PostChirp.Position)
	}
}

// saw records the highest position, which the reads at the end must show.
func (p *player) saw(position string) error {
	n, err := strconv.ParseInt(position, 10, 64)
	if err != nil {
		return err
	}
	// Other workers may have stored a higher position meanwhile.
	for old := p.last.Load(); n > old && !p.last.CompareAndSwap(old, n); old = p.last.Load() {
	}
	return nil
}

// checker returns a func that reads the feed of a randomly drawn user and compares it
// with a pure pull: all chirps of all followees, newest first.
func (p *player) checker() func(ctx context.Context, i int) error {
	drawn := p.rand.Perm(p.options.users)
	return func(ctx context.Context, i int) error {
		u := p.users[drawn[i]]
		got, err := p.readFeed(ctx, u.token)
		if err != nil {
			return err
		}
		if want := p.wantFeed(u); !slices.Equal(got, want) {
			return fmt.Errorf("the feed of %s has %d chirps, want %d:\ngot  %.300v\nwant %.300v", u.id, len(got), len(want), got, want)
		}
		return nil
	}
}

// wantFeed returns the ids of the chirps that a user's feed must have, newest first.
func (p *player) wantFeed(u user) []string {
	follows := make(map[int]bool, len(u.followees))
	for _, f := range u.followees {
		follows[f] = true
	}
	var want []post
	for _, c := range p.posted {
		if follows[c.author] {
			want = append(want, c)
		}
	}
	slices.SortFunc(want, func(a, b post) int { return cmp.Compare(b.position, a.position) })
	ids := make([]string, len(want))
	for i, c := range want {
		ids[i] = c.id
	}
	return ids
}

// readFeed reads a whole feed, page by page, once it shows everything acknowledged.
func (p *player) readFeed(ctx context.Context, token string) ([]string, error) {
	var ids []string
	var after *string
	for {
		var out struct {
			Feed struct {
				Edges    []struct{ Node struct{ ID string } }
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
			}
		}
		err := p.client.do(ctx, request{token: token, readAfter: p.last.Load(),
			query:     `query($after: String) { feed(first: 100, after: $after) { edges { node { id author { username } content } } pageInfo { hasNextPage endCursor } } }`,
			variables: map[string]any{"after": after}}, &out)
		if err != nil {
			return nil, err
		}
		for _, e := range out.Feed.Edges {
			ids = append(ids, e.Node.ID)
		}
		if !out.Feed.PageInfo.HasNextPage {
			return ids, nil
		}
		after = out.Feed.PageInfo.EndCursor
	}
}
