package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"chirp/internal/archive"
	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
	"chirp/internal/storage/mongodb/mongotest"
)

// betweenStores runs a test from each store to the other.
func betweenStores(t *testing.T, test func(t *testing.T, from, to place)) {
	t.Run("embedded to mongodb", func(t *testing.T) {
		t.Parallel()
		test(t, embedded(t.TempDir()), onMongoDB(mongotest.URI(t), mongotest.Database(t)))
	})
	t.Run("mongodb to embedded", func(t *testing.T) {
		t.Parallel()
		test(t, onMongoDB(mongotest.URI(t), mongotest.Database(t)), embedded(t.TempDir()))
	})
}

// command runs a command of the program on a place to its end.
func (p place) command(t testing.TB, args ...string) ended {
	t.Helper()
	return execute(t, slices.Concat(args, p.args)...)
}

// export exports a place to a new file, and gives its name.
func (p place) export(t testing.TB, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if e := p.command(t, slices.Concat([]string{"export", file}, args)...); e.code != 0 || e.out != "" {
		t.Fatalf("export: exit code %d, output %q, log:\n%s", e.code, e.out, e.log)
	}
	return file
}

func (p place) mustImport(t testing.TB, args ...string) {
	t.Helper()
	if e := p.command(t, slices.Concat([]string{"import"}, args)...); e.code != 0 {
		t.Fatalf("import: exit code %d, log:\n%s", e.code, e.log)
	}
}

func content(t testing.TB, file string) string {
	t.Helper()
	return string(must(os.ReadFile(file))(t))
}

// society lets three users register, follow and post on a server, each post
// under a command id of its own.
func society(t testing.TB, url string) []user {
	t.Helper()
	users := registerAll(t, url, "Ann", "Bob", "Cid")
	ann, bob, cid := users[0].at(url), users[1].at(url), users[2].at(url)
	must(ann.follow(t.Context(), users[1].ID, "follow-bob"))(t)
	must(ann.follow(t.Context(), users[2].ID, ""))(t)
	must(cid.follow(t.Context(), users[1].ID, ""))(t)
	for i := range 6 {
		must(bob.post(t.Context(), fmt.Sprintf("<b>Bob & ☃ %d</b>\nand \"more\" \\ 👩‍🚀", i), fmt.Sprint("bob-", i)))(t)
		must(cid.post(t.Context(), fmt.Sprint("Cid ", i), fmt.Sprint("cid-", i)))(t)
	}
	must(cid.unfollow(t.Context(), users[1].ID, ""))(t)
	return users
}

func TestALogMovesToAnotherStore(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to place) {
		old := launch(t, from)
		ready(t, old.url)
		users := society(t, old.url)
		ann, bob := users[0], users[1]
		first := must(bob.at(old.url).post(t.Context(), "the last one", "last"))(t)
		reader := ann.at(old.url)
		reader.readAfter = first.Position
		want := must(reader.feed(t.Context(), 100))(t)
		file := from.export(t, "--with-credentials")
		must(bob.at(old.url).post(t.Context(), "after the export", ""))(t)
		old.terminate(t)

		before := launch(t, to) // a new store may have been served already
		ready(t, before.url)
		before.terminate(t)
		to.mustImport(t, file)
		moved := launch(t, to)
		ready(t, moved.url)
		reader = api{url: moved.url, token: ann.Token, readAfter: first.Position}
		got := must(reader.feed(t.Context(), 3))(t)
		if !slices.Equal(got, want) {
			t.Errorf("feed with the old token: got %v, want %v", got, want)
		}
		older := must(reader.page(t.Context(), 100, want[4].Cursor))(t)
		if !slices.Equal(older.Edges, want[5:]) {
			t.Errorf("feed after an old cursor: got %q, want %q", contents(older.Edges), contents(want[5:]))
		}
		again := must(bob.at(moved.url).post(t.Context(), "the last one", "last"))(t)
		if again != first {
			t.Errorf("post repeated: got %v, want the first answer %v", again, first)
		}
		if _, err := bob.at(moved.url).post(t.Context(), "something else", "last"); code(err) != "CONFLICT" {
			t.Errorf("another post under an old command id: got %v, want CONFLICT", err)
		}
		must(api{url: moved.url}.logIn(t.Context(), "cid", password))(t)
		if _, err := (api{url: moved.url}).register(t.Context(), "ANN"); code(err) != "USERNAME_TAKEN" {
			t.Errorf("registration under a name that is taken: got %v, want USERNAME_TAKEN", err)
		}
		resumed(t, reader, bob.at(moved.url), want)
		wantOracle(t, to, moved.url, users)
	})
}

