package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"chirp/internal/apitest"

	"golang.org/x/sys/unix"
)

// fullDisks returns embedded stores that run out of space: by a limit on the size
// of files and, where the test may mount a small file system, on a full one.
func fullDisks(t *testing.T) map[string]fullStore {
	dir := t.TempDir()
	stores := map[string]fullStore{"a file may not grow": {
		place: apitest.Embedded(dir),
		fill:  func(t *testing.T, server *apitest.Process) { limitFileSize(t, server, sizeOf(t, dir)) },
		free:  func(t *testing.T, server *apitest.Process) { limitFileSize(t, server, unix.RLIM_INFINITY) },
		says:  "the data folder cannot be read or written",
	}}
	if small := smallDisk(t, "4m"); small != "" {
		filler := filepath.Join(small, "filler")
		stores["the disk is full"] = fullStore{
			place: apitest.Embedded(filepath.Join(small, "data")),
			fill:  func(t *testing.T, _ *apitest.Process) { filled(t, filler) },
			free:  func(t *testing.T, _ *apitest.Process) { remove(t, filler) },
			says:  "the disk with the data folder is full",
		}
	}
	return stores
}

// smallDisk mounts a file system of a size. It returns "" if it may not.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("no small file system can be mounted here (%v): what needs one is not tested", err)
		return ""
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		_ = os.Remove(dir)
	})
	return dir
}

// limitFileSize limits the size of the files that a process writes.
func limitFileSize(t *testing.T, server *apitest.Process, size uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Prlimit(server.Cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(size, limit.Max)
	if err := unix.Prlimit(server.Cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}
