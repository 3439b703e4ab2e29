package store

// checkPrivate has nothing to check: on Windows the folder of the user keeps
// others out.
func checkPrivate(string) error { return nil }
