package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestReasonsAreForTheOperator lets a store be away, with an error that says
// where it should be.
func TestReasonsAreForTheOperator(t *testing.T) {
	s := apitest.ServeApp(t, func(context.Context) (app.Storage, error) {
		return nil, domain.Errorf(domain.Unavailable, "no node of mongodb://10.9.8.7:27017 answers")
	}, nil)
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "the store cannot be reached: no node of mongodb://10.9.8.7:27017 answers\n")
	wantNoReasons(t, apitest.API{URL: s.URL}, "10.9.8.7")
}

// TestPublicAnswersDuringAnOutage takes a server's store away and reads every
// kind of public answer.
func TestPublicAnswersDuringAnOutage(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := start(t, apitest.Embedded(dir), nil)
		ann := apitest.RegisterAll(t, s.URL, "ann")[0]
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, dir)
		wantNoReasons(t, ann.At(s.URL), dir)
		if err := os.Rename(dir+"-away", dir); err != nil {
			t.Fatal(err)
		}
		apitest.Ready(t, s.URL)
	})
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		set := mongotest.StartReplicaSet(t, 1)
		s := start(t, apitest.OnMongoDB(set.URI(), "whispered"), nil)
		ann := apitest.RegisterAll(t, s.URL, "ann")[0]
		set.Nodes[0].Kill()
		host := set.Nodes[0].Addr()
		apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, host)
		wantNoReasons(t, ann.At(s.URL), host, "whispered", "topology")
		set.Nodes[0].Restart(t)
		apitest.Ready(t, s.URL)
	})
}

// wantNoReasons checks that a server that is not ready says no more than that,
// and that none of its public answers has one of the words.
func wantNoReasons(t *testing.T, as apitest.API, words ...string) {
	t.Helper()
	if status, body, err := apitest.Probe(t.Context(), as.URL+"/readyz"); err != nil || status != http.StatusServiceUnavailable || body != "not ready\n" {
		t.Errorf("/readyz: got %d %q, error %v; want 503 and that it is not ready", status, body, err)
	}
	var answers []string
	for _, path := range []string{"/healthz", "/metrics", "/debug/pprof/", "/", "/graphql?query={recentChirps{edges{cursor}}}"} {
		_, body, err := apitest.Probe(t.Context(), as.URL+path)
		answers = append(answers, fmt.Sprint(path, body, err))
	}
	_, posted := as.Post(t.Context(), "meanwhile", "")
	_, read := as.Page(t.Context(), 1, "")
	_, registered := as.Register(t.Context(), "bob")
	_, loggedIn := as.LogIn(t.Context(), "ann", apitest.Password)
	for _, err := range []error{posted, read, registered, loggedIn} {
		answers = append(answers, fmt.Sprint(err))
	}
	for _, answer := range answers {
		for _, word := range words {
			if strings.Contains(answer, word) {
				t.Errorf("a public answer has %q: %s", word, answer)
			}
		}
	}
}
