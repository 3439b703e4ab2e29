package recording

import "fmt"

// Resize records that the terminal has another size, in cells.
func (w *Writer) Resize(cols, rows int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	cols, rows = size(cols, rows)
	if w.shell != nil {
		w.shell.resize(cols, rows)
	}
	w.event(CodeResize, fmt.Sprintf("%dx%d", cols, rows))
	return nil
}

// Mark records a place that players can jump to.
func (w *Writer) Mark(text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	w.event(CodeMark, text)
	return nil
}

// Exit records the status with which the program ended.
func (w *Writer) Exit(status int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	w.output(w.runes.flush())
	w.event(CodeExit, fmt.Sprint(status))
	return nil
}

// ExitSignal records the signal that ended the program, without SIG as in RFC
// 4254 §6.10. Players see the status that a shell would give.
func (w *Writer) ExitSignal(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	w.output(w.runes.flush())
	w.note(&Note{Signal: name})
	w.event(CodeExit, fmt.Sprint(signalStatus(name)))
	return nil
}

// signalStatus is what a shell gives as $? for a signal of RFC 4254 §6.10.
func signalStatus(name string) int {
	numbers := map[string]int{"ABRT": 6, "ALRM": 14, "FPE": 8, "HUP": 1, "ILL": 4, "INT": 2, "KILL": 9, "PIPE": 13,
		"QUIT": 3, "SEGV": 11, "TERM": 15, "USR1": 10, "USR2": 12}
	return 128 + numbers[name]
}
