package lineage

// triggerBits gives the bits of pg_trigger.tgtype that a command may fire.
func triggerBits(command int64) int {
	const insert, remove, update = 1 << 2, 1 << 3, 1 << 4
	switch command {
	case cmdInsert:
		return insert
	case cmdUpdate:
		return update
	case cmdDelete:
		return remove
	}
	return insert | remove | update
}

// writes notes which labelled values a query writes, and where.
func (w *walker) writes(s *scope) {
	if s.command == cmdSelect {
		return
	}
	result, ok := s.q.number("resultRelation")
	if !ok || result < 1 || int(result) > len(s.tables) {
		w.fail("there is no table to write to")
		return
	}
	rel := w.relation(s.tables[result-1])
	if s.command == cmdInsert || s.command == cmdUpdate {
		w.assigned(s.q.field("targetList"), rel, s)
	}
	if conflict := s.q.field("onConflict"); conflict.some() {
		w.assigned(conflict.field("onConflictSet"), rel, s)
	}
	for a := s.q.field("mergeActionList").first(); a.t != nil; a = a.following() {
		w.assigned(a.field("targetList"), rel, s)
	}
	w.facts.Blind = w.facts.Blind || w.triggered(s) != nil
	if fired := w.triggered(s); fired != nil && !w.c.Labelled(rel) {
		w.facts.Calls = append(w.facts.Calls, Call{Function: w.c.functionName(fired.function), Approve: true,
			Why: "this trigger may carry labelled values into the table that is written"})
	}
}

func (w *walker) assigned(targets Node, rel uint32, s *scope) {
	for t := targets.first(); t.t != nil; t = t.following() {
		number, ok := t.number("resno")
		if !ok || number < 1 || number > 1664 {
			w.fail("a target has no number")
			return
		}
		from := w.expr(t.field("expr"), s).from
		if t.is("resjunk") || from.empty() {
			continue
		}
		into := w.c.column(rel, int16(number)).from
		w.facts.Writes = append(w.facts.Writes, Write{Relation: rel, Column: int16(number), from: from, into: into})
	}
}

// triggered gives a trigger that fires and may carry labelled values.
func (w *walker) triggered(s *scope) *trigger {
	result, _ := s.q.number("resultRelation")
	if result < 1 || int(result) > len(s.tables) {
		return nil
	}
	oid, _ := s.tables[result-1].number("relid")
	for i, t := range w.c.triggers[uint32(oid)] {
		if t.events&triggerBits(s.command) != 0 || s.q.field("onConflict").some() && t.events&triggerBits(cmdUpdate) != 0 {
			return &w.c.triggers[uint32(oid)][i]
		}
	}
	return nil
}

func (c *Catalog) functionName(id uint32) string {
	if fn := c.functions[id]; fn != nil {
		return fn.name
	}
	return "a function"
}
