package policy

import (
	"fmt"
	"strings"
)

// Problem is one mistake in a document.
type Problem struct {
	// Document is the index of the document, from 0, in the slice given to
	// Compile.
	Document int
	// Path leads to the value as YAML: rules[3].when, labels[0].columns."a.b.c".
	Path string
	// Message says what is wrong and, where it is short, the cure.
	Message string
}

func (p Problem) String() string {
	return fmt.Sprintf("document %d: %s: %s", p.Document+1, p.Path, p.Message)
}

// Problems is every mistake that Compile found, in the order of the documents.
// It is an error.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// checker collects problems while documents are compiled.
type checker struct {
	document int
	found    Problems
}

func (c *checker) add(path, format string, args ...any) {
	c.found = append(c.found, Problem{c.document, path, fmt.Sprintf(format, args...)})
}
