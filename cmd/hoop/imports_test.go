package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// listed is what go list tells of a package.
type listed struct {
	ImportPath   string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,TestImports,XTestImports", "hoop/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]listed{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all[strings.TrimPrefix(p.ImportPath, "hoop/")] = p
	}
}

// row is one line of the table in ARCHITECTURE.md.
type row struct{ ours, libraries []string }

func table(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z/]+) \|([^|]*)\|([^|]*)\|$`).FindAllStringSubmatch(string(text), -1) {
		if m[1] != "package" {
			rows[m[1]] = row{split(m[2]), split(m[3])}
		}
	}
	return rows
}

func split(cell string) []string {
	var out []string
	for _, s := range strings.Split(cell, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func TestImportsAreThoseOfTheTable(t *testing.T) {
	rows, found := table(t), packages(t)
	for name, p := range found {
		r, ok := rows[name]
		if !ok {
			t.Errorf("package %s has no row in ARCHITECTURE.md", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, "hoop/"); ok && !slices.Contains(r.ours, ours) {
				t.Errorf("%s imports %s, which its row does not have", name, ours)
			}
			if owner := ownerOf(rows, imp); owner != "" && owner != name {
				t.Errorf("%s imports %s, which belongs to %s", name, imp, owner)
			}
		}
		for _, ours := range r.ours {
			if !slices.Contains(p.Imports, "hoop/"+ours) {
				t.Errorf("the row of %s has %s, which it does not import", name, ours)
			}
		}
	}
	for name := range rows {
		if _, ok := found[name]; !ok {
			t.Errorf("ARCHITECTURE.md has a row for %s, which is no package", name)
		}
	}
}

// ownerOf finds the package that alone may import a library, or "".
func ownerOf(rows map[string]row, imp string) string {
	for name, r := range rows {
		for _, lib := range r.libraries {
			if imp == lib || strings.HasPrefix(imp, lib+"/") {
				return name
			}
		}
	}
	return ""
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for name, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("package %s has no doc comment", name)
		}
	}
}
