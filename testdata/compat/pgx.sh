#!/bin/bash
# pgx's own tests against the demo's PostgreSQL, directly and through hoop.
# Prints both counts and every test whose outcome is another one, and fails
# where that is not in pgx.expected. Usage: testdata/compat/pgx.sh BIN
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${HOOP_DEMO_DIR:-}" ]; then
	bin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
	exec "$bin" demo --config "$here/allow.yaml" -- "$here/pgx.sh" "$bin"
fi
version=v5.12.0
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
dir=$(go mod download -json "github.com/jackc/pgx/v5@$version" | sed -n 's/^	"Dir": "\(.*\)",$/\1/p')
cp -R "$dir" "$work/pgx"
chmod -R u+w "$work/pgx"
cd "$work/pgx"

# as WAY COMMAND...: directly, or through hoop.
as() {
	way=$1
	shift
	if [ "$way" = through ]; then
		hoop connect demo-pg-superuser -- "$@"
	else
		env $(cat "$HOOP_DEMO_DIR/target.env") "$@"
	fi
}

as direct psql -X -q -d postgres -c 'create database pgx_test'
as direct psql -X -q -d pgx_test -c 'create extension hstore; create extension ltree; create domain uint64 as numeric(20,0)'
for way in direct through; do
	# shellcheck disable=SC2016
	as "$way" sh -c 'PGX_TEST_DATABASE="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=pgx_test sslmode=disable" \
		PGDATABASE=pgx_test go test -p 1 -count 1 -timeout 15m -json ./...' >"$work/$way.json" 2>"$work/$way.err" || true
	sed -n -E -e "s/servicefile='[^']*'/servicefile/" -e 's/.*"Action":"(pass|fail|skip)","Package":"([^"]*)","Test":"([^"]*)".*/\2 \3 \1/p' "$work/$way.json" | sort >"$work/$way"
	echo "$way: $(grep -c ' pass$' "$work/$way") pass, $(grep -c ' fail$' "$work/$way") fail, $(grep -c ' skip$' "$work/$way") skip"
	[ -z "${COMPAT_KEEP:-}" ] || cp "$work/$way.json" "$work/$way.err" "$COMPAT_KEEP/"
done
diff "$work/direct" "$work/through" | grep '^[<>]' | sort >"$work/differs" || true
grep -v '^#' "$here/pgx.expected" | sort >"$work/expected"
cat "$work/differs"
if ! diff "$work/expected" "$work/differs" >"$work/news"; then
	echo "what differs is not what pgx.expected explains:"
	cat "$work/news"
	exit 1
fi
