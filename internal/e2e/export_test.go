package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/archive"
	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
	"chirp/internal/storage/mongodb/mongotest"
)

// betweenStores runs a test from each kind of store to the other.
func betweenStores(t *testing.T, test func(t *testing.T, from, to apitest.Place)) {
	t.Run("embedded to mongodb", func(t *testing.T) {
		t.Parallel()
		test(t, apitest.Embedded(t.TempDir()), apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t)))
	})
	t.Run("mongodb to embedded", func(t *testing.T) {
		t.Parallel()
		test(t, apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t)), apitest.Embedded(t.TempDir()))
	})
}

func content(t testing.TB, file string) string {
	t.Helper()
	return string(apitest.Must(os.ReadFile(file))(t))
}

// society has three users register, follow and post on a server, each post
// under a command id of its own.
func society(t testing.TB, url string) []apitest.User {
	t.Helper()
	users := apitest.RegisterAll(t, url, "Ann", "Bob", "Cid")
	ann, bob, cid := users[0].At(url), users[1].At(url), users[2].At(url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, "follow-bob"))(t)
	apitest.Must(ann.Follow(t.Context(), users[2].ID, ""))(t)
	apitest.Must(cid.Follow(t.Context(), users[1].ID, ""))(t)
	for i := range 6 {
		apitest.Must(bob.Post(t.Context(), fmt.Sprintf("<b>Bob & ☃ %d</b>\nand \"more\" \\ 👩‍🚀", i), fmt.Sprint("bob-", i)))(t)
		apitest.Must(cid.Post(t.Context(), fmt.Sprint("Cid ", i), fmt.Sprint("cid-", i)))(t)
	}
	apitest.Must(cid.Unfollow(t.Context(), users[1].ID, ""))(t)
	return users
}

func TestALogMovesToAnotherStore(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		old := apitest.Launch(t, from)
		apitest.Ready(t, old.URL)
		users := society(t, old.URL)
		ann, bob := users[0], users[1]
		first := apitest.Must(bob.At(old.URL).Post(t.Context(), "the last one", "last"))(t)
		reader := ann.At(old.URL)
		reader.ReadAfter = first.Position
		want := apitest.Must(reader.Feed(t.Context(), 100))(t)
		file := from.Export(t, "--with-credentials")
		apitest.Must(bob.At(old.URL).Post(t.Context(), "after the export", ""))(t)
		old.Terminate(t)

		before := apitest.Launch(t, to) // a new store may have been served already
		apitest.Ready(t, before.URL)
		before.Terminate(t)
		to.Import(t, file, "--with-token-secret")
		moved := apitest.Launch(t, to)
		apitest.Ready(t, moved.URL)
		reader = apitest.API{URL: moved.URL, Token: ann.Token, ReadAfter: first.Position}
		got := apitest.Must(reader.Feed(t.Context(), 3))(t)
		if !slices.Equal(got, want) {
			t.Errorf("feed with the old token: got %v, want %v", got, want)
		}
		older := apitest.Must(reader.Page(t.Context(), 100, want[4].Cursor))(t)
		if !slices.Equal(older.Edges, want[5:]) {
			t.Errorf("feed after an old cursor: got %q, want %q", apitest.Contents(older.Edges), apitest.Contents(want[5:]))
		}
		again := apitest.Must(bob.At(moved.URL).Post(t.Context(), "the last one", "last"))(t)
		if again != first {
			t.Errorf("post repeated: got %v, want the first answer %v", again, first)
		}
		if _, err := bob.At(moved.URL).Post(t.Context(), "something else", "last"); apitest.Code(err) != "CONFLICT" {
			t.Errorf("another post under an old command id: got %v, want CONFLICT", err)
		}
		apitest.Must(apitest.API{URL: moved.URL}.LogIn(t.Context(), "cid", apitest.Password))(t)
		if _, err := (apitest.API{URL: moved.URL}).Register(t.Context(), "ANN"); apitest.Code(err) != "USERNAME_TAKEN" {
			t.Errorf("registration under a name that is taken: got %v, want USERNAME_TAKEN", err)
		}
		resumed(t, reader, bob.At(moved.URL), want)
		wantOracle(t, to, moved.URL, users)
	})
}

