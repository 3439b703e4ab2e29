package broker

import (
	"context"
	"errors"
	"fmt"

	"hoop/policy"
)

// Inspector is an engine that can look at a target for somebody, without a
// client.
type Inspector interface {
	// Lineage tells what the results of one statement derive from, as the
	// target understands it; it runs nothing. Nil where nothing is labelled.
	Lineage(ctx context.Context, s *Session, a *Action) (*Lineage, error)
	// Sample looks into every table that the credential may read, at most rows
	// rows each, and reports what the detectors find. Each query is an action of
	// the session, which it opens.
	Sample(ctx context.Context, s *Session, rows int, found func(SampledColumn)) error
}

// Lineage is what the labels say of a statement that policy lets pass.
type Lineage struct {
	Columns []LineageColumn `json:"columns"`
	// Effect is theirs; policy's may be stricter.
	Effect policy.Effect `json:"effect"`
	Reason string        `json:"reason,omitempty"`
	Hint   string        `json:"hint,omitempty"`
}

// LineageColumn is one column of a result.
type LineageColumn struct {
	Name string   `json:"name"`
	From []string `json:"from,omitempty"` // labelled columns: schema.table.column
	// Labels are those that the client is not shown.
	Labels []string `json:"labels,omitempty"`
	// Mask is how values are replaced: the method, "whole" where they are
	// computed, "" where they pass.
	Mask string `json:"mask,omitempty"`
}

// SampledColumn is what the detectors made of one column's values.
type SampledColumn struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Column string `json:"column"`
	// Values is how many were looked at, NULL left out; Found, how many of them
	// hold a finding of a class.
	Values int            `json:"values"`
	Found  map[string]int `json:"found,omitempty"`
	// Label is what the column carries already.
	Label string `json:"label,omitempty"`
}

// Explain asks the target of a connection what a statement reads. Nil where the
// policy denies the statement, nothing is labelled or the engine cannot tell.
func (b *Broker) Explain(ctx context.Context, who *Caller, conn *Connection, a *policy.Action) (*Lineage, error) {
	s, i, err := b.inspect(who, conn, "") // no session: nothing runs
	if err != nil {
		return nil, nil
	}
	open := Action{Action: policy.Action{Verb: verbOpen, Text: conn.Target.Database}}
	act := Action{Action: *a}
	if s.Preview(&open).Effect == policy.Deny || s.Preview(&act).Effect == policy.Deny {
		return nil, nil
	}
	lineage, err := i.Lineage(ctx, s, &act)
	if err != nil {
		return nil, fmt.Errorf("ask the target: %w", err)
	}
	return lineage, nil
}

// Discover samples a connection's tables as a session of the caller.
func (b *Broker) Discover(ctx context.Context, who *Caller, conn *Connection, rows int, found func(SampledColumn)) error {
	s, i, err := b.inspect(who, conn, newID())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := b.enter(s, cancel); err != nil {
		return err
	}
	defer b.leave(s.ID)
	if who.Ended != nil {
		defer context.AfterFunc(who.Ended, func() { cancel(context.Cause(who.Ended)) })()
	}
	err = i.Sample(ctx, s, rows, found)
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(cause, err)
	}
	s.Close(closeReason(ctx, err))
	return err
}

func (b *Broker) inspect(who *Caller, conn *Connection, id string) (*Session, Inspector, error) {
	i, ok := b.opts.Engines[conn.Protocol].(Inspector)
	if !ok {
		return nil, nil, fmt.Errorf("connection %s: nothing can be looked at with protocol %q", conn.Name, conn.Protocol)
	}
	return NewSession(b.deps(conn, id), id, &Admission{
		Principal: who.Principal, Chain: who.Chain, Connection: &conn.Connection,
		Target: &conn.Target, Client: who.Client, Binding: who.Binding,
	}), i, nil
}
