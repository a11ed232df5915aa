package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

// TestFolderWithoutItsLogIsNotMistakenForANewOne removes the log while no server
// runs, and follows each piece of advice.
func TestFolderWithoutItsLogIsNotMistakenForANewOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(log string) error
		says string
	}{
		"removed": {os.Remove, "is gone, though views were made from it"},
		"emptied": {func(log string) error { return os.Truncate(log, 0) }, "is empty, though views were made from it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p, log := apitest.Embedded(dir), filepath.Join(dir, "log.db")
			server := apitest.Launch(t, p)
			apitest.Ready(t, server.URL)
			ann := apitest.RegisterAll(t, server.URL, "ann")[0]
			file := p.Export(t, "--with-credentials")
			server.Terminate(t)
			kept := apitest.Must(os.ReadFile(log))(t)
			if err := c.lose(log); err != nil {
				t.Fatal(err)
			}
			said := launchRefused(t, p)
			for _, args := range [][]string{{"import", file}, {"rebuild"}, {"verify"}, {"export"}} {
				if e := p.Command(t, args...); e.Code != 1 || e.Out != "" || args[0] == "import" && !strings.Contains(e.Log, c.says) {
					t.Errorf("%s: exit code %d, output %q, log %q; want 1 and what is lost", args[0], e.Code, e.Out, e.Log)
				}
			}
			if !strings.Contains(said, log+" "+c.says) || !strings.Contains(said, "put a copy of it in place") {
				t.Fatalf("start: got %q, want what is lost and what to do", said)
			}
			if err := os.WriteFile(log, kept, 0o600); err != nil {
				t.Fatal(err)
			}
			server = apitest.Launch(t, p)
			apitest.Ready(t, server.URL)
			apitest.PostAll(t, ann.At(server.URL), "after the restore")
			server.Terminate(t)

			if err := c.lose(log); err != nil {
				t.Fatal(err)
			}
			follow := regexp.MustCompile(`remove the views: (rm .*views-\*)`).FindStringSubmatch(said)
			if follow == nil {
				t.Fatalf("got %q, want a command that removes the views", said)
			}
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", follow[1]).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v, %s", follow[1], err, out)
			}
			server = apitest.Launch(t, p)
			apitest.Ready(t, server.URL)
			apitest.RegisterAll(t, server.URL, "ann")
			server.Terminate(t)
		})
	}
}
