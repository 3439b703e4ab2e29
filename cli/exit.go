package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

// The exit codes, explained in docs/exit-codes.md. Commands that run another
// program return that program's code and use exitOwnFailure for failures of
// their own.
const (
	exitDone          = 0
	exitFailure       = 1
	exitUsage         = 2
	exitDenied        = 3
	exitNoLogin       = 4
	exitNotFound      = 5
	exitUnreachable   = 6
	exitCannotBind    = 7
	exitPending       = 8
	exitTimeout       = 124
	exitOwnFailure    = 125
	exitNotExecutable = 126
	exitNoCommand     = 127
	exitSSH           = 255
	exitSignal        = 128 // and the number of the signal
)

var errTimeout = errors.New("the time given by --timeout has passed")

// usageError is a mistake on the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError carries an exit code, a code word for scripts, and a hint.
type exitError struct {
	code int
	word string
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// childExit is the exit code of a program that hoop ran; nothing is printed.
type childExit int

func (c childExit) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

// signalError is the end of a command that was told to stop.
type signalError struct{ syscall.Signal }

func (s signalError) Error() string { return "stopped: " + s.String() }

// wrapsProgram marks commands that pass a program's exit code on, and wrapsSSH
// those among them that stand for ssh, which has a code of its own for failures.
const (
	wrapsProgram = "wraps-program"
	wrapsSSH     = "ssh"
)

// failure is how an error is told.
type failure struct {
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Rule    string `json:"rule,omitempty"`
	// Approval is the one that waits or decided.
	Approval string `json:"approval,omitempty"`
}

// fail prints an error once, for people or scripts, and gives the exit code.
func (a *App) fail(cmd *cobra.Command, err error) int {
	var child childExit
	if errors.As(err, &child) {
		return int(child)
	}
	f := classify(err)
	var signalled signalError
	switch cause := context.Cause(cmd.Context()); {
	case errors.Is(cause, errTimeout):
		f = failure{Code: "timeout", Exit: exitTimeout, Message: errTimeout.Error()}
	case errors.As(cause, &signalled):
		f = failure{Code: "interrupted", Exit: exitSignal + int(signalled.Signal), Message: signalled.Error()}
	case cmd.Annotations[wrapsProgram] != "" && f.Exit < exitPending && f.Exit != exitUsage:
		f.Exit = exitOwnFailure
		if cmd.Annotations[wrapsProgram] == wrapsSSH {
			f.Exit = exitSSH
		}
	}
	if a.json() {
		line, _ := json.Marshal(map[string]any{"v": 1, "error": f})
		_, _ = fmt.Fprintln(a.Err, string(line))
		return f.Exit
	}
	if f.Code == "interrupted" {
		return f.Exit // whoever stopped it knows
	}
	a.notef("%s", f.Message)
	if f.Hint != "" {
		_, _ = fmt.Fprintf(a.Err, "      %s\n", f.Hint)
	}
	if f.Exit == exitUsage {
		_, _ = fmt.Fprintf(a.Err, "      see: %s --help\n", cmd.CommandPath())
	}
	return f.Exit
}

// classify is the one place where errors become exit codes.
func classify(err error) failure {
	f := failure{Code: api.CodeInternal, Exit: exitFailure, Message: err.Error()}
	var own *exitError
	var remote *api.Error
	var usage usageError
	switch {
	case errors.As(err, &own):
		f.Code, f.Exit, f.Hint = own.word, own.code, own.hint
	case errors.As(err, &remote):
		f.Code, f.Exit, f.Hint, f.Rule = remote.Code, exitOf(remote.Code), remote.Hint, remote.Rule
		f.Approval = remote.Approval
	case errors.As(err, &usage):
		f.Code, f.Exit = api.CodeUsage, exitUsage
	}
	if hint := trustHint(err); hint != "" {
		f.Hint = hint
	}
	return f
}

func exitOf(code string) int {
	switch code {
	case api.CodeUsage:
		return exitUsage
	case api.CodeDenied:
		return exitDenied
	case api.CodeApprovalRequired:
		return exitPending
	case api.CodeUnauthenticated, api.CodeNonceRequired:
		return exitNoLogin
	case api.CodeNotFound:
		return exitNotFound
	case api.CodeUnavailable:
		return exitUnreachable
	default:
		return exitFailure
	}
}

// trustHint says what to do about a broker whose certificate is not believed.
func trustHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "if this is your broker, trust its certificate authority: hoop login --ca-file FILE https://BROKER " +
			"(hoop broker init writes it to tls/ca.pem); HOOP_CA_FILE does the same for one command"
	case errors.As(err, &name):
		return "use a name that the broker's certificate is for, or make it one for this name: hoop broker init --host NAME"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate's time is over, or this machine's clock is wrong"
	}
	return ""
}
