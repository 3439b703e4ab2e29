package recording

import "time"

// shell follows a terminal.
type shell struct{}

func newShell(cols, rows int) *shell               { return &shell{} }
func (s *shell) resize(cols, rows int)             {}
func (s *shell) output(p []byte, at time.Duration) {}
func (s *shell) input(p []byte, at time.Duration)  {}
func (s *shell) typed() []byte                     { return nil }
func (s *shell) learnt() []Note                    { return nil }
