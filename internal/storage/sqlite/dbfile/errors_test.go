package dbfile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"chirp/internal/domain"
)

func TestErrorsOfTheSystemAreUnavailable(t *testing.T) {
	_, missing := os.Open(filepath.Join(t.TempDir(), "missing"))
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, wrong := db.Exec("SELEC")
	for name, c := range map[string]struct {
		err  error
		want domain.Kind
	}{
		"too many files":       {&fs.PathError{Op: "open", Path: "views", Err: syscall.EMFILE}, domain.Unavailable},
		"no permission":        {&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EACCES}, domain.Unavailable},
		"a missing file":       {fmt.Errorf("read which views serve: %w", missing), domain.Unavailable},
		"an unknown number":    {syscall.Errno(4711), domain.Unavailable},
		"a lost connection":    {sql.ErrConnDone, domain.Unavailable},
		"a wrong statement":    {wrong, domain.Internal},
		"something of ours":    {errors.New("odd"), domain.Internal},
		"an error with a kind": {domain.Errorf(domain.Invalid, "no"), domain.Invalid},
	} {
		if got := domain.KindOf(Translate(context.Background(), "test", c.err)); got != c.want {
			t.Errorf("%s (%v): got kind %v, want %v", name, c.err, got, c.want)
		}
	}
}