// resumed checks that a subscription resumes after a cursor of the old store.
func resumed(t testing.TB, reader, author apitest.API, feed []apitest.Edge) {
	t.Helper()
	s := apitest.Must(reader.Connect(t.Context()))(t)
	defer s.Close()
	if err := s.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": feed[2].Cursor}); err != nil {
		t.Fatal(err)
	}
	apitest.Must(author.Post(t.Context(), "on the new store", ""))(t)
	want := []string{feed[1].Node.Content, feed[0].Node.Content, "on the new store"}
	if got := apitest.Contents(apitest.Take(t, s, 3)); !slices.Equal(got, want) {
		t.Errorf("subscription after an old cursor: got %q, want %q", got, want)
	}
}

// wantOracle compares every user's feed with the oracle's.
func wantOracle(t testing.TB, p apitest.Place, url string, users []apitest.User) {
	t.Helper()
	events := p.Events(t)
	oracle := apitest.Must(projectortest.Read(events))(t)
	for _, u := range users {
		reader := u.At(url)
		reader.ReadAfter = fmt.Sprint(len(events))
		var want []string
		for _, c := range oracle.Feed(domain.UserID(u.ID)) {
			want = append(want, string(c.Content))
		}
		if got := apitest.Contents(apitest.Must(reader.Feed(t.Context(), 100))(t)); !slices.Equal(got, want) {
			t.Errorf("feed of %s: got %q, want %q", u.Username, got, want)
		}
	}
}

// anyLog is an archive of events that no server writes today, and that chirp import
// refuses. A store may hold them if newer versions of the program share it.
const anyLog = `{"chirp":"log","format":1,"epoch":"any","head":3,"access":false}
{"position":1,"stream":"a:<&>","version":1,"type":"some.thing.v7","data":{"z":[1.50,1e3,-0.0,9007199254740993,0.1,12345678901234567890.5],"a":"\u0041<>&\u2028\ud83d\ude00\/\u0001\n","":{"$x":null,"a.b":[true,false,{}]}},"recordedAt":"2024-05-17T01:02:03.004Z","actor":"☃","commandId":"one","traceId":"t","command":{"fingerprint":"f","events":2}}
{"position":2,"stream":"b","version":1,"type":"some.thing.v7","data":{ },"recordedAt":"2024-05-17T01:02:03.004Z","actor":"☃","commandId":"one"}
{"position":3,"stream":"a:<&>","version":2,"type":"t","data":{"b":1,"a":2},"recordedAt":"2024-05-17T01:02:03Z","actor":"☃","commandId":"two","command":{"fingerprint":"f","events":1}}
`

func TestExportIsTheSameFromEveryStore(t *testing.T) {
	t.Parallel()
	served := apitest.Embedded(t.TempDir())
	s := apitest.Start(t, served)
	society(t, s.URL)
	file := filepath.Join(t.TempDir(), "any.jsonl")
	if err := os.WriteFile(file, []byte(anyLog), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"a served log": served.Export(t), "any log": file} {
		one, two, three := apitest.Embedded(t.TempDir()), apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t)), apitest.Embedded(t.TempDir())
		importAny(t, one, file)
		want := one.Export(t)
		if name == "a served log" && content(t, want) != content(t, file) {
			t.Errorf("%s: the export of the import differs from the export", name)
		}
		importAny(t, two, want)
		importAny(t, three, two.Export(t))
		for store, p := range map[string]apitest.Place{"the same store again": one, "MongoDB": two, "an embedded store again": three} {
			if got := content(t, p.Export(t)); got != content(t, want) {
				t.Errorf("%s exported from %s: got\n%s, want\n%s", name, store, got, content(t, want))
			}
		}
	}
}

// importAny imports the log of a file into a place, whatever its events are.
func importAny(t testing.TB, p apitest.Place, file string) {
	t.Helper()
	r := apitest.Must(archive.NewReader(strings.NewReader(content(t, file))))(t)
	store := p.OpenToWrite(t, true)
	if err := errors.Join(store.Log().Import(t.Context(), r.Header.Epoch, r.Events()), store.Close()); err != nil {
		t.Fatalf("Import: %v", err)
	}
}

