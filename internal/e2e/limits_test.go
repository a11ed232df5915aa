package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chirp/internal/apitest"
)

// manifestOf writes a file of trusted documents and returns its name.
func manifestOf(t testing.TB, texts ...string) string {
	t.Helper()
	manifest := map[string]string{}
	for _, text := range texts {
		manifest[documentID(text)] = text
	}
	file := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(file, apitest.Must(json.Marshal(manifest))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func documentID(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func TestServerTakesTrustedDocumentsOnly(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Embedded(t.TempDir()), "--trusted-documents", manifestOf(t, apitest.RegisterDocument, apitest.PostDocument), "--trusted-documents-only")
	ann := apitest.RegisterAll(t, s.URL, "Ann")[0]
	body := apitest.Must(json.Marshal(apitest.Vars{"documentId": documentID(apitest.PostDocument), "variables": apitest.Vars{"content": "trusted"}}))(t)
	if err := ann.At(s.URL).Send(t.Context(), body, nil); err != nil {
		t.Errorf("a trusted document by its id: %v", err)
	}
	if err := ann.At(s.URL).Do(t.Context(), `{ viewer { id } }`, nil, nil); apitest.Code(err) != "DOCUMENT_NOT_TRUSTED" {
		t.Errorf("another document: got %v, want DOCUMENT_NOT_TRUSTED", err)
	}
}
