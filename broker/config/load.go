package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

var errNegative = errors.New("a duration must not be negative")

// Config is a file with all that it includes, checked.
type Config struct {
	// Path is the first file; Dir is its folder, which relative paths start at.
	Path string
	Dir  string
	File
	sources []*source
}

// source is one file and its syntax tree, kept to say where a mistake is.
type source struct {
	path string
	file *File
	tree *ast.File
}

// Problem is one mistake and its place.
type Problem struct {
	File string
	Line int // from 1; 0 where unknown
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems is everything that is wrong with a configuration. It is an error.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads a file and all that it includes, refusing unknown keys, and checks
// everything that can be checked without a network or a secret. The error is of
// type Problems. Overlays are read as if the first file included them before
// all others, so that their rules come first.
func Load(path string, overlays ...string) (*Config, error) {
	first, err := read(path)
	if err != nil {
		return nil, err
	}
	c := &Config{Path: path, Dir: filepath.Dir(path), File: *first.file}
	seen := map[string]bool{abs(path): true}
	var before []*source
	for _, o := range overlays {
		more, err := c.include(o, seen)
		if err != nil {
			return nil, err
		}
		before = append(before, more...)
	}
	c.sources = append(before, first)
	for _, in := range first.file.Include {
		more, err := c.include(filepath.Join(c.Dir, in), seen)
		if err != nil {
			return nil, err
		}
		c.sources = append(c.sources, more...)
	}
	c.merge()
	if ps := c.check(); len(ps) > 0 {
		return nil, ps
	}
	return c, nil
}

func (c *Config) include(path string, seen map[string]bool) ([]*source, error) {
	if seen[abs(path)] {
		return nil, Problems{{File: path, Text: "is included twice"}}
	}
	seen[abs(path)] = true
	s, err := read(path)
	if err != nil {
		return nil, err
	}
	if name := s.file.mainOnly(); name != "" {
		return nil, Problems{{File: path, Line: s.line(name), Text: name + " belongs in the first file, not in an included one"}}
	}
	return []*source{s}, nil
}

// mainOnly names a setting that an included file must not have, or "".
func (f *File) mainOnly() string {
	for name, set := range map[string]bool{
		"include": f.Include != nil, "listen": f.Listen != "", "public_url": f.PublicURL != "",
		"data_dir": f.DataDir != "", "tls": f.TLS != TLS{}, "metrics": f.Metrics != Metrics{},
		"limits": f.Limits != Limits{}, "audit": f.Audit != Audit{}, "embedded_issuer": f.EmbeddedIssuer != nil, "webhooks": f.Webhooks != nil,
		"approval_page": f.ApprovalPage != ApprovalPage{},
	} {
		if set {
			return name
		}
	}
	return ""
}

func read(path string) (*source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: trimPath(err)}}
	}
	s := &source{path: path, file: &File{}}
	if s.tree, err = parser.ParseBytes(data, 0); err != nil {
		return nil, Problems{yamlProblem(path, err)}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return s, nil
	}
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.AllowDuplicateMapKey()).Decode(s.file)
	if dup := duplicateKey(s.tree); dup != nil {
		return nil, Problems{{File: path, Line: dup.Line, Text: dup.Text}}
	}
	if err != nil && !strings.Contains(err.Error(), "EOF") {
		return nil, Problems{yamlProblem(path, err)}
	}
	return s, nil
}

// duplicateKey finds a key that stands twice in one mapping.
func duplicateKey(tree *ast.File) *Problem {
	var found *Problem
	visit := visitor(func(n ast.Node) {
		m, ok := n.(*ast.MappingNode)
		if !ok || found != nil {
			return
		}
		seen := map[string]bool{}
		for _, v := range m.Values {
			key := v.Key.String()
			if seen[key] {
				found = &Problem{Line: v.Key.GetToken().Position.Line, Text: fmt.Sprintf("key %q stands twice", key)}
				return
			}
			seen[key] = true
		}
	})
	for _, d := range tree.Docs {
		ast.Walk(visit, d)
	}
	return found
}

type visitor func(ast.Node)

// Visit calls the function on every node.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// yamlProblem takes line and message out of a YAML error.
func yamlProblem(path string, err error) Problem {
	var ye yaml.Error
	if errors.As(err, &ye) {
		p := Problem{File: path, Text: ye.GetMessage()}
		if t := ye.GetToken(); t != nil && t.Position != nil {
			p.Line = t.Position.Line
		}
		return p
	}
	return Problem{File: path, Text: err.Error()}
}

// line finds the line of a path such as rules[3].when, or of its nearest parent
// that is written.
func (s *source) line(path string) int {
	for path != "" {
		if n := s.node(path); n != nil {
			return n.GetToken().Position.Line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
	return 0
}

// node finds what is written at a path, or nil. Keys with dots stand in double
// quotes, as package policy writes them.
func (s *source) node(path string) ast.Node {
	p, err := yaml.PathString("$." + strings.ReplaceAll(path, `"`, "'"))
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(s.tree)
	if err != nil || n == nil || n.GetToken() == nil {
		return nil
	}
	return n
}

// merge adds what included files bring.
func (c *Config) merge() {
	c.Credentials = map[string]Credential{}
	c.Connections, c.Ident.Issuers, c.Ident.Workloads = nil, nil, nil
	for _, s := range c.sources {
		for name, cred := range s.file.Credentials {
			c.Credentials[name] = cred
		}
		c.Connections = append(c.Connections, s.file.Connections...)
		c.Ident.Issuers = append(c.Ident.Issuers, s.file.Ident.Issuers...)
		c.Ident.Workloads = append(c.Ident.Workloads, s.file.Ident.Workloads...)
	}
}

// Abs resolves a path of the file against its folder; "" stays "".
func (c *Config) Abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

func abs(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// trimPath drops the path from an *os.PathError: the problem names it already.
func trimPath(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// UsesStore reports whether some credential lies in the broker's own store.
func (c *Config) UsesStore() bool {
	for _, cred := range c.Credentials {
		if cred.Store != "" {
			return true
		}
	}
	return false
}

// Problem places a mistake at the file and line where a path is written.
func (c *Config) Problem(path, text string) Problem {
	for _, s := range c.sources {
		if n := s.node(path); n != nil {
			return Problem{File: s.path, Line: n.GetToken().Position.Line, Text: path + ": " + text}
		}
	}
	return Problem{File: c.Path, Text: path + ": " + text}
}
