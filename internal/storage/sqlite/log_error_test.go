package sqlite

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
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
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
		if got := domain.KindOf(translate(context.Background(), "test", c.err)); got != c.want {
			t.Errorf("%s (%v): got kind %v, want %v", name, c.err, got, c.want)
		}
	}
}

func TestHoldFromAClockThatWasAheadIsVoid(t *testing.T) {
	v := openTestViews(t, t.TempDir(), Options{Exclusive: true})
	writer, err := v.Serving(t.Context(), testEpoch, 3)
	if err != nil {
		t.Fatal(err)
	}
	at := readmodel.Checkpoint{}
	for _, c := range []struct {
		ahead time.Duration
		want  error
	}{{readmodel.LongestHold - time.Second, readmodel.ErrHeld}, {readmodel.LongestHold + time.Minute, nil}, {24 * time.Hour, nil}, {-time.Second, nil}} {
		err := v.current.writing(func(conn *viewsConn) error {
			_, err := conn.exec("UPDATE generation SET held = ?", time.Now().Add(c.ahead).UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		next := readmodel.Checkpoint{Position: at.Position + 1}
		if err := writer.Apply(t.Context(), readmodel.Batch{From: at, To: next}); !errors.Is(err, c.want) {
			t.Errorf("Apply to what is held until %s from now: got %v, want %v", c.ahead, err, c.want)
		} else if err == nil {
			at = next
		}
	}
}

func TestViewsThatCannotBeLookedForAreNotDiscarded(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "views-1.db")
	if err := os.Symlink(name, name); err != nil { // a loop: ELOOP, whoever asks
		t.Fatal(err)
	}
	_, err := openGeneration(dir, 1, defaultViewsLimits(), false)
	var unfit *unfitError
	if err == nil || errors.As(err, &unfit) {
		t.Errorf("openGeneration of a file that cannot be looked for: got %v, want another error than that it is unfit", err)
	}
}
