package credential

import (
	"fmt"
	"os"
)

// checkPrivate cannot read access lists by mode bits: on Windows the folder of
// the user keeps others out.
func checkPrivate(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}