// resumed checks that a subscription goes on after an old cursor.
func resumed(t testing.TB, reader, author api, feed []edge) {
	t.Helper()
	s := must(reader.connect(t.Context()))(t)
	defer s.close()
	if err := s.subscribe("feed", feedAddedDocument, vars{"after": feed[2].Cursor}); err != nil {
		t.Fatal(err)
	}
	must(author.post(t.Context(), "on the new store", ""))(t)
	want := []string{feed[1].Node.Content, feed[0].Node.Content, "on the new store"}
	if got := contents(take(t, s, 3)); !slices.Equal(got, want) {
		t.Errorf("subscription after an old cursor: got %q, want %q", got, want)
	}
}

// wantOracle compares every user's feed with what it must be by the log.
func wantOracle(t testing.TB, p place, url string, users []user) {
	t.Helper()
	events := p.events(t)
	oracle := must(projectortest.Read(events))(t)
	for _, u := range users {
		reader := u.at(url)
		reader.readAfter = fmt.Sprint(len(events))
		var want []string
		for _, c := range oracle.Feed(domain.UserID(u.ID)) {
			want = append(want, string(c.Content))
		}
		if got := contents(must(reader.feed(t.Context(), 100))(t)); !slices.Equal(got, want) {
			t.Errorf("feed of %s: got %q, want %q", u.Username, got, want)
		}
	}
}

// logIn gives a new token.
func (a api) logIn(ctx context.Context, username, password string) (token string, err error) {
	var got struct{ LogIn struct{ Token string } }
	err = a.do(ctx, `mutation($u: String!, $p: String!) { logIn(input: {username: $u, password: $p}) { token } }`, vars{"u": username, "p": password}, &got)
	return got.LogIn.Token, err
}

// anyLog is an archive of events that no server of today writes.
const anyLog = `{"chirp":"log","format":1,"epoch":"any","head":3}
{"position":1,"stream":"a:<&>","version":1,"type":"some.thing.v7","data":{"z":[1.50,1e3,-0.0,9007199254740993,0.1,12345678901234567890.5],"a":"\u0041<>&\u2028\ud83d\ude00\/\u0001\n","":{"$x":null,"a.b":[true,false,{}]}},"recordedAt":"2024-05-17T01:02:03.004Z","actor":"☃","commandId":"one","traceId":"t","command":{"fingerprint":"f","events":2}}
{"position":2,"stream":"b","version":1,"type":"some.thing.v7","data":{ },"recordedAt":"2024-05-17T01:02:03.004Z","actor":"☃","commandId":"one"}
{"position":3,"stream":"a:<&>","version":2,"type":"t","data":{"b":1,"a":2},"recordedAt":"2024-05-17T01:02:03Z","actor":"☃","commandId":"two","command":{"fingerprint":"f","events":1}}
`

func TestExportIsTheSameFromEveryStore(t *testing.T) {
	t.Parallel()
	served := embedded(t.TempDir())
	s := launch(t, served)
	ready(t, s.url)
	society(t, s.url)
	file := filepath.Join(t.TempDir(), "any.jsonl")
	if err := os.WriteFile(file, []byte(anyLog), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"a served log": served.export(t), "any log": file} {
		one, two, three := embedded(t.TempDir()), onMongoDB(mongotest.URI(t), mongotest.Database(t)), embedded(t.TempDir())
		one.mustImport(t, file)
		want := one.export(t)
		if name == "a served log" && content(t, want) != content(t, file) {
			t.Errorf("%s: the export of the import differs from the export", name)
		}
		two.mustImport(t, want)
		three.mustImport(t, two.export(t))
		for store, p := range map[string]place{"the same store again": one, "MongoDB": two, "an embedded store again": three} {
			if got := content(t, p.export(t)); got != content(t, want) {
				t.Errorf("%s exported from %s: got\n%s, want\n%s", name, store, got, content(t, want))
			}
		}
	}
}

