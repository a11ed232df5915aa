package sqlite

// mendModes does nothing. On Windows the rights to a file come from its folder.
func mendModes(string, Options) {}
