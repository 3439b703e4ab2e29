package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"hoop/broker/credential"
)

// maxInput bounds what is read from standard input, in bytes.
const maxInput = 64 << 10

// await runs f, which cannot be interrupted, and gives up on it when ctx is
// done: a read from a terminal ends with the process at the latest.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// readInput reads standard input to its end.
func (a *App) readInput(ctx context.Context) ([]byte, error) {
	data, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(a.In, maxInput)) })
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return data, nil
}

// askSecret asks without echo. It never blocks a script.
func (a *App) askSecret(ctx context.Context, prompt string) (credential.Secret, error) {
	in, ok := a.In.(*os.File)
	if !ok || !a.interactive() {
		return credential.Secret{}, usagef("a secret is needed and there is no terminal to ask on; pass it on standard input")
	}
	state, err := term.GetState(int(in.Fd()))
	if err != nil {
		return credential.Secret{}, fmt.Errorf("prepare the terminal: %w", err)
	}
	_, _ = fmt.Fprint(a.Err, prompt)
	data, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(int(in.Fd())) })
	_ = term.Restore(int(in.Fd()), state) // the echo is off still where the wait was given up
	_, _ = fmt.Fprintln(a.Err)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("read the secret: %w", err)
	}
	return credential.NewSecret(string(data)), nil
}

// askPassphrase is how the credential store asks for its passphrase.
func (a *App) askPassphrase(ctx context.Context) func() (credential.Secret, error) {
	return func() (credential.Secret, error) {
		return a.askSecret(ctx, "Passphrase of the credential store: ")
	}
}