func TestExportFiles(t *testing.T) {
	t.Parallel()
	p := apitest.Embedded(t.TempDir())
	s := apitest.Start(t, p)
	society(t, s.URL)
	plain := content(t, p.Export(t))
	for _, args := range [][]string{{"export"}, {"export", "-"}} {
		if e := p.Command(t, args...); e.Code != 0 || e.Out != plain || !strings.Contains(e.Log, "Exported") {
			t.Errorf("%s to standard output: exit code %d, got %d bytes, want the %d of the file; log:\n%s", args, e.Code, len(e.Out), len(plain), e.Log)
		}
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("export - wrote a file of that name")
	}
	dir := t.TempDir()
	for range 2 { // the second replaces the first
		file := filepath.Join(dir, "log.jsonl.gz")
		if e := p.Command(t, "export", file, "--with-credentials"); e.Code != 0 || !strings.Contains(e.Log, "Exported") {
			t.Fatalf("export: exit code %d, log:\n%s", e.Code, e.Log)
		}
		if info := apitest.Must(os.Stat(file))(t); info.Mode().Perm() != 0o600 {
			t.Errorf("mode: got %v, want that of a file for its owner alone", info.Mode())
		}
		if entries := apitest.Must(os.ReadDir(dir))(t); len(entries) != 1 {
			t.Errorf("the folder: got %v, want the export alone", entries)
		}
	}
	r := apitest.Must(archive.NewReader(bytes.NewReader(apitest.Must(os.ReadFile(filepath.Join(dir, "log.jsonl.gz")))(t))))(t)
	n := 0
	for secrets, err := range r.Accounts() {
		if n += len(secrets.Credentials); err != nil || len(secrets.TokenSecret) == 0 {
			t.Errorf("credentials: got secret %q, error %v; want the store's", secrets.TokenSecret, err)
		}
	}
	if n != 3 || strings.Contains(plain, "argon2") {
		t.Errorf("credentials: got %d with --with-credentials, and %t without, want 3 and none", n, strings.Contains(plain, "argon2"))
	}
	none := filepath.Join(t.TempDir(), "none")
	if e := apitest.Embedded(none).Command(t, "export", filepath.Join(dir, "x")); e.Code != 1 || !strings.Contains(e.Log, none) {
		t.Errorf("export of a folder that is not there: exit code %d, log %q; want 1 and its name", e.Code, e.Log)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("export made the folder that was not there")
	}
}

func TestImportForks(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		old := apitest.Launch(t, from)
		apitest.Ready(t, old.URL)
		users := society(t, old.URL)
		reader := users[0].At(old.URL)
		reader.ReadAfter = fmt.Sprint(len(from.Events(t)))
		want := apitest.Must(reader.Feed(t.Context(), 100))(t)
		to.Import(t, from.Export(t, "--with-credentials"), "--new-epoch", "--with-token-secret")
		fork := apitest.Launch(t, to)
		apitest.Ready(t, fork.URL)
		reader.URL = fork.URL
		if got := apitest.Must(reader.Feed(t.Context(), 100))(t); !slices.Equal(apitest.Contents(got), apitest.Contents(want)) {
			t.Errorf("feed of the fork: got %q, want %q", apitest.Contents(got), apitest.Contents(want))
		}
		if _, err := reader.Page(t.Context(), 10, want[0].Cursor); apitest.Code(err) != "CURSOR_INVALID" {
			t.Errorf("page after a cursor of the old log: got %v, want CURSOR_INVALID", err)
		}
	})
}

