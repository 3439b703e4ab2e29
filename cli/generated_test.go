package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the generated files anew")

// TestGeneratedFilesAreCurrent: make generate writes them.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	files := map[string]string{"docs/reference.md": reference()}
	for shell, name := range map[string]string{"bash": "hoop.bash", "zsh": "hoop.zsh", "fish": "hoop.fish", "powershell": "hoop.ps1"} {
		files["completions/"+name] = hoop(t, clientEnv(t.TempDir()), "completion", shell).must(t, 0).stdout
	}
	for name, want := range files {
		path := filepath.Join("..", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; run make generate", err)
		} else if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is stale; run make generate\n%s", name, diff)
		}
	}
}

// reference describes every command, in the words of its help.
func reference() string {
	app := &App{Getenv: func(string) string { return "" }}
	var b bytes.Buffer
	b.WriteString("# Commands\n\nWritten by `make generate` from the program's own help. Exit codes: [exit-codes.md](exit-codes.md).\n")
	root := app.root()
	describe(&b, root)
	return b.String()
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	if c.Hidden {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n", c.CommandPath(), upper(c.Short))
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	flags(b, c)
	for _, sub := range c.Commands() {
		describe(b, sub)
	}
}

func flags(b *bytes.Buffer, c *cobra.Command) {
	set := c.NonInheritedFlags()
	if !set.HasAvailableFlags() {
		return
	}
	b.WriteString("\n| flag | meaning |\n|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		text := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" && !strings.Contains(text, "default") {
			text += " (`" + f.DefValue + "`)"
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(text, "|", `\|`))
	})
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// TestExitCodesAreDocumented compares the table with the constants' file.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("exit.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\texit[A-Za-z]+ += (\d+)`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 {
		t.Fatalf("found only %d exit codes", len(codes))
	}
	for _, m := range codes {
		if !regexp.MustCompile(`(?m)^\| ` + m[1] + `( \+ n)? \|`).Match(doc) {
			t.Errorf("docs/exit-codes.md does not explain %s", m[1])
		}
	}
}
