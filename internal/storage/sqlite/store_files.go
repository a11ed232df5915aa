package sqlite

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"chirp/internal/domain"
)

// openFile is a file that is open, as the file system described it then.
type openFile struct {
	path string
	info os.FileInfo
}

// openedFile describes a file that was opened a moment ago.
func openedFile(path string) (openFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return openFile{}, domain.Errorf(domain.Unavailable, "%s went away while it was being opened (%v)", path, cause(err))
	}
	return openFile{path: path, info: info}, nil
}

// fileState says what became of an open file's path.
type fileState string

const (
	sameFile     fileState = ""
	goneFile     fileState = "deleted or moved away"
	replacedFile fileState = "replaced by another file"
	// overwrittenFile is one that was truncated, at least; look does not find it.
	overwrittenFile fileState = "overwritten"
)

// look compares the file with the one that its path names now. A path that
// cannot be looked at leads to no file.
func (f openFile) look() (fs.FileInfo, fileState) {
	now, err := os.Stat(f.path)
	switch {
	case err != nil:
		return nil, goneFile
	case !os.SameFile(f.info, now):
		return now, replacedFile
	default:
		return now, sameFile
	}
}

// lostLog says what to do about a log that is not where it was.
func (f openFile) lostLog(state fileState) string {
	name := filepath.Base(f.path)
	what := fmt.Sprintf("%s was %s while the server has it open, so nothing is written to it. ", f.path, state)
	if state == goneFile {
		return what + fmt.Sprintf("If it was moved, move it and %[1]s-wal back, and the server goes on; if it is lost, stop the server, put a copy of the data folder in place, and start it again", name)
	}
	return what + fmt.Sprintf("To go on with the file that was there, move it and %[1]s-wal back; to go on with the one that is there now, stop the server, remove %[1]s-wal and %[1]s-shm unless they came with it, and start it again", name)
}
