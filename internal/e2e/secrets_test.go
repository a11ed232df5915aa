package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/archive"
	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/mongotest"
)

// exported serves a store with the users ann and bob, of whom bob is disabled. It
// returns them, and an export of the store with the credentials.
func exported(t *testing.T) (ann, bob apitest.User, file string) {
	t.Helper()
	p := apitest.Embedded(t.TempDir())
	s := apitest.Start(t, p)
	users := apitest.RegisterAll(t, s.URL, "ann", "bob")
	s.Terminate(t)
	store := p.OpenToWrite(t, true)
	if err := errors.Join(store.Credentials().SetDisabled(t.Context(), domain.UserID(users[1].ID), true), store.Close()); err != nil {
		t.Fatal(err)
	}
	return users[0], users[1], p.Export(t, "--with-credentials")
}

func TestImportTakesOnlyTheSecretsItIsTold(t *testing.T) {
	t.Parallel()
	ann, bob, file := exported(t)
	for name, c := range map[string]struct {
		flags         []string
		tokens, logIn bool
		says          string
	}{
		"by default":            {nil, false, true, "holds the password hashes of 2 users and a token secret; the hashes are imported and the token secret is not"},
		"--with-token-secret":   {[]string{"--with-token-secret"}, true, true, "holds the password hashes of 2 users and a token secret; both are imported: anyone who has the file"},
		"--without-credentials": {[]string{"--without-credentials"}, false, false, "holds the password hashes of 2 users and a token secret; none of them is imported"},
	} {
		t.Run(name, func(t *testing.T) {
			apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
				e := p.Command(t, slices.Concat([]string{"import", file}, c.flags)...)
				if e.Code != 0 || strings.Count(e.Log, c.says) != 1 {
					t.Fatalf("import: exit code %d, log %q; want 0 and once %q", e.Code, e.Log, c.says)
				}
				const lockedOut = "2 of the 2 users who registered with a password cannot log in here"
				if strings.Contains(e.Log, lockedOut) == c.logIn {
					t.Errorf("import: got %q, want it to say %q: %t", e.Log, lockedOut, !c.logIn)
				}
				wantSecretOf(t, p, file, c.tokens)
				s := apitest.Start(t, p)
				wantAccess(t, s.URL, ann, c.tokens, c.logIn)
				wantDisabled(t, p, s.URL, bob)
				apitest.RegisterAll(t, s.URL, "cid")
				s.Terminate(t)
				wantSound(t, p)
			})
		})
	}
}

// wantSecretOf checks whether a store has a file's token secret.
func wantSecretOf(t *testing.T, p apitest.Place, file string, want bool) {
	t.Helper()
	r := apitest.Must(archive.NewReader(strings.NewReader(content(t, file))))(t)
	store := apitest.Must(p.Open(t.Context()))(t)
	defer func() { _ = store.Close() }()
	secret := apitest.Must(store.Credentials().Secret(t.Context(), nil))(t)
	for part, err := range r.Accounts() {
		if got := bytes.Equal(part.TokenSecret, secret); err != nil || got != want {
			t.Errorf("the store has the file's token secret: got %t, error %v; want %t", got, err, want)
		}
	}
}

// wantAccess checks whether a user's old token is valid, and whether the user can
// log in.
func wantAccess(t *testing.T, url string, u apitest.User, token, logIn bool) {
	t.Helper()
	if _, err := u.At(url).Post(t.Context(), "with the old token", ""); (err == nil) != token || err != nil && apitest.Code(err) != "UNAUTHENTICATED" {
		t.Errorf("post with the old token: got %v, want it to work: %t", err, token)
	}
	if _, err := (apitest.API{URL: url}).LogIn(t.Context(), u.Username, apitest.Password); (err == nil) != logIn || err != nil && apitest.Code(err) != "UNAUTHENTICATED" {
		t.Errorf("log-in: got %v, want it to work: %t", err, logIn)
	}
}

// wantDisabled checks that a user cannot log in, and that it is not only because the
// password is unknown.
func wantDisabled(t *testing.T, p apitest.Place, url string, u apitest.User) {
	t.Helper()
	if _, err := (apitest.API{URL: url}).LogIn(t.Context(), u.Username, apitest.Password); err == nil {
		t.Errorf("log-in of %s, who is disabled: got no error", u.Username)
	}
	store := apitest.Must(p.Open(t.Context()))(t)
	defer func() { _ = store.Close() }()
	if access, err := store.Credentials().Access(t.Context(), domain.UserID(u.ID)); err != nil || !access.Disabled || len(access.Sessions) > 0 {
		t.Errorf("Access of %s: got %+v, error %v; want it disabled, without sessions", u.Username, access, err)
	}
}

