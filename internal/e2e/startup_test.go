package e2e

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestServerRefusesToStart starts servers that cannot work: each says why in one
// line, and exits.
func TestServerRefusesToStart(t *testing.T) {
	t.Parallel()
	held := apitest.Embedded(t.TempDir())
	holder := apitest.Start(t, held)
	ann := apitest.RegisterAll(t, holder.URL, "Ann")[0]
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := apitest.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer taken.Close()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		exit int
		says string
	}{
		{"an unknown flag", nil, []string{"--colour", "red"}, 2, "unknown flag --colour"},
		{"a variable that is no number", []string{"CHIRP_CELEBRITY_THRESHOLD=many"}, nil, 2, "CHIRP_CELEBRITY_THRESHOLD"},
		{"a MongoDB that is no replica set", nil, []string{"--mongodb-uri", mongotest.StartPlain(t).URI()}, 1, "replSet"},
		{"a MongoDB URI that is none", nil, []string{"--mongodb-uri", "postgres://localhost"}, 1, "mongodb://host:27017"},
		{"a folder that another server holds", nil, held.Args, 1, "is held by another server"},
		{"a folder that is a file", nil, []string{"--data", file}, 1, "is a file; name a folder with --data"},
		{"a folder inside of a file", nil, []string{"--data", filepath.Join(file, "data")}, 1, "not a directory"},
		{"a folder that is not writable", nil, []string{"--data", notWritable(t)}, 1, "is not writable"},
		{"a log that is text", nil, []string{"--data", withLog(t, bytes.Repeat([]byte("not a database "), 1000))}, 1, "log.db is not a database"},
		{"a log that is damaged", nil, []string{"--data", withLog(t, damagedLog(t))}, 1, "log.db is damaged"},
		{"trusted documents that are not there", nil, []string{"--data", t.TempDir(), "--trusted-documents", "nowhere.json"}, 1, "nowhere.json"},
		{"a trusted document that is not valid", nil, []string{"--data", t.TempDir(), "--trusted-documents", manifestOf(t, "{ nope }")}, 1, documentID("{ nope }")},
		{"an address in use", nil, []string{"--data", t.TempDir(), "--addr", taken.Addr().String()}, 1, "address already in use"},
		{"an address that is none", nil, []string{"--data", t.TempDir(), "--addr", "nowhere"}, 1, "missing port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"--addr", "127.0.0.1:0"}, c.args...)
			p, _ := apitest.Spawn(t, c.env, args...)
			t.Cleanup(p.Kill)
			if code := p.Exit(t); code != c.exit {
				t.Errorf("got exit code %d, want %d", code, c.exit)
			}
			got := complaints(p.Log.String())
			if len(got) != 1 || !strings.HasPrefix(got[0], "chirp: ") || !strings.Contains(got[0], c.says) {
				t.Errorf("got %q, want one line with %q", got, c.says)
			}
		})
	}
	if _, err := ann.At(holder.URL).Post(t.Context(), "still here", ""); err != nil {
		t.Errorf("post to the server that holds the folder: %v", err)
	}
}

// complaints returns the lines that are not log lines.
func complaints(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "time=") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// notWritable returns a folder that not even root can write to.
func notWritable(t testing.TB) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return "/proc"
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	return dir
}

func withLog(t testing.TB, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// damagedLog returns a server's log.db with a part overwritten.
func damagedLog(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	s := apitest.Start(t, apitest.Embedded(dir))
	apitest.RegisterAll(t, s.URL, "Ann")
	s.Terminate(t)
	data := apitest.Must(os.ReadFile(filepath.Join(dir, "log.db")))(t)
	for i := len(data) / 2; i < len(data)/2+4096; i++ {
		data[i] = 0xA5
	}
	return data
}