func TestExportFiles(t *testing.T) {
	t.Parallel()
	p := embedded(t.TempDir())
	s := launch(t, p)
	ready(t, s.url)
	society(t, s.url)
	plain := content(t, p.export(t))
	if e := p.command(t, "export"); e.code != 0 || e.out != plain {
		t.Errorf("export to standard output: exit code %d, got %d bytes, want the %d of the file; log:\n%s", e.code, len(e.out), len(plain), e.log)
	}
	dir := t.TempDir()
	for range 2 { // the second replaces the first
		file := filepath.Join(dir, "log.jsonl.gz")
		if e := p.command(t, "export", file, "--with-credentials"); e.code != 0 || !strings.Contains(e.log, "Exported") {
			t.Fatalf("export: exit code %d, log:\n%s", e.code, e.log)
		}
		if info := must(os.Stat(file))(t); info.Mode().Perm() != 0o600 {
			t.Errorf("mode: got %v, want that of a file for its owner alone", info.Mode())
		}
		if entries := must(os.ReadDir(dir))(t); len(entries) != 1 {
			t.Errorf("the folder: got %v, want the export alone", entries)
		}
	}
	r := must(archive.NewReader(bytes.NewReader(must(os.ReadFile(filepath.Join(dir, "log.jsonl.gz")))(t))))(t)
	n := 0
	for secrets, err := range r.Secrets() {
		if n += len(secrets.Credentials); err != nil || len(secrets.TokenSecret) == 0 {
			t.Errorf("credentials: got secret %q, error %v; want the store's", secrets.TokenSecret, err)
		}
	}
	if n != 3 || strings.Contains(plain, "argon2") {
		t.Errorf("credentials: got %d with --with-credentials, and %t without, want 3 and none", n, strings.Contains(plain, "argon2"))
	}
	none := filepath.Join(t.TempDir(), "none")
	if e := embedded(none).command(t, "export", filepath.Join(dir, "x")); e.code != 1 || !strings.Contains(e.log, none) {
		t.Errorf("export of a folder that is not there: exit code %d, log %q; want 1 and its name", e.code, e.log)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("export made the folder that was not there")
	}
}

func TestImportForks(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to place) {
		old := launch(t, from)
		ready(t, old.url)
		users := society(t, old.url)
		reader := users[0].at(old.url)
		reader.readAfter = fmt.Sprint(len(from.events(t)))
		want := must(reader.feed(t.Context(), 100))(t)
		to.mustImport(t, from.export(t, "--with-credentials"), "--new-epoch")
		fork := launch(t, to)
		ready(t, fork.url)
		reader.url = fork.url
		if got := must(reader.feed(t.Context(), 100))(t); !slices.Equal(contents(got), contents(want)) {
			t.Errorf("feed of the fork: got %q, want %q", contents(got), contents(want))
		}
		if _, err := reader.page(t.Context(), 10, want[0].Cursor); code(err) != "CURSOR_INVALID" {
			t.Errorf("page after a cursor of the old log: got %v, want CURSOR_INVALID", err)
		}
	})
}

func TestImportRefusesAndChangesNothing(t *testing.T) {
	source := embedded(t.TempDir())
	s := launch(t, source)
	ready(t, s.url)
	society(t, s.url)
	good := content(t, source.export(t, "--with-credentials"))
	lines := strings.SplitAfter(good, "\n")
	onBothStores(t, func(t *testing.T, p place) {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		refused := func(name, text, says string, args ...string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			e := p.command(t, slices.Concat([]string{"import", file}, args)...)
			if e.code != 1 || !strings.Contains(e.log, says) || strings.Count(e.log, "\n") != 1 {
				t.Errorf("import %s: exit code %d, log %q; want 1 and one line that says %q", name, e.code, e.log, says)
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
		refused("of something else", "hello\n", "no export")
		if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		p.mustImport(t, file)
		before := p.export(t, "--with-credentials")
		refused("into a log with events", good, "not empty")
		refused("as a fork into a log with events", good, "not empty", "--new-epoch")
		if got := content(t, p.export(t, "--with-credentials")); got != content(t, before) || got != good {
			t.Error("an import that was refused has changed the log or the credentials")
		}
		running := launch(t, p)
		ready(t, running.url)
		refused("beside a running server", good, map[bool]string{true: "held by another server", false: "servers use the database"}[p.args[0] == "--data"])
	})
}

// wantEmpty checks that a place has neither events nor credentials.
func wantEmpty(t testing.TB, p place) {
	t.Helper()
	store := must(p.open(t.Context()))(t)
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
	onBothStores(t, func(t *testing.T, p place) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := manyEvents(5000)
		importing, _ := spawn(t, nil, slices.Concat([]string{"import", pipe}, p.args)...)
		out := must(os.OpenFile(pipe, os.O_WRONLY, 0))(t)
		if _, err := out.WriteString(whole[:len(whole)-1000]); err != nil { // returns once nearly all was read
			t.Fatal(err)
		}
		importing.kill()
		out.Close()
		wantEmpty(t, p)
		file := filepath.Join(t.TempDir(), "whole")
		if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		p.mustImport(t, file)
		if got := content(t, p.export(t)); got != whole {
			t.Errorf("export of the second import: got %d bytes, want the %d of the file", len(got), len(whole))
		}
	})
}

// manyEvents is an archive of events in streams of their own.
func manyEvents(n int) string {
	var file strings.Builder
	fmt.Fprintf(&file, `{"chirp":"log","format":1,"epoch":"many","head":%d}`+"\n", n)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&file, `{"position":%d,"stream":"s:%d","version":1,"type":"t.v1","data":{"n":%d},"recordedAt":"2024-05-17T01:02:03.004Z","actor":"a","commandId":"%d","command":{"fingerprint":"f","events":1}}`+"\n", i, i, i, i)
	}
	return file.String()
}
