package dbfile

import (
	"io/fs"
	"os"

	"chirp/internal/domain"
)

// File identifies an open file, so that a later look at its path can tell
// whether the path still leads to it.
type File struct {
	Path string
	Info os.FileInfo // nil if the file is not known yet
}

// Stat returns the identity of a file that was opened a moment ago.
func Stat(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, domain.Errorf(domain.Unavailable, "%s went away while it was being opened (%v)", path, WithoutPath(err))
	}
	return File{Path: path, Info: info}, nil
}

// State is what became of an open file. Its text completes "the file was …".
type State string

const (
	// Same means that the path still leads to the file.
	Same State = ""
	// Gone means that the path leads nowhere.
	Gone State = "deleted or moved away"
	// Replaced means that the path leads to another file.
	Replaced State = "replaced by another file"
	// Overwritten means that the file has other content than SQLite wrote.
	// Compare never returns it: callers find it out by the size or the content.
	Overwritten State = "overwritten"
)

// Compare looks at what the file's path leads to now, and returns it with the
// file's state. A path that cannot be looked at counts as leading nowhere.
func (f File) Compare() (now fs.FileInfo, state State) {
	now, err := os.Stat(f.Path)
	switch {
	case err != nil:
		return nil, Gone
	case !os.SameFile(f.Info, now):
		return now, Replaced
	default:
		return now, Same
	}
}
