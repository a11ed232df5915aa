package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

func TestVersionIsPrinted(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"serve", "--version"}} {
		if e := apitest.Execute(t, args...); e.Code != 0 || !regexp.MustCompile(`^chirp \S+\n$`).MatchString(e.Out) || e.Log != "" {
			t.Errorf("%q: got exit code %d, output %q and log %q, want the version", args, e.Code, e.Out, e.Log)
		}
	}
}

func TestServerLogsThatItListensOnceItHoldsTheStore(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		apitest.Eventually(t, "the log names the addresses", func() bool {
			return strings.Contains(s.Log.String(), "msg=listening url="+s.URL+"/graphql page="+s.URL+"/ graphiql="+s.URL+"/graphiql")
		})
		for _, page := range []string{"/", "/graphiql"} {
			if status, body, err := apitest.Probe(t.Context(), s.URL+page); err != nil || status != http.StatusOK || !strings.Contains(body, "<html") {
				t.Errorf("%s: got %d, %v, want the page that the log names", page, status, err)
			}
		}
		s.Terminate(t)
		closed := apitest.Start(t, p, "--introspection=false")
		apitest.Eventually(t, "the log names the page and no GraphiQL", func() bool {
			log := closed.Log.String()
			return strings.Contains(log, "page="+closed.URL+"/") && !strings.Contains(log, "graphiql=")
		})
	})
}

func TestServerWithoutAStoreDoesNotLogThatItListens(t *testing.T) {
	p := apitest.Embedded(t.TempDir())
	apitest.Start(t, p)
	if log := launchRefused(t, p); strings.Contains(log, "msg=listening") || !strings.Contains(log, "is held by another server") {
		t.Errorf("a second server on a folder: got %s, want it refused before it listens", log)
	}
	waiting := apitest.Launch(t, apitest.OnMongoDB("mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=100", "chirp"))
	apitest.AwaitProbe(t, waiting.Ops, http.StatusServiceUnavailable, "the store cannot be reached")
	if log := waiting.Log.String(); strings.Contains(log, "msg=listening") || !strings.Contains(log, "probe="+waiting.URL+"/readyz") {
		t.Errorf("while the store is away: got %s, want the probe's address and no more", log)
	}
}

func TestVerifyAfterAnImportSaysWhatToDo(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		s := apitest.Start(t, from)
		apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		file := from.Export(t)
		to.Import(t, file)
		const says = "verify: there are no views yet; start the server, which builds them, or run chirp rebuild"
		if e := to.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Log, says) {
			t.Errorf("verify: got exit code %d and %q, want %q", e.Code, e.Log, says)
		}
		if e := to.Command(t, "rebuild"); e.Code != 0 {
			t.Fatalf("rebuild: got exit code %d and %q", e.Code, e.Log)
		}
		if e := to.Command(t, "verify"); e.Code != 0 || !strings.Contains(e.Out, "differences: 0;") {
			t.Errorf("verify after the rebuild: got exit code %d, %q and %q", e.Code, e.Out, e.Log)
		}
		apitest.Start(t, to) // the other advice
	})
}

func TestMetricsShowTheThresholdThatTheViewsKeep(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		apitest.Start(t, p, "--celebrity-threshold", "50").Terminate(t)
		s := apitest.Start(t, p, "--celebrity-threshold", "70")
		shows := func(lines ...string) func() bool {
			return func() bool {
				_, body, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
				return err == nil && !slices.ContainsFunc(lines, func(l string) bool { return !strings.Contains(body, l+"\n") })
			}
		}
		apitest.Eventually(t, "the views keep their threshold", shows(`chirp_celebrity_threshold{source="configured"} 70`, `chirp_celebrity_threshold{source="views"} 50`))
		if e := p.Command(t, "rebuild", "--celebrity-threshold", "70"); e.Code != 0 {
			t.Fatalf("rebuild: got exit code %d and %q", e.Code, e.Log)
		}
		apitest.Eventually(t, "the rebuilt views have the new one", shows(`chirp_celebrity_threshold{source="views"} 70`))
	})
}
