package sftp

import (
	"path"
	"strings"
)

// absolute cleans a path as text alone, beginning at the folder in which the
// server works. Without such a folder a relative path stays relative.
func absolute(folder, name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	if folder == "" {
		return path.Clean(name)
	}
	return path.Join(folder, name)
}

// question says what the target is asked to learn where a path leads: the whole
// path, or only its folder where the request is about the entry itself and does
// not follow it.
type question struct {
	ask  string // "" where the server's own folder is meant
	base string // follows the answer; "" where the whole path was asked
}

func questionOf(name string, follow bool) question {
	if follow {
		return question{ask: name}
	}
	folder, base := path.Split(name)
	switch base {
	case "", ".", "..": // the system follows what stands before a slash
		return question{ask: name}
	}
	// Not cleaned: the system applies ".." to where a link leads.
	return question{ask: folder, base: base}
}

// answered joins the target's answer with the rest of the question.
func (q question) answered(place string) string {
	if q.base == "" {
		return path.Clean(place)
	}
	return path.Join(place, q.base)
}
