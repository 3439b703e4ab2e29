// node-postgres: its ways of asking, and what comes back.
'use strict';
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const { to, from } = require('pg-copy-streams');
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
const crypto = require('crypto');

const show = (what, value) => console.log(what, JSON.stringify(value, (k, v) =>
  typeof v === 'bigint' ? `${v}n` : v && v.type === 'Buffer' ? 'hex:' + Buffer.from(v.data).toString('hex') : v));
const told = (e) => ({ code: e.code, message: e.message, detail: e.detail, hint: e.hint, where: e.where,
  position: e.position, table: e.table, column: e.column, constraint: e.constraint, file: e.file, routine: e.routine });
const fails = async (what, promise) => {
  try { await promise; show(what, 'no error'); } catch (e) { show(what, told(e)); }
};
const shape = (r) => r.fields && r.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeSize, f.dataTypeModifier, f.format]);

async function collect(stream) {
  const chunks = [];
  for await (const c of stream) chunks.push(c);
  return Buffer.concat(chunks);
}

async function asks(c) {
  for (const text of ['select 1 as one', 'select 1; select 2, 3', '', 'create temp table t (id int primary key, name text, b bytea, j jsonb, at timestamptz)']) {
    const r = await c.query(text);
    show(text, [].concat(r).map((x) => [x.command, x.rowCount, x.rows, shape(x)]));
  }
  const rows = await c.query({ text: 'insert into t select i, $1 || i, decode(md5(i::text), \'hex\'), jsonb_build_object(\'i\', i), $2::timestamptz from generate_series(1, $3::int) i returning *',
    values: ['name ', new Date(0), 50] });
  show('returning', [rows.rowCount, rows.rows.slice(0, 2), shape(rows)]);
  for (let i = 0; i < 3; i++) {
    const r = await c.query({ name: 'by id', text: 'select * from t where id = any($1)', values: [[i + 1, i + 10]] });
    show('named', [r.rows, shape(r)]);
  }
  const bin = await c.query({ text: 'select id, b, 1.5::float8, true, at from t order by id limit 3', binary: true, values: [] });
  show('binary', [bin.rows, shape(bin)]);
  const arrays = await c.query({ text: 'select id, name from t order by id limit 2', rowMode: 'array' });
  show('arrays', arrays.rows);
}

async function errors(c) {
  await fails('syntax', c.query('selec 1'));
  await fails('unknown column', c.query({ text: 'select nosuch from t where id = $1', values: [1] }));
  await fails('duplicate', c.query({ text: 'insert into t (id) values ($1)', values: [1] }));
  await fails('wrong value', c.query({ text: 'select $1::int', values: ['x'] }));
  await fails('too few', c.query({ text: 'select $1::int, $2::int', values: [1] }));
  await fails('at run time', c.query({ text: 'select 10 / (id - 20) from t order by id', values: [] }));
  await c.query('begin');
  await fails('in a transaction', c.query('select 1/0'));
  await fails('aborted', c.query('select 1'));
  await c.query('rollback');
  show('goes on', (await c.query('select count(*) from t')).rows);
}

async function cursors(c) {
  const cur = c.query(new Cursor('select id, name from t where id > $1 order by id', [3]));
  for (const n of [5, 1, 100, 5]) show(`cursor ${n}`, (await cur.read(n)).map((r) => r.id));
  const early = c.query(new Cursor('select generate_series(1, 100000) as i'));
  show('early', (await early.read(2)));
  await early.close();
  const broken = c.query(new Cursor('select 10 / (5 - i) as d from generate_series(1, 10) i'));
  show('broken', await broken.read(3));
  await fails('broken later', broken.read(3));
}

async function copies(c) {
  const out = await collect(c.query(to('copy (select * from t order by id) to stdout')));
  show('copy out', [out.length, crypto.createHash('sha256').update(out).digest('hex')]);
  const bin = await collect(c.query(to('copy (select * from t order by id) to stdout binary')));
  show('copy out binary', [bin.length, crypto.createHash('sha256').update(bin).digest('hex')]);
  await c.query('create temp table t2 (like t)');
  const into = c.query(from('copy t2 from stdin binary'));
  await pipeline(Readable.from([bin]), into);
  show('copy in', [into.rowCount, (await c.query('select count(*), min(name) from t2')).rows]);
  await fails('copy in, broken', pipeline(Readable.from(['1\tx\n', 'oops\n']), c.query(from('copy t2 from stdin'))));
  await fails('copy in, given up', pipeline(Readable.from((function* () { yield '1\tx\n'; throw new Error('the source failed'); })()), c.query(from('copy t2 from stdin'))));
  show('goes on', (await c.query('select count(*) from t2')).rows);
}

// notices waits for what comes unasked.
async function unasked(c) {
  const heard = [];
  c.on('notification', (n) => heard.push(['notification', n.channel, n.payload]));
  c.on('notice', (n) => heard.push(['notice', n.message, n.code]));
  await c.query('listen node');
  await c.query("notify node, 'one'");
  await c.query('select pg_notify($1, $2)', ['node', 'two']);
  await c.query("do $$ begin raise notice 'noticed'; end $$");
  await c.query('select 1');
  show('unasked', heard);
}

// Cancel goes by a connection of its own; terminate by another session.
async function interrupts(c) {
  const long = c.query('select pg_sleep(30)');
  const other = new Client();
  setTimeout(() => other.cancel(c, c.activeQuery || c._activeQuery || long), 300);
  await fails('cancelled', Promise.race([long, new Promise((_, no) => setTimeout(no, 10000, new Error('not cancelled')))]));
  show('goes on', (await c.query('select 1 as one')).rows);
  const victim = new Client();
  victim.on('error', () => {});
  await victim.connect();
  const pid = (await victim.query('select pg_backend_pid() as pid')).rows[0].pid;
  const sleeping = victim.query('select pg_sleep(30)');
  sleeping.catch(() => {}); // looked at below
  const ended = (await c.query('select pg_terminate_backend($1)', [pid])).rows;
  await fails('terminated', sleeping);
  show('terminate', ended); // the two come by connections of their own, in any order
  await victim.end().catch(() => {});
}

async function many() {
  const pool = new Pool({ max: 8 });
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.query('select $1::int * 2 as d', [i]).then((r) => r.rows[0].d)));
  show('pool', got.reduce((a, b) => a + b, 0));
  await pool.end();
}

(async () => {
  const c = new Client();
  await c.connect();
  for (const part of [asks, errors, cursors, copies, unasked, interrupts]) await part(c);
  await c.end();
  await many();
})().catch((e) => { console.error(e); process.exit(1); });
