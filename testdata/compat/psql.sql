-- What psql can do, in one script. Its output must not tell whether hoop is
-- between. Oids and process ids are made the same by compare.sh.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '<null>'
\echo :USER :DBNAME :ENCODING :SERVER_VERSION_NUM
create schema compat;
set search_path to compat, public;
create type mood as enum ('sad', 'ok', 'happy');
create domain posint as int check (value > 0);
create type pair as (a int, b text);
create table t (id serial primary key, name text not null unique, n numeric(12,3), at timestamptz, b bytea, j jsonb, a int[], m mood, p posint, c pair);
comment on table t is 'a table';
comment on column t.name is 'a column';
create table part (k int, v text) partition by range (k);
create table part1 partition of part for values from (0) to (100);
create view v as select id, name from t where n > 1;
create materialized view mv as select count(*) from t;
create function f(x int) returns int language plpgsql as $$ begin raise notice 'f of %', x; return x * 2; end $$;
create procedure pr(inout x int) language plpgsql as $$ begin x := x + 1; commit; end $$;
create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
create rule r as on update to v do instead nothing;
create function trg() returns trigger language plpgsql as $$ begin new.name := upper(new.name); return new; end $$;
create trigger tr before insert on t for each row execute function trg();
create index on t (n) where n > 5;
create statistics st on id, n from t;
create sequence sq;
create operator === (leftarg = int, rightarg = int, function = int4eq);
alter default privileges in schema compat grant select on tables to public;
alter table t enable row level security;
create policy pol on t using (true);

\d
\d t
\d+ t
\d+ v
\d+ part
\d mood
\da compat.*
\dA+
\dAc
\dAf btree integer
\dAo btree integer_ops
\dAp btree integer_ops
\db
\dc *utf8*
\dconfig work*
\dC bigint
\dd compat.*
\dD
\ddp
\dE
\des
\det
\deu
\dew
\df compat.*
\df+ compat.f
\dF
\dFd
\dFp
\dFt
\dg
\di
\dl
\dL
\dm
\dn+ compat
\do compat.*
\dO
\dp compat.*
\dP
\drds
\dRp
\dRs
\ds
\dt compat.*
\dT compat.*
\du
\dv
\dx
\dX
\dy
\z
\l
\sf f
\sv v
\encoding
\h select

-- rows, formats, variables
insert into t (name, n, at, b, j, a, m, p, c) select 'name ' || i, i * 1.5, timestamptz '2026-01-01 00:00+00' + i * interval '1 hour', decode(lpad(to_hex(i), 8, '0'), 'hex'),
  jsonb_build_object('i', i, 's', repeat('x', i)), array[i, i + 1], 'ok', i, row(i, 'b' || i)::pair from generate_series(1, 20) i returning id, name, j;
select * from t order by id limit 3;
\x
select * from t order by id limit 2;
\x
select id, name from t where id < 4 \gx
select id as one, name as two from t where id = 1 \gset got_
\echo :got_one :got_two
select id, name, at, c from t \gdesc
select format('select %L::text as made, %s as n', name, id) from t where id < 3 order by id \gexec
select m, p, sum(n) from t where id < 5 group by 1, 2 order by 2 \crosstabview m p
\pset format csv
table t;
\pset format unaligned
select 'é', U&'\0441', E'a\tb\\c', chr(128512), null, '', 1e300::float8, 'NaN'::float8, '-infinity'::date;
\pset format aligned
select;
select from t limit 2;
;
select 1\; select 2\; select 3 as "three three";
select 1 as a \; select 2 as b \; select 1/0 \; select 4;
begin\; select 'in' \; select nosuch \; select 'not';
rollback;
select repeat('long ', 20000) as l \g (format=unaligned) wide.txt
\! cksum < wide.txt
select 1 \g | cat

-- errors and their fields
select nosuch from t;
selec 1;
select * from nosuch;
insert into t (name) values ('NAME 1');
insert into t (name) values (null);
insert into t (name, p) values ('neg', -1);
insert into part values (1000, 'none');
select 1/0;
select 'abc'::int;
select f('x');
select f(21);
do $$ begin raise warning 'w %', 1 using hint = 'a hint', detail = 'a detail', errcode = 'U0001'; raise exception 'e' using table = 't', column = 'name', constraint = 'con', datatype = 'dt', schema = 'compat'; end $$;
\errverbose
select pg_sleep('x');
select set_config('statement_timeout', '50', false);
select pg_sleep(5);
reset statement_timeout;
\set VERBOSITY terse
select 1/0;
\set VERBOSITY sqlstate
select 1/0;
\set VERBOSITY verbose

