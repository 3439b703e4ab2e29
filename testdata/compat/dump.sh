#!/bin/sh
# pg_dump in its formats and pg_restore of each; the restored databases must
# dump as the first one does.
set -eu
src=compat_src

# plain drops the random word in \restrict, which psql wants and nothing else.
plain() { pg_dump "$1" | grep -v -e '^.restrict ' -e '^.unrestrict '; }

createdb $src
psql -X -q -v ON_ERROR_STOP=1 -d $src -f "$COMPAT/dump.sql"
plain $src >plain.sql
cat plain.sql
pg_dump -Fp --inserts --rows-per-insert=10 -t people $src | grep -v restrict | cksum
pg_dump -Fc -f src.custom $src
pg_dump -Fd -j 2 -f src.dir $src
pg_restore -l src.custom | grep -v '^;' | sed 's/^[0-9]*; [0-9]* [0-9]* /;/'
for from in plain custom dir; do
	createdb compat_$from
	case $from in
	plain) psql -X -q -v ON_ERROR_STOP=1 -d compat_plain -f plain.sql >plain.out ;;
	custom) pg_restore -d compat_custom src.custom ;;
	dir) pg_restore -j 2 -d compat_dir src.dir ;;
	esac
	plain compat_$from >restored.sql
	cmp plain.sql restored.sql && echo "compat_$from dumps as its source"
	dropdb compat_$from
done
dropdb $src
