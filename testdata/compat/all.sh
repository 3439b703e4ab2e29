#!/bin/bash
# Everything that make compat compares. Usage: testdata/compat/all.sh BIN
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
peers="psql dump pgbench node"
if /usr/bin/python3 -c 'import psycopg2' 2>/dev/null; then peers="$peers python"; else echo "python: left out, there is no psycopg2 (python3-psycopg2)"; fi
if command -v java >/dev/null && [ -e /usr/share/java/postgresql.jar ]; then peers="$peers java"; else echo "java: left out, there is no JDBC driver (libpostgresql-jdbc-java)"; fi
# shellcheck disable=SC2086
"$bin" demo --config "$here/allow.yaml" -- "$here/compare.sh" $peers
"$here/pgx.sh" "$bin"