-- transactions
begin;
insert into t (name) values ('in a transaction');
savepoint a;
select 1/0;
select 'aborted';
rollback to a;
select count(*) from t;
release a;
commit and chain;
rollback;
begin isolation level serializable read only;
insert into t (name) values ('no');
end;
call pr(41);
\set AUTOCOMMIT off
select count(*) from t;
rollback;
\set AUTOCOMMIT on
\set ON_ERROR_ROLLBACK on
begin;
select 1/0;
select 'lives';
commit;
\set ON_ERROR_ROLLBACK off

-- cursors, prepared statements
begin;
declare c scroll cursor for select id, name, b from t order by id;
fetch 2 from c;
fetch backward 1 from c;
move 5 in c;
fetch all from c;
declare bc binary cursor for select id, at from t order by id;
fetch 1 from bc;
close c;
commit;
declare h cursor with hold for select id from t order by id;
fetch 3 from h;
close h;
\set FETCH_COUNT 7
select id, name from t order by id;
select id, 1/(10 - id) from t order by id;
\unset FETCH_COUNT
prepare ps (int, text) as select $1 + 1, $2 || '!';
execute ps (1, 'a');
execute ps (1);
prepare ps as select 1;
deallocate ps;
execute ps (1, 'a');
explain (costs off) select * from t where id = 1;
\if `test $(psql --version | tr -dc '0-9.' | cut -d. -f1) -ge 16 && echo true || echo false`
select $1 + $2 as bound \bind 1 2 \g
\endif

-- copy
copy (select id, name, n from t order by id) to stdout;
copy (select id, name, n, j from t order by id) to stdout csv header quote '''' force quote name;
copy (select id, b, a from t order by id limit 3) to stdout binary;
create table ci (a int, b text);
copy ci from stdin;
1	one
2	t\two
3	\N
\.
copy ci from stdin csv header;
a,b
4,"four, 4"
\.
copy ci from stdin;
5	five
oops	six
\.
\copy nosuch from psql.sh
\copy t to all.csv csv header
\! cksum < all.csv
\copy (select * from t) to all.bin binary
\! cksum < all.bin
create table t2 (like t);
\copy t2 from all.csv csv header
\copy t2 from all.bin binary
\copy t2 (id, name) from nosuch.csv
select count(*), count(distinct name) from t2;
\copy ci from program 'seq 100 120 | sed s/$/,x/' csv
\copy (select * from ci order by a) to program 'cksum'
table ci;
copy (select 1/(3-i) from generate_series(1,5) i) to stdout;
begin\; copy ci to stdout \; select 'after' \; commit;

-- listen, notify
listen chan;
notify chan, 'payload';
select pg_notify('chan', 'second');
begin;
notify chan, 'in a transaction';
rollback;
unlisten *;
notify chan, 'unheard';

-- large objects
\! printf 'large object\000bytes' > lo.in
\lo_import lo.in 'its comment'
\lo_export :LASTOID lo.out
\! cksum < lo.out
select lo_put(:LASTOID, 5, 'XX'), lo_get(:LASTOID);
\lo_unlink :LASTOID
\lo_unlink 1
\dl

-- settings that the client is told of
set application_name = 'compat';
set timezone = 'Asia/Kolkata';
select at from t where id = 1;
set datestyle = 'German, DMY';
select at from t where id = 1;
set intervalstyle = iso_8601;
select interval '1 day 2 hours';
set client_encoding = utf8;
\encoding
select U&'\00e9';
reset client_encoding;
set standard_conforming_strings = on;
select 'a\tb';
reset all;
show search_path;
set role pg_monitor;
select current_user, session_user;
reset role;
discard all;
set search_path to compat;

-- values that hoop masks for others
select * from customers order by id limit 3;
select email::int from customers where id = 1;
copy (select * from customers order by id limit 5) to stdout;
do $$ begin raise notice '%', (select email from customers where id = 2); end $$;
insert into customers select * from customers where id = 7;
explain (costs off) select * from customers where email = 'greta.fontaine2@example.com';

-- again and again
create sequence w;
select 4 / (3 - nextval('w')) as watched \watch 0.05
\c -
set search_path to compat;
select count(*) from t;
vacuum t;
analyze t;
lock table t;
truncate t2;
drop schema compat cascade;
\q
