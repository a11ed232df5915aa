package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"chirp/internal/apitest"
)

// underUmask returns a command of the program that runs with a umask.
func underUmask(t *testing.T, umask string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command("sh", append([]string{"-c", "umask " + umask + `; exec "$0" "$@"`, apitest.Program(t)}, args...)...)
}

// exposed returns the files below a folder, and the folder itself, that users other
// than the owner have rights to.
func exposed(dir string) (found []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is gone, or not there yet
		}
		if info, err := d.Info(); err == nil && info.Mode()&0o077 != 0 {
			found = append(found, fmt.Sprintf("%s %v", path, info.Mode()))
		}
		return nil
	})
	return found
}

// watchModes looks for exposed files in a folder all the time, until the returned
// function is called, which fails the test if there was one.
func watchModes(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ending := make(chan struct{})
	seen := map[string]bool{}
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			for _, file := range exposed(dir) {
				seen[file] = true
			}
			select {
			case <-ending:
				return
			default:
			}
		}
	})
	return func() {
		close(ending)
		watching.Wait()
		for file := range seen {
			t.Errorf("other users had rights to %s", file)
		}
	}
}

func TestFilesAreTheirOwnersAloneWhateverTheUmask(t *testing.T) {
	for _, umask := range []string{"000", "0777"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			stop := watchModes(t, dir)
			defer stop()
			serve := func() *apitest.Process {
				server, listening := apitest.SpawnWith(t, underUmask(t, umask, "--data", dir, "--addr", "127.0.0.1:0", "--rate-limit", "0"), nil)
				server.URL = <-listening
				apitest.Ready(t, server.URL)
				return server
			}
			server := serve()
			ann := apitest.RegisterAll(t, server.URL, "ann")[0]
			file := filepath.Join(dir, "log.jsonl") // a backup, in the folder itself
			for _, args := range [][]string{{"verify"}, {"export", file, "--with-credentials"}, {"rebuild"}} {
				apitest.PostAll(t, ann.At(server.URL), "before "+args[0])
				if out, err := underUmask(t, umask, append(args, "--data", dir)...).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", args[0], err, out)
				}
			}
			server.Terminate(t)
			server = serve() // opens everything again
			apitest.PostAll(t, ann.At(server.URL), "after the restart")
			wantModes(t, dir)
			server.Terminate(t)
			wantModes(t, dir)
			copied := filepath.Join(t.TempDir(), "copy", "data")
			if out, err := underUmask(t, umask, "import", file, "--data", copied).CombinedOutput(); err != nil {
				t.Fatalf("import: %v\n%s", err, out)
			}
			wantModes(t, copied)
			wantModes(t, filepath.Dir(copied))
		})
	}
}

// wantModes checks that a folder is 0700 and each file in it 0600.
func wantModes(t *testing.T, dir string) {
	t.Helper()
	if info := apitest.Must(os.Stat(dir))(t); info.Mode().Perm() != 0o700 {
		t.Errorf("%s: got mode %v, want 0700", dir, info.Mode())
	}
	for _, e := range apitest.Must(os.ReadDir(dir))(t) {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", e.Name(), info.Mode())
		}
	}
}

// TestFilesThatOthersCanReadAreMendedAtStart serves a folder as an older version
// left it where the folder existed before.
func TestFilesThatOthersCanReadAreMendedAtStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := apitest.Embedded(dir)
	apitest.Start(t, p).Terminate(t)
	outside := filepath.Join(t.TempDir(), "outside")
	notes := filepath.Join(dir, "notes.txt") // not the store's
	for _, path := range []string{outside, notes, filepath.Join(dir, "log.db.bak"), filepath.Join(dir, "views-7.db")} {
		if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "views-8.db-wal")); err != nil {
		t.Fatal(err)
	}
	expose := func() {
		t.Helper()
		for _, e := range apitest.Must(os.ReadDir(dir))(t) {
			if e.Type().IsRegular() {
				if err := os.Chmod(filepath.Join(dir, e.Name()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mended := func(after string) {
		t.Helper()
		for _, e := range apitest.Must(os.ReadDir(dir))(t) {
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() && e.Name() != "notes.txt" && info.Mode().Perm() != 0o600 {
				t.Errorf("after %s: %s has mode %v, want 0600", after, e.Name(), info.Mode())
			}
		}
		for _, path := range []string{outside, notes} {
			if info := apitest.Must(os.Stat(path))(t); info.Mode().Perm() != 0o644 {
				t.Errorf("after %s: %s has mode %v, want 0644 as before", after, path, info.Mode())
			}
		}
	}
	for _, command := range []string{"verify", "export", "rebuild"} {
		expose()
		if e := p.Command(t, command); e.Code != 0 || strings.Contains(e.Log, "other users can") {
			t.Fatalf("%s: got exit code %d and %s, want 0 and no warning", command, e.Code, e.Log)
		}
		mended(command)
	}
	expose()
	server := apitest.Start(t, p)
	apitest.RegisterAll(t, server.URL, "ann")
	mended("the start")
	advice := regexp.MustCompile(`other users can enter the data folder.* run: (chmod 700 \S+)`).FindAllStringSubmatch(server.Log.String(), -1)
	server.Terminate(t)
	if len(advice) != 1 {
		t.Fatalf("got %d warnings about the folder, want 1:\n%s", len(advice), server.Log.String())
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", advice[0][1]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v, %s", advice[0][1], err, out)
	}
	server = apitest.Start(t, p)
	if log := server.Log.String(); strings.Contains(log, "other users can") {
		t.Errorf("after following the advice: got %s, want no warning", log)
	}
}

func TestExportToAReadableFileSaysSo(t *testing.T) {
	t.Parallel()
	p := apitest.Embedded(filepath.Join(t.TempDir(), "data"))
	apitest.Start(t, p).Terminate(t)
	for mode, want := range map[fs.FileMode]bool{0o644: true, 0o600: false} {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		out := apitest.Must(os.Create(file))(t)
		if err := out.Chmod(mode); err != nil {
			t.Fatal(err)
		}
		export := exec.CommandContext(t.Context(), apitest.Program(t), append([]string{"export", "-", "--with-credentials"}, p.Args...)...)
		var log strings.Builder
		export.Stdout, export.Stderr = out, &log
		err := export.Run()
		out.Close()
		if got := strings.Contains(log.String(), "other users can read the file"); err != nil || got != want {
			t.Errorf("mode %v: got error %v and %q, want it to say that others can read the file: %t", mode, err, log.String(), want)
		}
	}
}
