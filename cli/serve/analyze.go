package serve

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"hoop/broker/api"
	"hoop/broker/config"
	"hoop/policy"
	"hoop/policy/shell"
	"hoop/policy/sql"
)

// NewAnalyzer starts the analyser of SQL, whose grammar runs in a process of
// its own: this program again, as "hoop sqlworker".
func NewAnalyzer(log *slog.Logger) (*sql.Analyzer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to start the SQL worker: %w", err)
	}
	return sql.New(sql.Options{Argv: []string{self, "sqlworker"}, Logger: log})
}

// actions are what an engine would ask verdicts for.
func actions(ctx context.Context, a *sql.Analyzer, text string) []policy.Action {
	var out []policy.Action
	for _, st := range a.Statements(ctx, text) {
		out = append(out, policy.Action{Verb: "sql." + st.Facts.Kind, Text: st.Text, SQL: st.Facts})
	}
	return out
}

// TestWorld is what the examples of a configuration need.
func TestWorld(ctx context.Context, cfg *config.Config, a *sql.Analyzer) policy.World {
	return policy.World{
		Analyze:    func(text string) []policy.Action { return actions(ctx, a, text) },
		Describe:   shell.Describe,
		Connection: cfg.PolicyConnection,
		Now:        time.Now(),
	}
}

// ExplainLocally decides by a configuration for a principal that is only
// imagined.
func ExplainLocally(ctx context.Context, cfg *config.Config, name string, groups []string, ask *api.ExplainRequest) (*api.Explanation, error) {
	p, err := cfg.Policy()
	if err != nil {
		return nil, err
	}
	conn, ok := cfg.PolicyConnection(ask.Connection)
	if !ok {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("%s has no connection %q", cfg.Path, ask.Connection)}
	}
	acts, err := asked(ctx, ask, conn)
	if err != nil {
		return nil, err
	}
	who := policy.Principal{ID: name, Name: name, Email: name, Kind: policy.Person, Groups: groups}
	out := &api.Explanation{Statements: []api.ExplainedStatement{}}
	for i := range acts {
		in := &policy.Input{Principal: &who, Chain: policy.Chain{{ID: name, Name: name, Kind: policy.Person}},
			Connection: conn, Action: &acts[i], Now: time.Now()}
		out.Statements = append(out.Statements, api.Explain(p, in))
	}
	return out, nil
}

// asked is what an explanation is about: a request, or the statements of a text.
func asked(ctx context.Context, ask *api.ExplainRequest, conn *policy.Connection) ([]policy.Action, error) {
	request, err := ask.Request(conn)
	if err != nil {
		return nil, &api.Error{Code: api.CodeUsage, Message: err.Error()}
	}
	if request != nil {
		return []policy.Action{*request}, nil
	}
	a, err := NewAnalyzer(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Close() }()
	return actions(ctx, a, ask.SQL), nil
}
