#!/bin/sh
# psql: one broad script, every byte of its output.
exec psql -X -a -f "$COMPAT/psql.sql" 2>&1
