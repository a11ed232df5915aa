package dbfile

// Windows gives files the owner's rights by itself: they come from the folder.

// GiveToOwner does nothing.
func GiveToOwner(string) error { return nil }

// CreateForOwner does nothing.
func CreateForOwner(string) error { return nil }
