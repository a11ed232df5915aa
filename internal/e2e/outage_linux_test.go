package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"golang.org/x/sys/unix"
)

// TestFileThatCannotBeOpenedHaltsNothing keeps a running server from opening
// files.
func TestFileThatCannotBeOpenedHaltsNothing(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, s *apitest.Process, dir string) (giveBack func()){
		"too many files are open": limitFiles,
		"a folder is in the way":  blockViews,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := apitest.Start(t, apitest.Embedded(dir))
			users := apitest.RegisterAll(t, s.URL, "ann", "bob")
			apitest.Must(users[0].At(s.URL).Follow(t.Context(), users[1].ID, ""))(t)
			wantInFeed(t, users[1], users[0], "before", s.URL)
			if _, _, err := apitest.Probe(t.Context(), s.Ops+"/readyz"); err != nil { // its connection stays open
				t.Fatal(err)
			}
			giveBack := take(t, s, dir)
			apitest.Must(users[1].At(s.URL).Post(t.Context(), "meanwhile", ""))(t) // the log is open
			apitest.Eventually(t, "readiness names the reason", func() bool {
				status, body, err := apitest.Probe(t.Context(), s.Ops+"/readyz")
				return err == nil && status == 503 && strings.Contains(body, "the projector has been trying again for ")
			})
			if _, err := users[0].At(s.URL).Page(t.Context(), 1, ""); err != nil && apitest.Code(err) != "UNAVAILABLE" {
				t.Errorf("a query meanwhile: got %v, want an answer or UNAVAILABLE", err)
			}
			giveBack()
			wantInFeed(t, users[1], users[0], "after", s.URL)
			wantNotHalted(t, s.Ops, &s.Log)
			if n := strings.Count(s.Log.String(), "projector: will try again"); n != 1 {
				t.Errorf("the outage is logged %d times, want once", n)
			}
		})
	}
}

func limitFiles(t *testing.T, s *apitest.Process, _ string) func() {
	var before unix.Rlimit
	if err := unix.Prlimit(s.Cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Prlimit(s.Cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: 3, Max: before.Max}) // what is open stays so
	return func() { set(before) }
}

func blockViews(t *testing.T, _ *apitest.Process, dir string) func() {
	views, aside := filepath.Join(dir, "views"), filepath.Join(dir, "views.aside")
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.Rename(views, aside))
	do(os.Mkdir(views, 0o700))
	return func() {
		do(os.Remove(views))
		do(os.Rename(aside, views))
	}
}
