package postgres

import (
	"context"
	"errors"

	"hoop/broker"
)

// connect opens an authenticated connection to a database of the session's
// target, with the settings in options.
func (e *Engine) connect(ctx context.Context, s *broker.Session, database string, options map[string]string) (*upstream, error) {
	return nil, errors.New("not connected")
}
