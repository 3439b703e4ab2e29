package sql

import (
	_ "embed"
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// harmlessList names the functions of PostgreSQL 15 to 18 that only compute,
// one a line: those that the catalog of 15 calls immutable or stable, without
// the ones that run SQL, and those of later versions.
//
//go:embed harmless.txt
var harmlessList string

// harmless is read once, in the worker.
var harmless = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.Lines(harmlessList) {
		names[strings.TrimSpace(name)] = true
	}
	return names
})

// funcCall notes a function and what calling it does. A function that is not
// known to be harmless may run any code.
func (w *walker) funcCall(n *pg.FuncCall) {
	parts := stringList(n.GetFuncname())
	w.functions.add(qualifiedName(parts))
	name, builtin := builtinName(parts)
	switch {
	case !builtin:
		w.effect("code")
	case name == "set_config":
		w.effect("session")
		w.setConfig(n.GetArgs())
	case harmless()[name]:
	default:
		w.effect(functionEffect(name))
	}
	w.children(n)
}

// builtinName gives the bare name of a function that may be PostgreSQL's own.
// pg_catalog is searched first unless search_path says otherwise.
func builtinName(parts []string) (string, bool) {
	switch {
	case len(parts) == 1:
		return parts[0], true
	case len(parts) == 2 && parts[0] == "pg_catalog":
		return parts[1], true
	}
	return "", false
}

// setConfig notes the setting that set_config changes: a constant, or unknown.
func (w *walker) setConfig(args []*pg.Node) {
	w.literal = true
	if len(args) > 0 {
		if name, ok := args[0].GetAConst().GetVal().(*pg.A_Const_Sval); ok {
			w.settings.add(strings.ToLower(name.Sval.GetSval()))
			return
		}
	}
	w.unknown("set_config with a computed name")
}

// functionEffect is what calling one of PostgreSQL's own functions does; code
// for one that runs SQL and for every name that is not PostgreSQL's.
func functionEffect(name string) string {
	switch name {
	case "clock_timestamp", "current_query", "currval", "lastval", "gen_random_uuid", "random", "timeofday",
		"pg_sleep", "pg_sleep_for", "pg_sleep_until", "lo_get", "loread", "lo_tell", "lo_tell64", "lo_lseek", "lo_lseek64", "lo_close",
		"pg_blocking_pids", "pg_safe_snapshot_blocking_pids", "pg_isolation_test_session_is_blocked", "pg_lock_status",
		"pg_database_size", "pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size", "pg_tablespace_size",
		"pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_get_wal_replay_pause_state", "pg_last_wal_receive_lsn",
		"pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_current_wal_lsn", "pg_current_wal_insert_lsn",
		"pg_current_wal_flush_lsn", "pg_sequence_last_value", "pg_partition_tree", "pg_partition_ancestors",
		"pg_xact_status", "txid_status", "pg_xact_commit_timestamp", "pg_xact_commit_timestamp_origin", "pg_last_committed_xact",
		"pg_prepared_xact", "pg_jit_available", "pg_notification_queue_usage", "pg_export_snapshot",
		"pg_control_checkpoint", "pg_control_init", "pg_control_recovery", "pg_control_system",
		"pg_collation_actual_version", "pg_database_collation_actual_version", "pg_get_multixact_members",
		"pg_get_backend_memory_contexts", "pg_get_shmem_allocations", "pg_get_wal_resource_managers", "amvalidate",
		"pg_stat_have_stats", "pg_stat_clear_snapshot", "pg_show_replication_origin_status", "uuidv4", "uuidv7", "random_normal",
		"array_shuffle", "array_sample":
		return "read"
	case "txid_current", "pg_current_xact_id": // they give the transaction its number, which writes
		return "transaction"
	case "nextval", "setval", "lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lo_truncate", "lo_truncate64", "lo_unlink", "lo_open",
		"lowrite", "pg_notify", "pg_logical_emit_message", "pg_nextoid":
		return "write"
	case "setseed", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
		"pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_try_advisory_lock",
		"pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared":
		return "session"
	case "pg_read_file", "pg_read_file_old", "pg_read_binary_file", "pg_stat_file", "pg_current_logfile", "pg_hba_file_rules",
		"pg_ident_file_mappings", "pg_show_all_file_settings", "lo_import", "lo_export":
		return "file"
	case "pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_rotate_logfile_old", "pg_promote",
		"pg_switch_wal", "pg_create_restore_point", "pg_backup_start", "pg_backup_stop", "pg_start_backup", "pg_stop_backup",
		"pg_wal_replay_pause", "pg_wal_replay_resume", "pg_log_backend_memory_contexts", "pg_import_system_collations",
		"brin_desummarize_range", "brin_summarize_new_values", "brin_summarize_range", "gin_clean_pending_list",
		"pg_log_standby_snapshot", "pg_sync_replication_slots", "pg_extension_config_dump":
		return "admin"
	}
	for _, group := range [...]struct{ prefix, effect string }{
		{"pg_ls_", "file"}, {"pg_stat_get_", "read"}, {"pg_stat_reset", "admin"}, {"pg_stat_force_", "read"},
		{"pg_replication_", "admin"}, {"pg_logical_slot_", "admin"}, {"pg_create_", "admin"}, {"pg_copy_", "admin"},
		{"pg_drop_replication_", "admin"}, {"binary_upgrade_", "admin"}, {"pg_restore_", "admin"}, {"pg_clear_", "admin"},
	} {
		if strings.HasPrefix(name, group.prefix) {
			return group.effect
		}
	}
	return "code"
}
