package dbfile

// On Windows a new file gets its owner's rights from the folder.

// GiveToOwner does nothing.
func GiveToOwner(string) error { return nil }

// CreateForOwner does nothing.
func CreateForOwner(string) error { return nil }
