//go:build unix

package dbfile

import (
	"errors"
	"os"
)

// SyncDir syncs a folder, so that a power cut cannot take away the files that
// were created in it or renamed.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
