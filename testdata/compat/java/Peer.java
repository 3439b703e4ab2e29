// JDBC: the driver's own pipelines, batches, named statements after five uses,
// binary transfer, cursors by fetch size, COPY, large objects and cancel.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

public class Peer {
    interface Work { void run() throws Exception; }

    static Connection open(String... more) throws SQLException {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.put("user", env.get("PGUSER"));
        p.put("password", env.get("PGPASSWORD"));
        for (int i = 0; i < more.length; i += 2) p.put(more[i], more[i + 1]);
        return DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), p);
    }

    static void fails(String what, Work w) throws Exception {
        try {
            w.run();
            System.out.println(what + ": no error");
        } catch (BatchUpdateException e) {
            System.out.println(what + ": " + Arrays.toString(e.getUpdateCounts()) + " " + e.getSQLState() + " " + e.getMessage());
        } catch (PSQLException e) {
            System.out.println(what + ": " + e.getSQLState() + " " + e.getServerErrorMessage());
        }
    }

    static void rows(String what, ResultSet r) throws SQLException {
        ResultSetMetaData m = r.getMetaData();
        StringBuilder s = new StringBuilder(what).append(":");
        for (int i = 1; i <= m.getColumnCount(); i++) s.append(" ").append(m.getColumnName(i)).append("/").append(m.getColumnTypeName(i)).append("/").append(m.getTableName(i));
        while (r.next()) {
            s.append("\n ");
            for (int i = 1; i <= m.getColumnCount(); i++) s.append(" ").append(r.getObject(i) instanceof byte[] b ? Arrays.toString(b) : r.getString(i));
        }
        System.out.println(s);
    }

    static void asks(Connection c, boolean bytes) throws Exception {
        try (Statement s = c.createStatement()) {
            s.execute("create temp table t (id int primary key, name text, at timestamptz, n numeric, b bytea, f float8)");
            boolean more = s.execute("select 1 as one; select 2 as two; update t set n = 0; select 3 as three");
            for (;;) {
                if (more) rows("several", s.getResultSet());
                else if (s.getUpdateCount() >= 0) System.out.println("updated " + s.getUpdateCount());
                else break;
                more = s.getMoreResults();
            }
        }
        try (PreparedStatement p = c.prepareStatement("insert into t values (?, ?, ?, ?, ?, ?)")) {
            for (int i = 0; i < 500; i++) {
                p.setInt(1, i); p.setString(2, "näme " + i); p.setTimestamp(3, new Timestamp(i * 1000L)); p.setBigDecimal(4, new java.math.BigDecimal(i).movePointLeft(2));
                if (bytes) p.setBytes(5, new byte[] {(byte) i, 0, (byte) -i}); else p.setNull(5, Types.BINARY); // the driver has no bytes in simple mode
                p.setDouble(6, i / 3.0);
                p.addBatch();
            }
            System.out.println("batch " + Arrays.stream(p.executeBatch()).sum());
        }
        try (PreparedStatement p = c.prepareStatement("select * from t where id = ?")) {
            for (int i = 0; i < 12; i++) { // named and binary after prepareThreshold uses
                p.setInt(1, i * 7);
                rows("prepared " + i, p.executeQuery());
            }
        }
    }

    static void errors(Connection c) throws Exception {
        fails("syntax", () -> c.createStatement().execute("selec 1"));
        fails("duplicate", () -> c.createStatement().execute("insert into t (id) values (1)"));
        try (PreparedStatement p = c.prepareStatement("insert into t (id) values (?)")) {
            for (int id : new int[] {1000, 1001, 3, 1002}) { p.setInt(1, id); p.addBatch(); }
            fails("batch", p::executeBatch);
        }
        rows("after the batch", c.createStatement().executeQuery("select count(*) from t where id >= 1000"));
        c.setAutoCommit(false);
        fails("in a transaction", () -> c.createStatement().execute("select 1/0"));
        fails("aborted", () -> c.createStatement().execute("select 1"));
        c.rollback();
        Savepoint sp = c.setSavepoint("sp");
        fails("after a savepoint", () -> c.createStatement().execute("select nosuch"));
        c.rollback(sp);
        rows("goes on", c.createStatement().executeQuery("select count(*) from t"));
        c.commit();
        c.setAutoCommit(true);
    }

    static void cursors(Connection c) throws Exception {
        c.setAutoCommit(false);
        try (PreparedStatement p = c.prepareStatement("select id, n from t order by id")) {
            p.setFetchSize(33);
            long n = 0, sum = 0;
            try (ResultSet r = p.executeQuery()) {
                while (r.next()) { n++; sum += r.getInt(1); }
            }
            System.out.println("fetched " + n + " " + sum);
            try (ResultSet r = p.executeQuery()) { r.next(); }
            p.setMaxRows(5);
            rows("max rows", p.executeQuery());
        }
        c.commit();
        c.setAutoCommit(true);
    }

    static void copies(Connection c) throws Exception {
        CopyManager m = c.unwrap(PGConnection.class).getCopyAPI();
        for (String how : new String[] {"", "csv", "binary"}) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            long n = m.copyOut("copy (select * from t order by id) to stdout " + how, out);
            c.createStatement().execute("drop table if exists u; create temp table u (like t)");
            long in = m.copyIn("copy u from stdin " + how, new ByteArrayInputStream(out.toByteArray()));
            System.out.println("copy " + how + " " + n + " " + in + " " + Arrays.hashCode(out.toByteArray()));
        }
        fails("copy in", () -> m.copyIn("copy u from stdin", new ByteArrayInputStream("oops\n".getBytes())));
        rows("goes on", c.createStatement().executeQuery("select count(*) from u"));
    }

    static void largeObjects(Connection c) throws Exception { // by FunctionCall
        c.setAutoCommit(false);
        LargeObjectManager m = c.unwrap(PGConnection.class).getLargeObjectAPI();
        long oid = m.createLO();
        LargeObject lo = m.open(oid, LargeObjectManager.READWRITE);
        lo.write("a large object".getBytes());
        lo.seek(2);
        System.out.println("large object " + new String(lo.read(5)) + " " + lo.size());
        lo.close();
        m.delete(oid);
        fails("large object", () -> m.open(1, LargeObjectManager.READ));
        c.rollback();
        c.setAutoCommit(true);
    }

    static void interrupts(Connection c) throws Exception {
        Statement s = c.createStatement();
        Thread t = new Thread(() -> { try { Thread.sleep(300); s.cancel(); } catch (Exception e) { System.out.println(e); } });
        t.start();
        fails("cancelled", () -> s.execute("select pg_sleep(30)"));
        t.join();
        s.setQueryTimeout(1);
        fails("timed out", () -> s.execute("select pg_sleep(30)"));
        s.setQueryTimeout(0);
        s.execute("listen jdbc; notify jdbc, 'payload'");
        for (PGNotification n : c.unwrap(PGConnection.class).getNotifications(10000)) System.out.println("heard " + n.getName() + " " + n.getParameter());
        s.execute("do $$ begin raise warning 'warned'; end $$");
        System.out.println(s.getWarnings());
    }

    static void catalog(Connection c) throws Exception {
        DatabaseMetaData m = c.getMetaData();
        rows("tables", m.getTables(null, "public", "%", new String[] {"TABLE"}));
        rows("columns", m.getColumns(null, "public", "orders", "%"));
        rows("keys", m.getImportedKeys(null, "public", "orders"));
        System.out.println(m.getDatabaseProductVersion() + " " + c.getTransactionIsolation());
    }

    public static void main(String[] args) throws Exception {
        for (String mode : new String[] {"extended", "extendedForPrepared", "extendedCacheEverything", "simple"}) {
            System.out.println("== " + mode);
            try (Connection c = open("preferQueryMode", mode)) {
                asks(c, !mode.equals("simple")); errors(c); cursors(c); copies(c);
                if (!mode.equals("simple")) largeObjects(c);
                interrupts(c); catalog(c);
            }
        }
        try (Connection c = open("reWriteBatchedInserts", "true", "binaryTransfer", "true", "prepareThreshold", "-1")) { asks(c, true); errors(c); }
    }
}
