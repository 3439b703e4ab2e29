#!/bin/bash
# Runs peers against the demo's PostgreSQL twice, directly and through hoop,
# and compares what they print. Run it in the demo's world:
#   hoop demo --config testdata/compat/allow.yaml -- testdata/compat/compare.sh psql dump ...
set -eu
COMPAT=$(cd "$(dirname "$0")" && pwd)
export COMPAT LC_ALL=C.UTF-8 PGTZ=UTC PGOPTIONS= PGAPPNAME=compat
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same stands for what is another number in every run.
same() {
	sed -E -e 's/(process with PID|by process|Process) [0-9]+/\1 PID/g' -e 's/^lo_(import|unlink) [0-9]+/lo_\1 OID/' \
		-e 's/^[A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]+ [0-9:]+ [0-9]{4} \(every/NOW (every/'
}

peer() { # peer NAME: how to run it
	case $1 in
	node) echo "$COMPAT/node/peer.sh" ;;
	java) echo java -cp /usr/share/java/postgresql.jar "$COMPAT/java/Peer.java" ;;
	python) echo /usr/bin/python3 "$COMPAT/python/peer.py" ;;
	*) echo "$COMPAT/$1.sh" ;;
	esac
}

direct() { # in a shell of its own: the credential stays there
	(
		set -a
		# shellcheck disable=SC1091
		. "$HOOP_DEMO_DIR/target.env"
		"$@"
	)
}

failed=""
for name in "$@"; do
	run=$(peer "$name")
	for way in direct through; do
		mkdir -p "$work/$name/$way"
		# shellcheck disable=SC2086
		(
			cd "$work/$name/$way"
			if [ $way = direct ]; then direct $run; else hoop connect demo-pg-superuser -- $run; fi
		) >"$work/$name.$way.raw" 2>&1 </dev/null && code=0 || code=$?
		echo "exit code $code" >>"$work/$name.$way.raw"
		same <"$work/$name.$way.raw" >"$work/$name.$way"
	done
	[ -z "${COMPAT_KEEP:-}" ] || cp "$work/$name".* "$COMPAT_KEEP/"
	if diff -a "$work/$name.direct" "$work/$name.through" >"$work/$name.diff"; then
		echo "$name: the same, $(wc -c <"$work/$name.direct") bytes, $(tail -n 1 "$work/$name.direct")"
	else
		echo "$name: differs"
		head -c 4000 "$work/$name.diff"
		failed="$failed $name"
	fi
	if ! grep -aqx 'exit code 0' "$work/$name.direct"; then
		echo "$name: fails already without hoop:"
		tail -n 20 "$work/$name.direct"
		failed="$failed $name"
	fi
done
[ -z "$failed" ]
