#!/bin/bash
# Two statements wait in psql; bob answers both in a browser. Run it in the
# demo's world: hoop demo -- testdata/page/walk.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for c in chromium-headless-shell chromium chromium-browser google-chrome; do
	[ -n "${CHROMIUM:-}" ] || CHROMIUM=$(command -v $c || true)
done
# The browser trusts the one key that the demo's broker has.
PIN=$(openssl x509 -in "$HOOP_DEMO_DIR/tls/broker.pem" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64)
export CHROMIUM PIN

answered() { # answered approve|deny SQL
	hoop connect demo-pg -- psql -X -v ON_ERROR_STOP=1 -c "$2" >"$work/psql" 2>&1 &
	local psql=$! link=""
	for _ in $(seq 300); do
		link=$(sed -n 's/.*or in a browser: \(https[^ ]*\).*/\1/p' "$work/psql" | head -n 1)
		[ -z "$link" ] || break
		sleep 0.1
	done
	node "$here/page.js" "$1" "$link" bob "$(cat "$HOOP_DEMO_DIR/bob/password")"
	wait $psql || true
	cat "$work/psql"
}

answered deny 'DROP TABLE orders'
grep -q 'keep the orders' "$work/psql"
answered approve "$(printf 'ALTER TABLE orders ADD COLUMN "checked\342\200\256" boolean')"
grep -qx 'ALTER TABLE' "$work/psql"
[ "$(hoop connect demo-pg -- psql -XAtc "select count(*) from orders")" = 3000 ]
[ "$(hoop connect demo-pg -- psql -XAtc "select count(*) from information_schema.columns where table_name = 'orders' and column_name like 'checked%'")" = 1 ]
echo "page: both statements ended as bob said"
