package lineage

import (
	"slices"
	"strings"
)

// danger is a list of functions that nobody may call where labels hold.
type danger struct {
	why   string
	names []string // a * at the end stands for the rest
}

var dangers = [...]danger{
	{"it runs the text that it is given", []string{
		"query_to_xml*", "table_to_xml*", "schema_to_xml*", "database_to_xml*", "cursor_to_xml*", "ts_stat", "ts_rewrite",
		"crosstab*", "connectby*", "dblink*", "xpath_table", "plpgsql_check*", "pg_background*", "schedule*", "http_*",
		"postgres_fdw_*",
	}},
	{"it reads or writes files, or pages as they are stored", []string{
		"pg_read_file*", "pg_read_binary_file*", "pg_ls_*", "pg_stat_file", "pg_file_*", "pg_logdir_ls", "pg_current_logfile",
		"get_raw_page*", "heap_page_*", "heap_tuple_infomask_flags", "tuple_data_split", "bt_page_*", "bt_multi_page_stats", "bt_metap",
		"brin_page_*", "brin_revmap_data", "brin_metapage_info", "gin_*page*", "gin_leafpage_items", "gist_page_*", "hash_page_*",
		"hash_bitmap_info", "hash_metapage_info", "fsm_page_contents", "page_header", "pg_get_wal_*", "pg_walinspect*",
		"pg_import_*", "binary_upgrade_*",
	}},
	{"it reaches large objects, which no label covers", []string{
		"lo_*", "loread", "lowrite", "lo",
	}},
	{"it reads changes from the log of the server", []string{
		"pg_logical_slot_*", "pg_create_*_replication_slot", "pg_copy_*_replication_slot", "pg_drop_replication_slot",
		"pg_replication_*", "pg_sync_replication_slots",
	}},
	{"it acts on the server or on other sessions", []string{
		"pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile*", "pg_promote", "pg_switch_wal",
		"pg_create_restore_point", "pg_wal_replay_*", "pg_start_backup", "pg_stop_backup", "pg_backup_*", "pg_restore_*_stats",
		"pg_clear_*_stats", "pg_log_backend_memory_contexts",
	}},
}

// sinks keep what they are given where others, or a later statement, find it.
var sinks = []string{
	"set_config", "pg_notify", "setval", "pg_advisory_*", "pg_try_advisory_*", "pg_sleep*", "setseed", "pg_logical_emit_message",
	"pg_export_snapshot", "nextval",
}

// structural are functions that return a row for each field of a row, whatever
// the fields hold.
var structural = []string{
	"json_each*", "jsonb_each*", "json_object_keys", "jsonb_object_keys", "svals", "skeys", "each",
}

// pure are the extensions whose C functions return nothing but what derives
// from their arguments. (Those on other lists are dealt with first.)
var pure = []string{
	"hstore", "pgcrypto", "citext", "uuid-ossp", "pg_trgm", "unaccent", "fuzzystrmatch", "ltree", "cube", "earthdistance", "intarray",
	"isn", "btree_gin", "btree_gist", "bloom", "seg", "tablefunc", "tcn", "lo", "dict_int", "dict_xsyn", "tsm_system_rows",
	"tsm_system_time", "intagg", "xml2", "sslinfo", "pgstattuple", "pg_buffercache", "pg_stat_statements", "pg_freespacemap",
	"pg_visibility", "pg_prewarm", "amcheck", "pgrowlocks", "moddatetime", "autoinc", "insert_username", "refint",
	"postgis", "postgis_topology", "postgis_raster", "address_standardizer", "vector", "hll", "pgroonga", "semver", "ip4r", "prefix",
}

func listed(names []string, name string) bool {
	return slices.ContainsFunc(names, func(entry string) bool {
		prefix, starred := strings.CutSuffix(entry, "*")
		if before, after, inner := strings.Cut(prefix, "*"); inner {
			return strings.HasPrefix(name, before) && strings.Contains(name[len(before):], after)
		}
		return name == prefix || starred && strings.HasPrefix(name, prefix)
	})
}
