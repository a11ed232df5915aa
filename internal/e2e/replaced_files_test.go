package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

// These tests remove or replace the files of an embedded store while a server
// has them open: the server must not acknowledge a post that the next start does
// not find.

// folder is a data folder with a server on it, and a copy that was taken when
// it had one chirp, "kept".
type folder struct {
	dir, copied string
	server      *apitest.Process
	ann         apitest.API
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{dir: filepath.Join(t.TempDir(), "data"), copied: filepath.Join(t.TempDir(), "copy")}
	f.start(t)
	f.ann = apitest.RegisterAll(t, f.server.URL, "ann")[0].At(f.server.URL)
	apitest.Must(f.ann.Post(t.Context(), "kept", ""))(t)
	f.server.Terminate(t)
	if err := os.CopyFS(f.copied, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	f.start(t)
	return f
}

// start starts a server on the folder.
func (f *folder) start(t *testing.T) {
	t.Helper()
	f.server = apitest.Launch(t, apitest.Embedded(f.dir))
	apitest.Ready(t, f.server.URL)
	f.ann.URL = f.server.URL
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// chirps returns the contents of ann's chirps, oldest first.
func (f *folder) chirps(t *testing.T) []string {
	t.Helper()
	var got struct {
		User struct {
			Chirps struct{ Edges []apitest.Edge }
		}
	}
	var texts []string
	if err := f.ann.Do(t.Context(), `{ user(username: "ann") { chirps(first: 100) { edges { node { content } } } } }`, nil, &got); err != nil {
		t.Fatal(err)
	}
	texts = apitest.Contents(got.User.Chirps.Edges)
	slices.Reverse(texts)
	return texts
}

// chirpCount returns how many chirps ann has, as the views count them.
func (f *folder) chirpCount(t *testing.T) int {
	t.Helper()
	var got struct{ User struct{ ChirpCount int } }
	if err := f.ann.Do(t.Context(), `{ user(username: "ann") { chirpCount } }`, nil, &got); err != nil {
		t.Fatal(err)
	}
	return got.User.ChirpCount
}

// putCopy replaces the files of the log by the copy.
func putCopy(t *testing.T, f *folder) {
	t.Helper()
	remove(t, f.path("log.db"), f.path("log.db-wal"), f.path("log.db-shm"))
	overwrite(t, filepath.Join(f.copied, "log.db"), f.path("log.db"))
}

// overwrite copies a file as cp does.
func overwrite(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, apitest.Must(os.ReadFile(from))(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestNoPostIsAcknowledgedIntoALostFile(t *testing.T) {
	for _, c := range []struct {
		name string
		// harm is done while the server runs.
		harm func(t *testing.T, f *folder)
		says string
		// restart reports whether the server must be stopped before repair follows
		// the advice, and started again after it.
		restart bool
		repair  func(t *testing.T, f *folder)
		// lost reports whether only the copy is left.
		lost bool
	}{
		{
			"the log is deleted",
			func(t *testing.T, f *folder) { remove(t, f.path("log.db"), f.path("log.db-wal"), f.path("log.db-shm")) },
			"log.db was deleted or moved away", true, putFolder, true,
		},
		{
			"the folder is moved away, and back",
			func(t *testing.T, f *folder) { rename(t, f.dir, f.dir+".away") },
			"move it and log.db-wal back", false,
			func(t *testing.T, f *folder) { rename(t, f.dir+".away", f.dir) }, false,
		},
		{
			"a copy stands in the place of the folder",
			func(t *testing.T, f *folder) { rename(t, f.dir, f.dir+".away"); rename(t, f.copied, f.dir) },
			"log.db was replaced by another file", true,
			func(t *testing.T, f *folder) { remove(t, f.path("log.db-wal"), f.path("log.db-shm")) }, true,
		},
		{
			"a copy stood in the place of the folder",
			func(t *testing.T, f *folder) { rename(t, f.dir, f.dir+".away"); rename(t, f.copied, f.dir) },
			"log.db was replaced by another file", false,
			func(t *testing.T, f *folder) { rename(t, f.dir, f.copied); rename(t, f.dir+".away", f.dir) }, false,
		},
		{
			"a copy is renamed over the log",
			func(t *testing.T, f *folder) { rename(t, filepath.Join(f.copied, "log.db"), f.path("log.db")) },
			"log.db was replaced by another file", true,
			func(t *testing.T, f *folder) { remove(t, f.path("log.db-wal"), f.path("log.db-shm")) }, true,
		},
		{
			"the write-ahead log is deleted",
			func(t *testing.T, f *folder) { remove(t, f.path("log.db-wal")) },
			"log.db-wal was deleted or moved away", true, nil, false,
		},
		{
			"the index of the write-ahead log is deleted",
			func(t *testing.T, f *folder) { remove(t, f.path("log.db-shm")) },
			"log.db-shm was deleted or moved away", true, nil, false,
		},
		{
			"a copy is written over the log",
			func(t *testing.T, f *folder) { overwrite(t, filepath.Join(f.copied, "log.db"), f.path("log.db")) },
			"log.db was overwritten", true, putCopy, true,
		},
		{
			"the log is truncated",
			func(t *testing.T, f *folder) {
				if err := os.Truncate(f.path("log.db"), 0); err != nil {
					t.Fatal(err)
				}
			},
			"log.db was overwritten", true, putCopy, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			want := []string{"kept"}
			for i := range 60 { // enough to fill pages of their own
				text := fmt.Sprint("post ", i)
				apitest.Must(f.ann.Post(t.Context(), text, ""))(t)
				if !c.lost {
					want = append(want, text)
				}
			}
			if strings.Contains(c.says, "overwritten") { // a copy that was made long after the last checkpoint is like the log
				f.server.Terminate(t)
				f.start(t)
			}
			c.harm(t, f)
			if strings.Contains(c.says, "-shm") { // no post is lost before that is noticed
				apitest.AwaitProbe(t, f.server.Ops, http.StatusServiceUnavailable, c.says)
			}
			_, err := f.ann.Post(t.Context(), "into nowhere", "")
			if apitest.Code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), "nothing is written") {
				t.Fatalf("a post to what is not there: got %v, want UNAVAILABLE and that nothing is written", err)
			}
			apitest.AwaitProbe(t, f.server.Ops, http.StatusServiceUnavailable, c.says)
			apitest.Eventually(t, "the server's log says why", func() bool { return strings.Contains(f.server.Log.String(), c.says) })
			if c.restart {
				f.server.Terminate(t)
			}
			if c.repair != nil {
				c.repair(t, f)
			}
			if c.restart {
				f.start(t)
			}
			apitest.Ready(t, f.server.URL)
			posted := apitest.Must(f.ann.Post(t.Context(), "goes on", ""))(t)
			f.ann.ReadAfter = posted.Position
			want = append(want, "goes on")
			if got := f.chirps(t); !slices.Equal(got, want) {
				t.Errorf("got chirps %q, want %q", got, want)
			}
		})
	}
}

// putFolder follows the advice to put a copy in the place of the folder.
func putFolder(t *testing.T, f *folder) {
	rename(t, f.dir, f.dir+".broken")
	rename(t, f.copied, f.dir)
}

// Views can be rebuilt from the log, and the server does so.
func TestRemovedViewsAreRebuilt(t *testing.T) {
	views := func(f *folder) []string {
		found, err := filepath.Glob(f.path("views-*.db*"))
		if err != nil {
			panic(err)
		}
		return found
	}
	for name, harm := range map[string]func(t *testing.T, f *folder){
		"deleted":                    func(t *testing.T, f *folder) { remove(t, views(f)...) },
		"without their file":         func(t *testing.T, f *folder) { remove(t, f.path("views-1.db")) },
		"without their write-ahead":  func(t *testing.T, f *folder) { remove(t, f.path("views-1.db-wal")) },
		"without the one that names": func(t *testing.T, f *folder) { remove(t, f.path("views")) },
		"all":                        func(t *testing.T, f *folder) { remove(t, append(views(f), f.path("views"))...) },
		"an older one written over them": func(t *testing.T, f *folder) {
			f.server.Terminate(t) // now their file has grown
			f.start(t)
			apitest.Eventually(t, "the projector is at work", func() bool { return strings.Contains(f.server.Log.String(), "projector: active") })
			overwrite(t, filepath.Join(f.copied, "views-1.db"), f.path("views-1.db"))
		},
		"older ones in their place": func(t *testing.T, f *folder) {
			remove(t, views(f)...)
			rename(t, filepath.Join(f.copied, "views-1.db"), f.path("views-1.db"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			const posts = 150
			for i := range posts {
				f.ann.ReadAfter = apitest.Must(f.ann.Post(t.Context(), fmt.Sprint("post ", i), ""))(t).Position
			}
			f.chirpCount(t)
			harm(t, f)
			apitest.Eventually(t, "the views are made again while nothing is posted", func() bool {
				return strings.Contains(f.server.Log.String(), "continues with another generation")
			})
			apitest.Ready(t, f.server.URL)
			if got := f.chirpCount(t); got != posts+1 {
				t.Errorf("got %d chirps, want %d", got, posts+1)
			}
			f.ann.ReadAfter = apitest.Must(f.ann.Post(t.Context(), "goes on", ""))(t).Position
			f.server.Terminate(t)
			f.start(t)
			if got := f.chirpCount(t); got != posts+2 {
				t.Errorf("after a restart: got %d chirps, want %d", got, posts+2)
			}
		})
	}
}

func TestRemovedLockIsTakenAgain(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	remove(t, f.path("lock"))
	apitest.Eventually(t, "the folder is locked again", func() bool {
		_, err := os.Stat(f.path("lock"))
		return err == nil && strings.Contains(f.server.Log.String(), "the folder is locked again")
	})
	second, _ := apitest.Spawn(t, nil, "--data", f.dir, "--addr", "127.0.0.1:0")
	t.Cleanup(second.Kill)
	if code := second.Exit(t); code != 1 || !strings.Contains(second.Log.String(), "is held by another server") {
		t.Errorf("a second server ended with exit code %d and %q, want 1 and that the folder is held", code, second.Log.String())
	}
	apitest.Must(f.ann.Post(t.Context(), "goes on", ""))(t)
}
