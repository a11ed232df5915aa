package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"golang.org/x/sys/unix"
)

// TestReadOnlyFileSystemIsReported mounts the file system of a data folder
// read-only, after a server stopped and after one died, and follows the advice.
func TestReadOnlyFileSystemIsReported(t *testing.T) {
	t.Parallel()
	for name, died := range map[string]bool{"stopped": false, "died": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t, "32m")
			if disk == "" {
				return
			}
			dir := filepath.Join(disk, "data")
			s := apitest.Start(t, apitest.Embedded(dir))
			apitest.RegisterAll(t, s.URL, "ann", "bob")
			if died {
				s.Kill()
			} else {
				s.Terminate(t)
			}
			if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"verify", "export", "serve", "rebuild"} {
				e := apitest.Embedded(dir).Command(t, command)
				if died && e.Code == 0 && (command == "verify" || command == "export") {
					continue // the files that SQLite needs are there
				}
				if e.Code != 1 || e.Out != "" || !strings.Contains(e.Log, dir+" is on a read-only file system") || strings.Contains(e.Log, "permissions") {
					t.Errorf("%s: exit code %d, output %q, log %q; want 1 and that the file system is read-only", command, e.Code, e.Out, e.Log)
				}
			}
			moved := filepath.Join(t.TempDir(), "copy") // as verify and export advise
			if err := os.CopyFS(moved, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			apitest.Embedded(moved).Export(t, "--with-credentials")
			s = apitest.Start(t, apitest.Embedded(moved))
			wantSound(t, apitest.Embedded(moved))
			s.Terminate(t)
			if err := unix.Mount("", disk, "", unix.MS_REMOUNT, ""); err != nil { // as serve and rebuild advise
				t.Fatal(err)
			}
			s = apitest.Start(t, apitest.Embedded(dir))
			wantSound(t, apitest.Embedded(dir))
			s.Terminate(t)
		})
	}
}

// TestReadOnlyFolderIsReported runs commands that only read, in a folder that they may
// read but not write to, and follows the advice. What needs two users is tested only
// as root.
func TestReadOnlyFolderIsReported(t *testing.T) {
	t.Parallel()
	h := newHousehold(t)
	s := h.serve(t, serviceUID)
	apitest.RegisterAll(t, s.URL, "ann")
	s.Terminate(t)
	for _, args := range [][]string{{"verify", "--data", h.dir}, {"export", "--data", h.dir}} {
		for _, file := range apitest.Must(os.ReadDir(h.dir))(t) { // they are private
			if err := os.Chmod(filepath.Join(h.dir, file.Name()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, exit := h.run(t, otherUID, args...)
		if isRoot() && (exit != 1 || !strings.Contains(text, h.dir+" may not be written by ") || !strings.Contains(text, "run it as ")) {
			t.Errorf("%s as another user: exit code %d, %q; want 1, and that the folder may not be written", args[0], exit, text)
		}
		h.mustRun(t, serviceUID, args...) // as it was advised
	}
	if err := os.Chmod(h.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	text, exit := h.run(t, serviceUID, "verify", "--data", h.dir)
	advice := regexp.MustCompile(`chmod u\+w (\S+)`).FindStringSubmatch(text)
	if exit != 1 || !strings.Contains(text, "forbids writing") || advice == nil || advice[1] != h.dir {
		t.Fatalf("verify in a folder without the right to write: exit code %d, %q; want 1 and how to change that", exit, text)
	}
	if out, err := exec.CommandContext(t.Context(), "chmod", "u+w", advice[1]).CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	h.mustRun(t, serviceUID, "verify", "--data", h.dir)
}
