package dbfile

import (
	"errors"
	"io/fs"
	"os"
)

// Mode is the mode of every file in a data folder. The log's file holds password
// hashes and the token secret, and the others show what is in it.
const Mode fs.FileMode = 0o600

// Create creates an empty database file, unless it exists. SQLite gives the files
// that it adds to a database the database's mode, but would create the database
// itself for all users to read.
func Create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, Mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(Claim(f), f.Close())
}

// Claim gives a new file in a data folder its mode, whatever the umask has left of
// it, and its owner. The file must have been created with that mode or less.
func Claim(f *os.File) error { return errors.Join(f.Chmod(Mode), giveToOwner(f)) }
