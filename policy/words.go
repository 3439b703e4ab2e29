package policy

import "strings"

// KnownSQLEffect reports whether a word can stand in SQL.Effects.
func KnownSQLEffect(s string) bool {
	switch s {
	case "read", "write", "ddl", "session", "transaction", "code", "file", "program", "admin":
		return true
	}
	return false
}

func knownProtocol(s string) bool {
	switch s {
	case "postgres", "ssh", "kubernetes", "http":
		return true
	}
	return false
}

// unseen tells the verbs that no wildcard reaches, so that a rule must name
// them: those that carry no statement which could be understood, and rights
// over what is other people's.
func unseen(verb string) bool {
	switch verb {
	case "sql.unknown", "sql.function_call", "sql.replication", "audit.read", "session.end", SSHUnknown:
		return true
	}
	return false
}

const plainKinds = ` select insert update delete merge select_into copy_in copy_out truncate lock ` +
	`call do explain prepare execute deallocate declare fetch move close load ` +
	`begin commit rollback savepoint release rollback_to prepare_transaction commit_prepared rollback_prepared ` +
	`set reset set_transaction set_constraints show discard listen unlisten notify ` +
	`vacuum analyze cluster reindex checkpoint refresh_materialized_view comment security_label ` +
	`grant revoke grant_role revoke_role alter_default_privileges drop_owned reassign_owned alter_system ` +
	`create_table_as import_foreign_schema function_call replication unknown `

const objectKinds = ` access_method aggregate attribute cast collation column conversion database default domain ` +
	`domain_constraint event_trigger extension foreign_data_wrapper foreign_server foreign_table function index ` +
	`language large_object materialized_view operator operator_class operator_family parameter policy procedure ` +
	`publication publication_namespace publication_relation role routine rule schema sequence statistics ` +
	`subscription table table_constraint tablespace text_search_configuration text_search_dictionary ` +
	`text_search_parser text_search_template transform trigger type user_mapping view `

// KnownSQLKind reports whether a word can be the kind of a statement: select,
// create_table, drop_index, … The analyser makes no others.
func KnownSQLKind(kind string) bool {
	if kind == "" || strings.Contains(kind, " ") {
		return false
	}
	if strings.Contains(plainKinds, " "+kind+" ") {
		return true
	}
	for _, verb := range [...]string{"create_", "alter_", "drop_"} {
		if object, ok := strings.CutPrefix(kind, verb); ok {
			return object != "" && strings.Contains(objectKinds, " "+object+" ")
		}
	}
	return false
}

// knownKindPattern reports whether some kind of a statement can match.
func knownKindPattern(p pattern) bool {
	if !p.prefix {
		return KnownSQLKind(p.text)
	}
	if strings.Contains(plainKinds, " "+p.text) {
		return true
	}
	for _, verb := range [...]string{"create_", "alter_", "drop_"} {
		if strings.HasPrefix(verb, p.text) {
			return true
		}
		if object, ok := strings.CutPrefix(p.text, verb); ok && strings.Contains(objectKinds, " "+object) {
			return true
		}
	}
	return false
}

func goodLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}
