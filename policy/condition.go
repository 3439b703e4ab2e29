package policy

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // getHours('Europe/Berlin') must work on a machine without zone files

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// maxConditionCost bounds what one evaluation may cost, in CEL's units (about
// one a node). An expression that costs more fails, and so denies.
const maxConditionCost = 100_000

// condition is a rule's `when`, checked and planned.
type condition struct {
	program cel.Program
	text    string
	// readsSQL is true where it reads `sql`; readsFacts where it reads more of
	// it than what is certain even of a statement that was not understood.
	readsSQL, readsFacts bool
	// readsLabels is true where it reads what only the target can tell.
	readsLabels bool
	// readsSSH is true where it reads `ssh`, and sshFields what of it.
	readsSSH  bool
	sshFields []string
}

// conditions compiles `when` expressions against the one fixed schema.
type conditions struct{ env *cel.Env }

// celAction is `action` as expressions see it.
type celAction struct {
	Verb string `json:"verb"`
	Text string `json:"text"`
}

func newConditions() (*conditions, error) {
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTag("json"),
			cel.NativeTypeFor[Principal](), cel.NativeTypeFor[Actor](), cel.NativeTypeFor[Connection](),
			cel.NativeTypeFor[celAction](), cel.NativeTypeFor[SQL](), cel.NativeTypeFor[celSSH]()),
		cel.Variable("principal", cel.ObjectType("policy.Principal")),
		cel.Variable("chain", cel.ListType(cel.ObjectType("policy.Actor"))),
		cel.Variable("connection", cel.ObjectType("policy.Connection")),
		cel.Variable("action", cel.ObjectType("policy.celAction")),
		cel.Variable("sql", cel.ObjectType("policy.SQL")),
		cel.Variable("ssh", cel.ObjectType("policy.celSSH")),
		cel.Variable("now", cel.TimestampType),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the condition language: %w", err)
	}
	return &conditions{env}, nil
}

// compile checks one expression. Errors are for people, one line each.
func (cs *conditions) compile(text string) (*condition, []string) {
	checked, issues := cs.env.Compile(text)
	if issues != nil && issues.Err() != nil {
		var lines []string
		for _, e := range issues.Errors() {
			lines = append(lines, fmt.Sprintf("%d:%d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
		}
		return nil, lines
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, []string{fmt.Sprintf("must be true or false, but is a %s", checked.OutputType())}
	}
	if err := checkZones(checked.NativeRep()); err != nil {
		return nil, []string{err.Error()}
	}
	program, err := cs.env.Program(checked, cel.CostLimit(maxConditionCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []string{err.Error()}
	}
	c := &condition{program: program, text: text}
	c.readsSQL, c.readsFacts, c.readsLabels = sqlUse(checked.NativeRep())
	c.readsSSH, c.sshFields = sshUse(checked.NativeRep())
	return c, nil
}

// eval runs the expression. What cannot be computed is an error.
func (c *condition) eval(in *Input) (bool, error) {
	out, _, err := c.program.Eval(activation{in})
	if err != nil {
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("is neither true nor false")
	}
	return bool(b), nil
}

// activation gives an expression the input, nothing else.
type activation struct{ in *Input }

func (activation) Parent() cel.Activation { return nil }

func (a activation) ResolveName(name string) (any, bool) {
	switch name {
	case "principal":
		return a.in.Principal, a.in.Principal != nil
	case "chain":
		return []Actor(a.in.Chain), true
	case "connection":
		return a.in.Connection, a.in.Connection != nil
	case "action":
		return &celAction{a.in.Action.Verb, a.in.Action.Text}, true
	case "sql":
		if a.in.Action.SQL == nil {
			return &SQL{}, true
		}
		return a.in.Action.SQL, true
	case "ssh":
		return sshOf(a.in.Action), true
	case "now":
		return a.in.Now, !a.in.Now.IsZero()
	}
	return nil, false
}

// sqlUse tells how an expression reads `sql`. Of a statement that was not
// understood, only that it is unknown, why, and its kind are certain.
func sqlUse(a *ast.AST) (reads, facts, labels bool) {
	certain := 0
	total := 0
	visitor := ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			if e.AsIdent() == "sql" {
				total++
			}
		case ast.SelectKind:
			s := e.AsSelect()
			if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "sql" {
				switch s.FieldName() {
				case "unknown", "kind", "why":
					certain++
				case "labels_read":
					labels = true
				}
			}
		}
	})
	ast.PostOrderVisit(a.Expr(), visitor)
	return total > 0, total > certain, labels
}

// checkZones loads every time zone that an expression names, so that a
// misspelt one is found at load and not at night.
func checkZones(a *ast.AST) error {
	var bad error
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || bad != nil {
			return
		}
		call := e.AsCall()
		if !call.IsMemberFunction() || !strings.HasPrefix(call.FunctionName(), "get") {
			return
		}
		for _, arg := range call.Args() {
			if arg.Kind() != ast.LiteralKind {
				continue
			}
			if zone, ok := arg.AsLiteral().(types.String); ok {
				bad = checkZone(string(zone))
			}
		}
	}))
	return bad
}

func checkZone(zone string) error {
	if strings.Contains(zone, ":") { // CEL also takes offsets: '+02:00'
		return nil
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return fmt.Errorf("%q is not a time zone: write one like Europe/Berlin or +02:00", zone)
	}
	return nil
}