// TestImportDoesNotInstallAStrangersSecret imports a file with a token secret and no
// password hash.
func TestImportDoesNotInstallAStrangersSecret(t *testing.T) {
	t.Parallel()
	ann, _, file := exported(t)
	text := content(t, file)
	text = regexp.MustCompile(`(?m)^\{"user":.*\n`).ReplaceAllString(text, "")
	text = strings.Replace(text, `{"credentials":2}`, `{"credentials":0}`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		e := p.Command(t, "import", file)
		if e.Code != 0 || !strings.Contains(e.Log, "holds the password hashes of 0 users and a token secret; the hashes are imported and the token secret is not") {
			t.Fatalf("import: exit code %d, log %q; want 0 and what the file holds", e.Code, e.Log)
		}
		wantSecretOf(t, p, file, false)
		s := apitest.Start(t, p)
		wantAccess(t, s.URL, ann, false, false)
	})
}

func TestImportRefusesSecretsThatAreUnfit(t *testing.T) {
	t.Parallel()
	_, _, file := exported(t)
	good := content(t, file)
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		for name, c := range map[string]struct{ text, says string }{
			"a hash that takes 4 GiB to check": {strings.Replace(good, "$m=19456,", "$m=4194304,", 1), "parameter m of password hash is not a number from 1 to"},
			"a hash that is none":              {regexp.MustCompile(`"hash":"[^"]*"`).ReplaceAllString(good, `"hash":"secret"`), "password hash is not argon2id"},
			"a user id that is none":           {strings.Replace(good, `{"user":"user_`, `{"user":"User_`, 1), "is not a user id"},
			"a token secret that is short":     {regexp.MustCompile(`"tokenSecret":"[^"]*"`).ReplaceAllString(good, `"tokenSecret":"AAAA"`), "the token secret has 3 bytes; it must have at least 32"},
		} {
			bad := filepath.Join(t.TempDir(), "log.jsonl")
			if err := os.WriteFile(bad, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if e := p.Command(t, "import", bad, "--with-token-secret"); e.Code != 1 || !strings.Contains(e.Log, c.says) {
				t.Errorf("%s: exit code %d, log %q; want 1 and %q", name, e.Code, e.Log, c.says)
			}
			wantEmpty(t, p)
		}
	})
	p := apitest.Embedded(t.TempDir())
	if e := p.Command(t, "import", file, "--with-token-secret", "--without-credentials"); e.Code != 2 || !strings.Contains(e.Log, "give one of the two flags") {
		t.Errorf("both flags: exit code %d, log %q; want 2 and what is wrong", e.Code, e.Log)
	}
}

// TestAFailedImportLeavesAServedStoreUsable imports a log that breaks a rule into a
// store that a server has used before.
func TestAFailedImportLeavesAServedStoreUsable(t *testing.T) {
	t.Parallel()
	_, _, file := exported(t)
	text := strings.Replace(content(t, file), `"username":"ann"`, `"username":"an n"`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		apitest.Start(t, p).Terminate(t)
		if e := p.Command(t, "import", file, "--with-token-secret"); e.Code != 1 || !strings.Contains(e.Log, "breaks a rule") {
			t.Fatalf("import: exit code %d, log %q; want 1 and the rule", e.Code, e.Log)
		}
		s := apitest.Start(t, p)
		u := apitest.RegisterAll(t, s.URL, "ann")[0]
		wantAccess(t, s.URL, u, true, true)
	})
}

// TestImportReadsAPipe imports from standard input.
func TestImportReadsAPipe(t *testing.T) {
	t.Parallel()
	ann, _, file := exported(t)
	to := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	if out, err := piped(t, file, to); err != nil || !strings.Contains(out, "- holds the password hashes of 2 users") {
		t.Fatalf("import -: error %v, log %q", err, out)
	}
	s := apitest.Start(t, to)
	wantAccess(t, s.URL, ann, false, true)
}

// piped imports a file through a pipe, and returns what import logs.
func piped(t *testing.T, file string, to apitest.Place) (log string, err error) {
	t.Helper()
	in := apitest.Must(os.Open(file))(t)
	defer in.Close()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `cat | "$0" import - "$@"`, apitest.Program(t)}, to.Args...)...)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestImportRefusesALongEpoch(t *testing.T) {
	t.Parallel()
	p := apitest.Embedded(t.TempDir())
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if err := os.WriteFile(file, []byte(strings.Replace(manyEvents(1), `"epoch":"many"`, `"epoch":"`+strings.Repeat("x", 129)+`"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if e := p.Command(t, "import", file); e.Code != 1 || !strings.Contains(e.Log, "the epoch in the header has 129 bytes") {
		t.Errorf("import: exit code %d, log %q; want 1 and what is wrong", e.Code, e.Log)
	}
	wantEmpty(t, p)
	p.Import(t, file, "--new-epoch")
}
