package lineage

// total are the server's own functions, by the C function behind them, that
// give NULL just where one of their arguments is.
var total = []string{
	"textcat", "upper", "lower", "initcap", "text_reverse", "md5_text", "md5_bytea", "textlen", "textoctetlen", "byteaoctetlen",
	"pg_convert_to", "binary_encode", "translate", "text_substr", "text_substr_no_len", "text_left", "text_right", "repeat",
	"lpad", "rpad", "btrim", "btrim1", "ltrim", "ltrim1", "rtrim", "rtrim1", "replace_text", "quote_literal", "quote_ident",
	"ascii", "chr", "to_json", "to_jsonb", "row_to_json", "row_to_json_pretty", "textregexreplace", "textregexreplace_noopt",
	"split_part", "text_starts_with", "textpos", "textlike", "textnlike", "texticlike", "texticnlike", "textregexeq", "textregexne",
	"texticregexeq", "texticregexne", "texteq", "textne", "text_lt", "text_le", "text_gt", "text_ge", "hashtext", "bttextcmp",
	"sha224_bytea", "sha256_bytea", "sha384_bytea", "sha512_bytea", "rtrim1", "text_name", "text_char", "rtextcast", "textoverlay",
	"textoverlay_no_len", "array_append", "text_to_array", "text_to_array_null", "bpchar", "varchar",
	"numeric_add", "numeric_sub", "numeric_mul", "numeric_div", "int4pl", "int4mi", "int4mul", "int4div", "int8pl", "int8mi", "int8mul", "int8div",
	"int4eq", "int4ne", "int4lt", "int4le", "int4gt", "int4ge", "int8eq", "int8ne", "int8lt", "int8le", "int8gt", "int8ge",
	"numeric_eq", "numeric_ne", "numeric_lt", "numeric_le", "numeric_gt", "numeric_ge", "byteaeq", "byteane", "byteacat",
}

// never are those that give a value whatever their arguments are, where the
// first is no NULL at least.
var never = []string{
	"text_concat", "text_concat_ws", "text_format", "text_format_nv", "jsonb_build_object", "jsonb_build_object_noargs", "jsonb_build_array",
	"jsonb_build_array_noargs", "json_build_object", "json_build_object_noargs", "json_build_array", "json_build_array_noargs", "quote_nullable",
	"pg_num_nulls", "pg_num_nonnulls", "aggregate count",
}

// collected are aggregates and window functions that give NULL just where all
// that they are given is, whose place depends on arguments that are no secret.
var collected = []string{
	"max", "min", "sum", "avg", "string_agg", "array_agg", "json_agg", "jsonb_agg", "bool_and", "bool_or", "every", "count",
	"lag", "lead", "first_value", "last_value", "nth_value", "any_value",
}

// strictness notes them.
func (l *loader) strictness() {
	l.each(`select p.oid, p.prosrc, p.proname, p.prokind from pg_catalog.pg_proc p
where p.oid < 16384::pg_catalog.oid and p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace and (p.prokind in ('a', 'w') or p.prolang = 12::pg_catalog.oid)`, func(f []string) {
		switch {
		case f[3] == "a" || f[3] == "w":
			if listed(collected, f[2]) {
				l.c.nulls[l.oid(f[0])] = ofCollected
			}
		case listed(total, f[1]):
			l.c.nulls[l.oid(f[0])] = ofArguments
		case listed(never, f[1]):
			l.c.nulls[l.oid(f[0])] = ofFirst
		}
	})
}

// nullness tells what the result of one of the server's functions is NULL by.
type nullness uint8

const (
	ofAnything nullness = iota
	ofArguments
	ofFirst
	ofCollected
)

// showsNoNull reports whether nothing can be told from where a call gives NULL.
func (c *Catalog) showsNoNull(tag string, id uint32, each []taint) bool {
	if tag == "DISTINCTEXPR" {
		return true
	}
	switch c.nulls[id] {
	case ofArguments:
		return tag != "NULLIFEXPR" && tag != "SCALARARRAYOPEXPR" && allNulls(each)
	case ofFirst:
		return len(each) == 0 || each[0].nulls && (len(each) != 2 || each[1].nulls) // the second may be VARIADIC
	case ofCollected:
		for _, later := range each[min(1, len(each)):] {
			if !later.from.empty() && tag == "WINDOWFUNC" {
				return false
			}
		}
		return allNulls(each)
	}
	return false
}

func allNulls(each []taint) bool {
	for i := range each {
		if !each[i].nulls {
			return false
		}
	}
	return true
}

// allNulls is the same of all that is beneath a node.
func (w *walker) allNulls(n Node, s *scope) bool {
	var each []taint
	for _, part := range partsOf(n) {
		each = append(each, w.expr(part, s))
	}
	return allNulls(each)
}
