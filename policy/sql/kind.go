package sql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// utility is what a statement of one node type is and does, where that does not
// depend on what stands in it.
type utility struct {
	kind    string
	effects string
}

// utilityOf knows the statements whose kind follows from their node type. The
// name is that of the parse tree's field.
func utilityOf(field string) (utility, bool) {
	switch field {
	case "execute_stmt":
		return utility{"execute", "code"}, true
	case "deallocate_stmt":
		return utility{"deallocate", "session"}, true
	case "close_portal_stmt":
		return utility{"close", "read"}, true
	case "do_stmt":
		return utility{"do", "code"}, true
	case "call_stmt":
		return utility{"call", "code"}, true
	case "load_stmt":
		return utility{"load", "code file"}, true
	case "truncate_stmt":
		return utility{"truncate", "write"}, true
	case "listen_stmt":
		return utility{"listen", "session"}, true
	case "unlisten_stmt":
		return utility{"unlisten", "session"}, true
	case "notify_stmt":
		return utility{"notify", "write"}, true
	case "variable_show_stmt":
		return utility{"show", "read"}, true
	case "constraints_set_stmt":
		return utility{"set_constraints", "transaction"}, true
	case "cluster_stmt":
		return utility{"cluster", "admin"}, true
	case "reindex_stmt":
		return utility{"reindex", "admin"}, true
	case "check_point_stmt":
		return utility{"checkpoint", "admin"}, true
	case "refresh_mat_view_stmt":
		return utility{"refresh_materialized_view", "write code"}, true
	case "sec_label_stmt":
		return utility{"security_label", "admin"}, true
	case "comment_stmt":
		return utility{"comment", "ddl"}, true
	case "alter_default_privileges_stmt":
		return utility{"alter_default_privileges", "admin"}, true
	case "drop_owned_stmt":
		return utility{"drop_owned", "ddl admin"}, true
	case "reassign_owned_stmt":
		return utility{"reassign_owned", "admin"}, true
	case "alter_system_stmt":
		return utility{"alter_system", "admin"}, true
	case "import_foreign_schema_stmt":
		return utility{"import_foreign_schema", "ddl"}, true
	}
	return definition(field)
}

// definition knows the statements that create, alter or drop one kind of object.
func definition(field string) (utility, bool) {
	switch field {
	case "create_stmt":
		return utility{"create_table", "ddl"}, true
	case "create_foreign_table_stmt":
		return utility{"create_foreign_table", "ddl"}, true
	case "index_stmt":
		return utility{"create_index", "ddl"}, true
	case "create_schema_stmt":
		return utility{"create_schema", "ddl"}, true
	case "create_seq_stmt":
		return utility{"create_sequence", "ddl"}, true
	case "alter_seq_stmt":
		return utility{"alter_sequence", "ddl"}, true
	case "create_trig_stmt":
		return utility{"create_trigger", "ddl"}, true
	case "create_event_trig_stmt":
		return utility{"create_event_trigger", "ddl admin"}, true
	case "alter_event_trig_stmt":
		return utility{"alter_event_trigger", "ddl admin"}, true
	case "rule_stmt":
		return utility{"create_rule", "ddl"}, true
	case "create_policy_stmt":
		return utility{"create_policy", "ddl admin"}, true
	case "alter_policy_stmt":
		return utility{"alter_policy", "ddl admin"}, true
	case "create_extension_stmt":
		return utility{"create_extension", "ddl code admin"}, true
	case "alter_extension_stmt", "alter_extension_contents_stmt":
		return utility{"alter_extension", "ddl code admin"}, true
	case "create_domain_stmt":
		return utility{"create_domain", "ddl"}, true
	case "alter_domain_stmt":
		return utility{"alter_domain", "ddl"}, true
	case "composite_type_stmt", "create_enum_stmt", "create_range_stmt":
		return utility{"create_type", "ddl"}, true
	case "alter_type_stmt", "alter_enum_stmt":
		return utility{"alter_type", "ddl"}, true
	case "alter_collation_stmt":
		return utility{"alter_collation", "ddl"}, true
	case "alter_operator_stmt":
		return utility{"alter_operator", "ddl"}, true
	case "create_op_class_stmt":
		return utility{"create_operator_class", "ddl"}, true
	case "create_op_family_stmt":
		return utility{"create_operator_family", "ddl"}, true
	case "alter_op_family_stmt":
		return utility{"alter_operator_family", "ddl"}, true
	case "create_stats_stmt":
		return utility{"create_statistics", "ddl"}, true
	case "alter_stats_stmt":
		return utility{"alter_statistics", "ddl"}, true
	case "create_cast_stmt":
		return utility{"create_cast", "ddl"}, true
	case "create_conversion_stmt":
		return utility{"create_conversion", "ddl"}, true
	case "create_transform_stmt":
		return utility{"create_transform", "ddl"}, true
	case "create_am_stmt":
		return utility{"create_access_method", "ddl admin"}, true
	case "create_plang_stmt":
		return utility{"create_language", "ddl admin"}, true
	case "alter_tsdictionary_stmt":
		return utility{"alter_text_search_dictionary", "ddl"}, true
	case "alter_tsconfiguration_stmt":
		return utility{"alter_text_search_configuration", "ddl"}, true
	}
	return cluster(field)
}

