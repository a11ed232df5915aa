package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"chirp/internal/apitest"
)

// The ids of two users other than root: one who owns a data folder, and one who
// does not.
const (
	serviceUID = 65534
	otherUID   = 1
)

// household is a data folder that belongs to the user of a service, and the program
// in a place where every user can run it. Unless the test runs as root, its own user
// is the only one, and what needs two users is not tested.
type household struct{ program, dir string }

func newHousehold(t *testing.T) household {
	t.Helper()
	base := t.TempDir()
	h := household{filepath.Join(base, "chirp"), filepath.Join(base, "data")}
	for _, dir := range []string{filepath.Dir(base), base} { // others must get there
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := apitest.Must(os.ReadFile(apitest.Program(t)))(t)
	// A program that is open for writing cannot be started. A process that a
	// parallel test starts inherits the file for a moment, unless it has to wait.
	syscall.ForkLock.RLock()
	err := os.WriteFile(h.program, program, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	h.folder(t, h.dir)
	return h
}

// folder makes an empty folder that belongs to the service's user.
func (h household) folder(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if isRoot() {
		if err := os.Chown(dir, serviceUID, serviceUID); err != nil {
			t.Fatal(err)
		}
	}
}

func isRoot() bool { return os.Geteuid() == 0 }

// command returns a command of the program, run by a user if there are several.
func (h household) command(uid uint32, args ...string) *exec.Cmd {
	cmd := exec.Command(h.program, args...)
	if isRoot() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
	}
	return cmd
}

// serve starts a server on the folder as a user, and waits until it is ready.
func (h household) serve(t *testing.T, uid uint32) *apitest.Process {
	t.Helper()
	server, listening := apitest.SpawnWith(t, h.command(uid, "--data", h.dir, "--addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--rate-limit", "0"), nil)
	url, ok := <-listening
	if !ok {
		t.Fatalf("the server ended at once: %s", server.Log.String())
	}
	server.URL = url
	apitest.Ready(t, url)
	return server
}

// run runs a command as a user to its end.
func (h household) run(t *testing.T, uid uint32, args ...string) (text string, exit int) {
	t.Helper()
	p, _ := apitest.SpawnWith(t, h.command(uid, args...), nil)
	t.Cleanup(p.Kill)
	exit = p.Exit(t)
	return p.Log.String(), exit
}

func (h household) mustRun(t *testing.T, uid uint32, args ...string) {
	t.Helper()
	if text, exit := h.run(t, uid, args...); exit != 0 {
		t.Fatalf("%s as user %d: got exit code %d and %s", args, uid, exit, text)
	}
}

// wantOwned checks that every file of the folder belongs to the service's user.
func (h household) wantOwned(t *testing.T, after string) {
	t.Helper()
	want := os.Geteuid()
	if isRoot() {
		want = serviceUID
	}
	for _, e := range apitest.Must(os.ReadDir(h.dir))(t) {
		info, err := e.Info()
		if err != nil {
			continue // a temporary one
		}
		if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != want || int(s.Gid) != want && isRoot() {
			t.Errorf("after %s: %s belongs to user %d and group %d, want %d", after, e.Name(), s.Uid, s.Gid, want)
		}
	}
}

func TestCommandsOfRootLeaveTheFolderToItsOwner(t *testing.T) {
	t.Parallel()
	const root = 0
	h := newHousehold(t)
	if !isRoot() {
		t.Log("this test does not run as root: there is one user only")
	}
	server := h.serve(t, serviceUID)
	ann := apitest.RegisterAll(t, server.URL, "ann")[0]
	kept := filepath.Join(filepath.Dir(h.dir), "log.jsonl.gz")
	for _, args := range [][]string{{"rebuild", "--data", h.dir}, {"verify", "--data", h.dir}, {"export", "--with-credentials", "--data", h.dir, kept}} {
		apitest.PostAll(t, ann.At(server.URL), "before "+args[0])
		h.mustRun(t, root, args...)
		h.wantOwned(t, args[0]+" beside a server")
		reader := ann.At(server.URL)
		reader.ReadAfter = apitest.Must(reader.Post(t.Context(), "after "+args[0], ""))(t).Position
		if _, err := reader.Page(t.Context(), 1, ""); err != nil {
			t.Errorf("a feed after %s: %v", args[0], err)
		}
	}
	server.Terminate(t)
	for _, args := range [][]string{{"verify", "--data", h.dir}, {"rebuild", "--data", h.dir}, {"export", "--data", h.dir, kept + ".2"}} {
		h.mustRun(t, root, args...)
		h.wantOwned(t, args[0]+" without a server")
	}
	for _, uid := range []uint32{root, serviceUID} { // the superuser serves once
		server = h.serve(t, uid)
		apitest.PostAll(t, ann.At(server.URL), "served by another")
		h.wantOwned(t, "serving")
		server.Terminate(t)
	}
	h.dir = filepath.Join(filepath.Dir(h.dir), "imported")
	h.folder(t, h.dir)
	h.mustRun(t, root, "import", "--data", h.dir, kept, "--with-token-secret")
	h.wantOwned(t, "import")
	server = h.serve(t, serviceUID)
	apitest.PostAll(t, ann.At(server.URL), "goes on in the copy")
	server.Terminate(t)
}

func TestFileOfAnotherUserIsReportedWithAdvice(t *testing.T) {
	t.Parallel()
	if !isRoot() {
		t.Log("this test does not run as root and cannot make files of others: nothing is tested")
		return
	}
	h := newHousehold(t)
	server := h.serve(t, serviceUID)
	apitest.RegisterAll(t, server.URL, "ann")
	server.Terminate(t)
	for _, name := range []string{"log.db", "views-1.db", "views", "lock"} {
		path := filepath.Join(h.dir, name)
		if err := os.Chown(path, 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		text, exit := h.run(t, serviceUID, "--data", h.dir, "--addr", "127.0.0.1:0")
		said := complaints(text)
		if exit != 1 || len(said) != 1 || !strings.Contains(said[0], path+" belongs to root") {
			t.Fatalf("%s is root's: got exit code %d and %q, want 1 and one line that says so", name, exit, said)
		}
		h.giveBack(t, said[0])
		h.serve(t, serviceUID).Terminate(t)
	}
	server = h.serve(t, serviceUID)
	if err := os.Chown(filepath.Join(h.dir, "views"), 0, 0); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitProbe(t, server.Ops, http.StatusServiceUnavailable, filepath.Join(h.dir, "views")+" belongs to root")
	_, said, err := apitest.Probe(t.Context(), server.Ops+"/readyz")
	if err != nil {
		t.Fatal(err)
	}
	h.giveBack(t, said)
	apitest.Ready(t, server.URL)
	server.Terminate(t)
	// Another user must not be able to leave files that the server cannot use.
	if err := os.Chmod(h.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	before := names(t, h.dir)
	text, exit := h.run(t, otherUID, "rebuild", "--data", h.dir)
	advice := regexp.MustCompile(`run it as (\S+)`).FindStringSubmatch(text)
	if exit != 1 || advice == nil {
		t.Fatalf("rebuild by another user: got exit code %d and %q, want 1 and whom to run it as", exit, text)
	}
	if got := names(t, h.dir); !slices.Equal(got, before) {
		t.Errorf("it left %q, want %q", got, before)
	}
	if want := apitest.Must(exec.CommandContext(t.Context(), "id", "-nu", "65534").Output())(t); advice[1] != strings.TrimSpace(string(want)) {
		t.Errorf("it says to run it as %s, want %s", advice[1], want)
	}
	h.mustRun(t, serviceUID, "rebuild", "--data", h.dir)
}

func TestModeThatExcludesTheOwnerIsReportedWithAdvice(t *testing.T) {
	t.Parallel()
	if !isRoot() {
		t.Log("this test does not run as root: there is one user only")
	}
	h := newHousehold(t)
	h.serve(t, serviceUID).Terminate(t)
	for _, name := range []string{"log.db", "views-1.db", "views", "lock", ""} {
		path := filepath.Join(h.dir, name)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		text, exit := h.run(t, serviceUID, "--data", h.dir, "--addr", "127.0.0.1:0")
		said := complaints(text)
		if exit != 1 || len(said) != 1 || !strings.Contains(said[0], path+" belongs to") || strings.Contains(said[0], "chown") {
			t.Fatalf("%s is closed to all: got exit code %d and %q, want 1 and one line that says so", path, exit, said)
		}
		advice := regexp.MustCompile(`(chmod -R \S+) ` + regexp.QuoteMeta(h.dir)).FindStringSubmatch(said[0])
		if advice == nil {
			t.Fatalf("got %q, want a command that repairs it", said)
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", advice[0]).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v, %s", advice[0], err, out)
		}
		h.serve(t, serviceUID).Terminate(t)
	}
}

// giveBack follows the advice to return the folder's files to their owner.
func (h household) giveBack(t *testing.T, said string) {
	t.Helper()
	follow := regexp.MustCompile(`as root, give the folder's files back: (chown -R \S+ ` + regexp.QuoteMeta(h.dir) + `)`).FindStringSubmatch(said)
	if follow == nil {
		t.Fatalf("got %q, want a command that repairs it", said)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", follow[1]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v, %s", follow[1], err, out)
	}
}

// names returns the names of a folder's files.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, e := range apitest.Must(os.ReadDir(dir))(t) {
		names = append(names, e.Name())
	}
	return names
}
