package dbfile

import (
	"io/fs"
	"os"

	"chirp/internal/domain"
)

// File is a file that is open, as the file system described it then.
type File struct {
	Path string
	Info os.FileInfo
}

// Opened describes a file that was opened a moment ago.
func Opened(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, domain.Errorf(domain.Unavailable, "%s went away while it was being opened (%v)", path, Cause(err))
	}
	return File{Path: path, Info: info}, nil
}

// State says what became of an open file's path.
type State string

const (
	// Same is the state of a path that names the file still.
	Same State = ""
	// Gone is the state of one that names no file.
	Gone State = "deleted or moved away"
	// Replaced is the state of one that names another file.
	Replaced State = "replaced by another file"
	// Overwritten is one that was truncated, at least; Compare does not find it.
	Overwritten State = "overwritten"
)

// Compare compares the file with the one that its path names now. A path that
// cannot be looked at leads to no file.
func (f File) Compare() (fs.FileInfo, State) {
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
