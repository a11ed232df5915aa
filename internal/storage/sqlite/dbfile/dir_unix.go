//go:build unix

package dbfile

import (
	"errors"
	"os"
)

// SyncDir makes the entries of a folder survive a power cut.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
