package views

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestViewsThatCannotBeLookedForAreNotDiscarded(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "views-1.db")
	if err := os.Symlink(name, name); err != nil { // a loop: ELOOP, even for the superuser
		t.Fatal(err)
	}
	_, err := openGeneration(dir, 1, defaultLimits(), false)
	var unfit *unfitError
	if err == nil || errors.As(err, &unfit) {
		t.Errorf("openGeneration of a file that cannot be looked for: got %v, want another error than that it is unfit", err)
	}
}
