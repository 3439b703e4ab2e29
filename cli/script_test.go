package cli

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs what people type. Who acts is a verb:
//
//	as alice       what follows is done by alice, as she is signed in
//	fresh alice    the same with a login of her own, which may be ended
//	exits 3 CMD…   runs a command, which must end with that code
//	isjson stdout  the whole of it must be JSON; stderr: every line must be
//	errs CODE      standard error must be one JSON error with that code word
//	tty CMD…       runs a command on a terminal; its screen becomes stdout
func TestScripts(t *testing.T) {
	t.Parallel()
	w := world(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOOP_KEYRING", "file")
			e.Setenv("HOOP_CONFIG_DIR", filepath.Join(e.WorkDir, "nobody"))
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("PSQLRC", "/dev/null")
			e.Setenv("WORLD", w.Dir)
			e.Setenv("BROKER", w.BrokerURL())
			e.Setenv("CA", w.CAFile())
			e.Values["t"] = t
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"as": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("HOOP_CONFIG_DIR", filepath.Join(w.Dir, args[0]))
			},
			"fresh": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("HOOP_CONFIG_DIR", signIn(t, args[0]))
			},
			"exits": exits, "isjson": isJSON, "errs": errs, "tty": tty,
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func isJSON(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	parts := []string{text}
	if args[0] == "stderr" {
		parts = strings.Split(strings.TrimSpace(text), "\n")
	}
	for _, p := range parts {
		if !json.Valid([]byte(p)) {
			ts.Fatalf("not JSON: %q", p)
		}
	}
}

// told is an error as scripts read it.
type told struct {
	V     int     `json:"v"`
	Error failure `json:"error"`
}

func errs(ts *testscript.TestScript, _ bool, args []string) {
	var got told
	text := ts.ReadFile("stderr")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		ts.Fatalf("standard error is not one JSON object: %v\n%s", err, text)
	}
	if got.V != 1 || got.Error.Code != args[0] || got.Error.Message == "" {
		ts.Fatalf("error %+v, want code %s", got, args[0])
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("an error came with data: %q", out)
	}
}
