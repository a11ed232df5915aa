package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/apitest"
	"chirp/internal/domain"
)

// manyEventsOf is manyEvents with the accounts of an export with credentials.
func manyEventsOf(t *testing.T, export string, n int) string {
	t.Helper()
	_, rest, _ := strings.Cut(content(t, export), "\n")
	accounts, _, _ := strings.Cut(rest, `{"position":1,`)
	return strings.Replace(manyEvents(n), `"access":false}`+"\n", `"credentials":true}`+"\n"+accounts, 1)
}

// killImport kills an import once it has restored the accounts of a file.
func killImport(t *testing.T, p apitest.Place, text string, flags ...string) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	importing, _ := apitest.Spawn(t, nil, slices.Concat([]string{"import", pipe}, flags, p.Args)...)
	out := apitest.Must(os.OpenFile(pipe, os.O_WRONLY, 0))(t)
	if _, err := out.WriteString(text[:len(text)-1000]); err != nil { // returns once nearly all was read
		t.Fatal(err)
	}
	importing.Kill()
	out.Close()
}

// TestAnImportAfterAKilledOneKeepsNothingOfIt imports again what the first import was
// told to take the secrets of.
func TestAnImportAfterAKilledOneKeepsNothingOfIt(t *testing.T) {
	t.Parallel()
	_, bob, export := exported(t)
	whole := manyEventsOf(t, export, 5000)
	for name, c := range map[string]struct {
		text  string
		flags []string
		users int // whose access the store then has
	}{
		"without the credentials": {whole, []string{"--without-credentials"}, 1},
		"from another file":       {manyEvents(1), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
				killImport(t, p, whole, "--with-token-secret")
				file := filepath.Join(t.TempDir(), "log.jsonl")
				if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
				p.Import(t, append([]string{file}, c.flags...)...)
				wantSecretOf(t, p, export, false)
				store := apitest.Must(p.Open(t.Context()))(t)
				defer func() { _ = store.Close() }()
				n := 0
				for got, err := range store.Credentials().All(t.Context()) {
					if n++; err != nil || got.User != domain.UserID(bob.ID) || got.Hash != "" || got.Access.Epoch != 1 || !got.Access.Disabled {
						t.Errorf("All: got %+v, error %v; want bob alone, disabled, at epoch 1 and without a hash", got, err)
					}
				}
				if n != c.users {
					t.Errorf("All: got %d users, want %d", n, c.users)
				}
			})
		})
	}
}

// TestAFailedImportLeavesTheStoresOwnSecret imports, into stores that a server has used,
// files that are cut off.
func TestAFailedImportLeavesTheStoresOwnSecret(t *testing.T) {
	t.Parallel()
	_, bob, export := exported(t)
	whole := manyEventsOf(t, export, 1)
	access := `"access":true}` + "\n" + `{"user":"` + bob.ID + `","access":{"epoch":1}}` + "\n" + `{"users":1}` + "\n"
	for name, c := range map[string]struct {
		text  string
		flags []string
	}{
		"with access":           {strings.Replace(manyEvents(1), `"access":false}`+"\n", access, 1), nil},
		"with its token secret": {whole, []string{"--with-token-secret"}},
		"without its secrets":   {whole, []string{"--without-credentials"}},
	} {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		if err := os.WriteFile(file, []byte(c.text[:strings.LastIndex(c.text, `{"position"`)]), 0o600); err != nil {
			t.Fatal(err)
		}
		test := func(t *testing.T, p apitest.Place, served *apitest.Process) {
			served.Terminate(t)
			before := tokenSecret(t, p)
			if e := p.Command(t, slices.Concat([]string{"import", file}, c.flags)...); e.Code != 1 || !strings.Contains(e.Log, "it is cut off") {
				t.Fatalf("import: exit code %d, log %q; want 1 and that the file is cut off", e.Code, e.Log)
			}
			apitest.Start(t, p).Terminate(t)
			if after := tokenSecret(t, p); len(before) == 0 || !bytes.Equal(after, before) {
				t.Errorf("the token secret after the import: got another one than before it, want the same")
			}
		}
		t.Run(name+"/embedded", func(t *testing.T) {
			t.Parallel()
			p := apitest.Embedded(t.TempDir())
			test(t, p, apitest.Start(t, p))
		})
		t.Run(name+"/mongodb", func(t *testing.T) {
			t.Parallel()
			p, db, s := onSharedMongoDB(t)
			awaitSecretMark(t, db)
			test(t, p, s)
		})
	}
}

// awaitSecretMark waits until the log's document records that there is a token secret.
func awaitSecretMark(t *testing.T, db *mongo.Database) {
	t.Helper()
	apitest.Eventually(t, "the log's document records the token secret", func() bool {
		return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "secret", Value: true}}).Err() == nil
	})
}

func tokenSecret(t *testing.T, p apitest.Place) []byte {
	t.Helper()
	store := apitest.Must(p.Open(t.Context()))(t)
	defer func() { _ = store.Close() }()
	return apitest.Must(store.Credentials().Secret(t.Context(), nil))(t)
}