func TestImportRefusesAndChangesNothing(t *testing.T) {
	source := apitest.Embedded(t.TempDir())
	s := apitest.Start(t, source)
	society(t, s.URL)
	good := content(t, source.Export(t, "--with-credentials"))
	lines := strings.SplitAfter(good, "\n")
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		refused := func(name, text, says string, args ...string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			e := p.Command(t, slices.Concat([]string{"import", file}, args)...)
			log := regexp.MustCompile("(?m)^"+regexp.QuoteMeta(file)+" holds .*\n").ReplaceAllString(e.Log, "")
			if e.Code != 1 || !strings.Contains(log, says) || strings.Count(log, "\n") != 1 {
				t.Errorf("import %s: exit code %d, log %q; want 1 and one line that says %q", name, e.Code, e.Log, says)
			}
		}
		for name, c := range map[string]struct{ text, says string }{
			"cut off in a line":        {good[:len(good)-40], "malformed"},
			"short of its last events": {strings.Join(lines[:len(lines)-4], ""), "cut off"},
			"with a gap":               {strings.Join(slices.Delete(slices.Clone(lines), 9, 10), ""), "line 10"},
			"cut off amid credentials": {strings.Join(lines[:3], ""), "cut off"},
			"with a version twice":     {strings.Replace(good, `"version":2`, `"version":1`, 1), "version"},
		} {
			refused(name, c.text, c.says)
			wantEmpty(t, p)
		}
		refused("of something else", "hello\n", "not an export")
		if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		p.Import(t, file, "--with-token-secret")
		before := p.Export(t, "--with-credentials")
		refused("into a log with events", good, "not empty")
		refused("as a fork into a log with events", good, "not empty", "--new-epoch")
		if got := content(t, p.Export(t, "--with-credentials")); got != content(t, before) || got != good {
			t.Error("an import that was refused has changed the log or the credentials")
		}
		running := apitest.Launch(t, p)
		apitest.Ready(t, running.URL)
		refused("beside a running server", good, map[bool]string{true: "held by another server", false: "servers use the database"}[p.Args[0] == "--data"])
	})
}

// wantEmpty checks that a place has neither events nor credentials.
func wantEmpty(t testing.TB, p apitest.Place) {
	t.Helper()
	store := apitest.Must(p.Open(t.Context()))(t)
	defer func() { _ = store.Close() }()
	if head, err := store.Log().Head(t.Context()); err != nil || head.Position != 0 {
		t.Errorf("Head: got %+v, error %v; want an empty log", head, err)
	}
	for c, err := range store.Credentials().All(t.Context()) {
		t.Errorf("All: got the credential of %s, error %v; want none", c.User, err)
	}
	if secret, err := store.Credentials().Secret(t.Context(), nil); err != nil || len(secret) > 0 {
		t.Errorf("Secret: got %d bytes, error %v; want none", len(secret), err)
	}
}

func TestImportThatIsKilledLeavesNothing(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := manyEvents(5000)
		importing, _ := apitest.Spawn(t, nil, slices.Concat([]string{"import", pipe}, p.Args)...)
		out := apitest.Must(os.OpenFile(pipe, os.O_WRONLY, 0))(t)
		if _, err := out.WriteString(whole[:len(whole)-1000]); err != nil { // returns once nearly all was read
			t.Fatal(err)
		}
		importing.Kill()
		out.Close()
		wantEmpty(t, p)
		file := filepath.Join(t.TempDir(), "whole")
		if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		p.Import(t, file)
		if got := content(t, p.Export(t)); got != whole {
			t.Errorf("export of the second import: got %d bytes, want the %d of the file", len(got), len(whole))
		}
	})
}

// manyEvents is an archive of a user and of n chirps by them.
func manyEvents(n int) string {
	var file strings.Builder
	const rest = `"recordedAt":"2024-05-17T01:02:03.004Z","actor":"%s","commandId":"%d"`
	user := string(domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80}))
	fmt.Fprintf(&file, `{"chirp":"log","format":1,"epoch":"many","head":%d,"access":false}`+"\n", n+2)
	fmt.Fprintf(&file, `{"position":1,"stream":"user:%s","version":1,"type":"user.registered.v1","data":{"userId":"%[1]s","username":"Ann"},`+rest+`,"command":{"fingerprint":"f","events":2}}`+"\n", user, "ann", 0)
	fmt.Fprintf(&file, `{"position":2,"stream":"username:ann","version":1,"type":"username.reserved.v1","data":{"userId":"%s","username":"Ann"},`+rest+"}\n", user, "ann", 0)
	for i := 1; i <= n; i++ {
		id := domain.ChirpIDFrom([16]byte{6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)})
		fmt.Fprintf(&file, `{"position":%d,"stream":"chirp:%s","version":1,"type":"chirp.posted.v1","data":{"chirpId":"%[2]s","authorId":"%s","content":"chirp"},`+rest+`,"command":{"fingerprint":"f","events":1}}`+"\n", i+2, id, user, user, i)
	}
	return file.String()
}