// cluster knows the statements about what databases share and about other
// servers.
func cluster(field string) (utility, bool) {
	switch field {
	case "create_role_stmt":
		return utility{"create_role", "admin"}, true
	case "alter_role_stmt", "alter_role_set_stmt":
		return utility{"alter_role", "admin"}, true
	case "drop_role_stmt":
		return utility{"drop_role", "admin"}, true
	case "createdb_stmt":
		return utility{"create_database", "ddl admin"}, true
	case "alter_database_stmt", "alter_database_refresh_coll_stmt", "alter_database_set_stmt":
		return utility{"alter_database", "ddl admin"}, true
	case "dropdb_stmt":
		return utility{"drop_database", "ddl admin"}, true
	case "create_table_space_stmt":
		return utility{"create_tablespace", "ddl admin file"}, true
	case "alter_table_space_options_stmt", "alter_table_move_all_stmt":
		return utility{"alter_tablespace", "ddl admin"}, true
	case "drop_table_space_stmt":
		return utility{"drop_tablespace", "ddl admin"}, true
	case "create_fdw_stmt":
		return utility{"create_foreign_data_wrapper", "ddl admin"}, true
	case "alter_fdw_stmt":
		return utility{"alter_foreign_data_wrapper", "ddl admin"}, true
	case "create_foreign_server_stmt":
		return utility{"create_foreign_server", "ddl admin"}, true
	case "alter_foreign_server_stmt":
		return utility{"alter_foreign_server", "ddl admin"}, true
	case "create_user_mapping_stmt":
		return utility{"create_user_mapping", "ddl admin"}, true
	case "alter_user_mapping_stmt":
		return utility{"alter_user_mapping", "ddl admin"}, true
	case "drop_user_mapping_stmt":
		return utility{"drop_user_mapping", "ddl admin"}, true
	case "create_publication_stmt":
		return utility{"create_publication", "ddl admin"}, true
	case "alter_publication_stmt":
		return utility{"alter_publication", "ddl admin"}, true
	case "create_subscription_stmt":
		return utility{"create_subscription", "ddl admin"}, true
	case "alter_subscription_stmt":
		return utility{"alter_subscription", "ddl admin"}, true
	case "drop_subscription_stmt":
		return utility{"drop_subscription", "ddl admin"}, true
	}
	return utility{}, false
}

// objectWord is the word for an object type in kinds such as drop_table.
func objectWord(t pg.ObjectType) string {
	switch t {
	case pg.ObjectType_OBJECT_MATVIEW:
		return "materialized_view"
	case pg.ObjectType_OBJECT_FDW:
		return "foreign_data_wrapper"
	case pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return "domain_constraint"
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		return "table_constraint"
	case pg.ObjectType_OBJECT_LARGEOBJECT:
		return "large_object"
	case pg.ObjectType_OBJECT_OPCLASS:
		return "operator_class"
	case pg.ObjectType_OBJECT_OPFAMILY:
		return "operator_family"
	case pg.ObjectType_OBJECT_PARAMETER_ACL:
		return "parameter"
	case pg.ObjectType_OBJECT_PUBLICATION_REL:
		return "publication_relation"
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		return "statistics"
	case pg.ObjectType_OBJECT_TSCONFIGURATION:
		return "text_search_configuration"
	case pg.ObjectType_OBJECT_TSDICTIONARY:
		return "text_search_dictionary"
	case pg.ObjectType_OBJECT_TSPARSER:
		return "text_search_parser"
	case pg.ObjectType_OBJECT_TSTEMPLATE:
		return "text_search_template"
	default:
		return strings.ToLower(strings.TrimPrefix(t.String(), "OBJECT_"))
	}
}
