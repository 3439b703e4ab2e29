#!/bin/sh
# pgbench: -i, then every protocol with 8 clients. Its sums must come out even.
set -eu
db=compat_bench
createdb $db
pgbench -i -s 1 -q $db 2>&1 | grep -v -e 'done in' -e 'tuples ('
pgbench -i -s 1 -I dtGvpf -q $db 2>&1 | grep -v -e 'done in' -e 'tuples ('
for mode in simple extended prepared; do
	for script in tpcb-like select-only; do
		pgbench -n -M $mode -b $script -c 8 -j 2 -t 20 $db 2>&1 | grep -E 'transaction type|query mode|actually processed|failed|aborted|error'
	done
done
cat > pipeline.pgbench <<'P'
\set a random(1, 100000)
\startpipeline
begin;
update pgbench_accounts set abalance = abalance + 1 where aid = :a;
select abalance from pgbench_accounts where aid = :a;
update pgbench_accounts set abalance = abalance - 1 where aid = :a;
end;
\endpipeline
P
for mode in extended prepared; do
	pgbench -n -M $mode -f pipeline.pgbench -c 8 -j 2 -t 20 $db 2>&1 | grep -E 'transaction type|query mode|actually processed|failed|aborted|error'
done
psql -X -At -d $db <<'S'
select count(*) from pgbench_history;
select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),
       (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history),
       (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history);
S
dropdb $db
