package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// TestLoadFindsExactFeeds plays a small load against the built server on each store.
// It uses a real follow graph and real texts if the folder shared/data exists next to
// the checkout, and generated ones otherwise.
func TestLoadFindsExactFeeds(t *testing.T) {
	o := options{users: 150, posts: 1000, check: 150, workers: 16, seed: 1}
	follows, texts := "../../../shared/data/github-follows.csv.gz", "../../../shared/data/posts.txt"
	if _, err := os.Stat(follows); err == nil {
		o.follows, o.texts, o.mostFollowed = follows, texts, true
		t.Logf("with the follow graph and the texts of %s", filepath.Dir(follows))
	} else {
		t.Log("with a generated graph and texts")
	}
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		o := o
		// The threshold is low, so that some users become celebrities.
		o.url = apitest.Start(t, p, "--celebrity-threshold", "40").URL + "/graphql"
		var out strings.Builder
		if err := run(t.Context(), o, &out); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
		t.Log("\n" + out.String())
	})
}

// TestLoadFailsOnADifferentFeed shows that the comparison can fail: a chirp that the
// load does not know about makes a feed differ.
func TestLoadFailsOnADifferentFeed(t *testing.T) {
	url := apitest.Start(t, apitest.Embedded(t.TempDir())).URL + "/graphql"
	p := newPlayer(options{url: url, users: 2, posts: 1, check: 2, workers: 1}, io.Discard)
	p.edges = [][2]int{{0, 1}, {1, 0}}
	if err := p.play(t.Context(), []string{"known"}); err != nil {
		t.Fatal(err)
	}
	posted := p.posted
	if err := p.poster([]string{"unknown"})(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.posted = posted
	var errs []error
	check := p.checker()
	for i := range p.users {
		errs = append(errs, check(t.Context(), i))
	}
	if errs[0] == nil && errs[1] == nil {
		t.Error("both feeds pass, although one has a chirp that the load does not know about")
	}
}
