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

	codes "modernc.org/sqlite/lib"

	"chirp/internal/storage/sqlite/dbfile"
)

// ServingFile is the name of the file that holds the number of the generation
// that serves.
const ServingFile = "views"

// unfitError says why views cannot serve and must be made again.
type unfitError struct{ reason string }

func (e *unfitError) Error() string { return "the views do not serve: " + e.reason }

// unfit maps errors of SQLite that mean that a file is damaged to *unfitError.
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

// readServing returns the number of the generation that serves, 0 if none does.
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

// writeServing makes a generation serve, atomically for all processes. Without
// replace it does nothing if a generation serves already.
func writeServing(dir string, number int, replace bool) error {
	f, err := os.CreateTemp(dir, ServingFile+"-*.tmp")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", number)
	err = errors.Join(err, dbfile.Claim(f), f.Sync(), f.Close())
	if err == nil {
		err = moveIntoPlace(f.Name(), filepath.Join(dir, ServingFile), replace)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return dbfile.SyncDir(dir)
}

// moveIntoPlace renames a complete file. Without replace it removes the file
// instead if the new name is taken.
func moveIntoPlace(from, to string, replace bool) error {
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
	return os.Rename(from, to) // the file system has no links
}

// removeServing removes the file that names the generation that serves, so that
// none does.
func removeServing(dir string) error {
	if err := os.Remove(filepath.Join(dir, ServingFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return dbfile.SyncDir(dir)
}

// removeViews removes all files of all generations.
func removeViews(dir string) error {
	return errors.Join(removeGenerations(dir, func(int) bool { return true }), removeServing(dir))
}

// nextGeneration returns a number above that of every file in the folder. A
// number is never used again while its file exists, because processes may have
// the file open.
func nextGeneration(dir string) (int, error) {
	last := 0
	err := eachGeneration(dir, func(_ string, number int) error {
		last = max(last, number)
		return nil
	})
	return last + 1, err
}

// markRetired sets a file's time to that at which its generation stops serving. If
// it fails the file looks older and is dropped sooner, which does no harm to
// processes that have it open.
func markRetired(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// removeGenerations removes the files of the generations that which selects.
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

// eachGeneration calls f with every file of a generation: views-N.db, and files
// with a suffix to that name.
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

// IsTemporary reports whether a file of that name exists only while a generation
// is created or switched to. One that is old was left behind.
func IsTemporary(name string) bool {
	for _, pattern := range []string{ServingFile + "-*.tmp", "views-*.db" + unfinishedMark + "*"} {
		if matches, err := filepath.Match(pattern, name); matches && err == nil {
			return true
		}
	}
	return false
}
