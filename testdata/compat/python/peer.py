"""psycopg2: simple queries over libpq, cursors of the server, COPY, large objects."""
import hashlib
import io
import threading
import time

import psycopg2
import psycopg2.extensions
import psycopg2.extras


def fails(what, f):
    try:
        f()
        print(what, "no error")
    except psycopg2.Error as e:
        print(what, type(e).__name__, e.pgcode, repr(e.pgerror), repr(str(e)))


def asks(conn):
    cur = conn.cursor()
    cur.execute("create temp table t (id int primary key, name text, b bytea, at timestamptz, a int[], n numeric)")
    psycopg2.extras.execute_values(cur, "insert into t values %s", [
        (i, "näme %d" % i, bytes([i, 0, 255 - i]), None, [i, None], i / 3) for i in range(100)], page_size=30)
    cur.execute("select * from t where id < %s order by id", (5,))
    print(cur.description, cur.rowcount, [tuple(bytes(v) if isinstance(v, memoryview) else v for v in r) for r in cur])
    cur.execute("select 1; select 2; select 3")
    print(cur.fetchall(), cur.statusmessage)
    conn.commit()


def errors(conn):
    cur = conn.cursor()
    fails("division", lambda: cur.execute("select 1/0"))
    fails("aborted", lambda: cur.execute("select 1"))
    conn.rollback()
    cur.execute("savepoint s")
    fails("duplicate", lambda: cur.execute("insert into t (id) values (1)"))
    cur.execute("rollback to savepoint s")
    cur.execute("select count(*) from t")
    print(cur.fetchall())
    conn.commit()


def cursors(conn):
    with conn.cursor("named", scrollable=True) as cur:
        cur.itersize = 7
        cur.execute("select id, name from t order by id")
        print(cur.fetchmany(3), cur.fetchone())
        cur.scroll(-2)
        print(len(cur.fetchall()))
    conn.commit()


def copies(conn):
    cur = conn.cursor()
    for how in ("", "csv header", "binary"):
        out = io.BytesIO()
        cur.copy_expert("copy t to stdout " + how, out)
        print("copy out", how, len(out.getvalue()), hashlib.sha256(out.getvalue()).hexdigest())
        cur.execute("create temp table c on commit drop as table t with no data")
        out.seek(0)
        cur.copy_expert("copy c from stdin " + how, out)
        cur.execute("select count(*), sum(id) from c")
        print(cur.fetchall())
        conn.commit()
    fails("copy in", lambda: cur.copy_expert("copy t from stdin", io.StringIO("oops\n")))
    conn.rollback()


def large_objects(conn):
    lob = conn.lobject(0, "wb", 515151)
    lob.write(b"x" * 100000 + b"\0end")
    lob.seek(10)
    print("lobject", lob.tell())
    lob.close()
    lob = conn.lobject(515151, "rb")
    print("lobject", hashlib.sha256(lob.read()).hexdigest())
    lob.unlink()
    conn.commit()


def interrupts(conn):
    conn.rollback()
    cur = conn.cursor()
    threading.Timer(0.3, conn.cancel).start()
    fails("cancelled", lambda: cur.execute("select pg_sleep(30)"))
    conn.rollback()
    conn.set_session(autocommit=True)
    cur.execute("listen py")
    cur.execute("notify py, 'payload'")
    deadline = time.monotonic() + 10
    while not conn.notifies and time.monotonic() < deadline:
        conn.poll()
    print([(n.channel, n.payload) for n in conn.notifies], conn.notices)
    cur.execute("do $$ begin raise notice 'noticed'; end $$")
    print(conn.notices)


def main():
    conn = psycopg2.connect("")
    print(conn.encoding, conn.server_version, conn.get_parameter_status("DateStyle"))
    for part in (asks, errors, cursors, copies, large_objects, interrupts):
        part(conn)
    conn.close()


main()
