package views

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"chirp/internal/storage/sqlite/dbfile"

	codes "modernc.org/sqlite/lib"
)

// ServingFile names the generation that serves.
const ServingFile = "views"

// unfitError says why views cannot serve and are best made anew.
type unfitError struct{ reason string }

func (e *unfitError) Error() string { return "the views do not serve: " + e.reason }

// unfit turns what SQLite says of a damaged file into an *unfitError.
func unfit(err error) error {
	switch dbfile.Code(err) {
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_ERROR, codes.SQLITE_EMPTY, codes.SQLITE_FORMAT, codes.SQLITE_SCHEMA:
		return &unfitError{"the file is damaged: " + err.Error()}
	default:
		return err
	}
}

func generationPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("views-%d.db", number))
}

// readServing gives the number of the generation that serves, 0 if none does.
func readServing(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, ServingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read which views serve: %w", err)
	}
	number, err := strconv.Atoi(strings.TrimSuffix(string(text), "\n"))
	if err != nil || number < 1 {
		return 0, &unfitError{fmt.Sprintf("the file %q says %.40q, not a number", ServingFile, text)}
	}
	return number, nil
}

// writeServing switches to a generation at once for all processes. Without
// replace it leaves a choice that was made already.
func writeServing(dir string, number int, replace bool) error {
	f, err := os.CreateTemp(dir, ServingFile+"-*.tmp")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", number)
	err = errors.Join(err, dbfile.GiveToOwner(f.Name()), f.Sync(), f.Close())
	if err == nil {
		err = place(f.Name(), filepath.Join(dir, ServingFile), replace)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return dbfile.SyncDir(dir)
}

// place gives a finished file its name. Without replace a file of that name
// wins, and the new one is removed.
func place(from, to string, replace bool) error {
	if replace {
		return os.Rename(from, to)
	}
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return os.Remove(from)
	}
	if _, exists := os.Stat(to); exists == nil {
		return os.Remove(from)
	}
	return os.Rename(from, to) // a file system without links
}

// removeServing takes the choice of a generation back.
func removeServing(dir string) error {
	if err := os.Remove(filepath.Join(dir, ServingFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return dbfile.SyncDir(dir)
}

// removeViews removes all that there is of views.
func removeViews(dir string) error {
	return errors.Join(removeGenerations(dir, func(int) bool { return true }), removeServing(dir))
}

// nextGeneration gives a number that no file in the folder has: a file that is
// still open somewhere must not get a namesake.
func nextGeneration(dir string) (int, error) {
	last := 0
	err := eachGeneration(dir, func(_ string, number int) error {
		last = max(last, number)
		return nil
	})
	return last + 1, err
}

// touch notes that a generation ceases to serve now. An error is passed over:
// the file then seems older and is dropped sooner, which takes nothing from
// those who have it open.
func touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// removeGenerations removes the files of some generations.
func removeGenerations(dir string, which func(number int) bool) error {
	return eachGeneration(dir, func(path string, number int) error {
		if !which(number) {
			return nil
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// eachGeneration calls a function for each file of a generation: views-N.db,
// and those whose names go on from there.
func eachGeneration(dir string, f func(path string, number int) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		rest, is := strings.CutPrefix(e.Name(), "views-")
		digits, _, isDB := strings.Cut(rest, ".db")
		if number, err := strconv.Atoi(digits); is && isDB && err == nil {
			errs = append(errs, f(filepath.Join(dir, e.Name()), number))
		}
	}
	return errors.Join(errs...)
}

// Exist reports whether a folder has views.
func Exist(dir string) (exist bool, err error) {
	err = eachGeneration(dir, func(file string, number int) error {
		exist = exist || file == generationPath(dir, number)
		return nil
	})
	return exist, err
}

// IsTemporary reports whether a name is one of a file that exists only while
// views are made or switched to.
func IsTemporary(name string) bool {
	for _, pattern := range []string{ServingFile + "-*.tmp", "views-*.db" + unnamed + "*"} {
		if matches, err := filepath.Match(pattern, name); matches && err == nil {
			return true
		}
	}
	return false
}
