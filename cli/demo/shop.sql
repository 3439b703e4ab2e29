-- The demo's database: a small shop with the kinds of values that leak.
CREATE FUNCTION pg_temp.check_digit(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ((10 - sum(CASE WHEN i % 2 = 1 THEN CASE WHEN d * 2 > 9 THEN d * 2 - 9 ELSE d * 2 END ELSE d END) % 10) % 10)::text
  FROM (SELECT i, substr(reverse(digits), i, 1)::int AS d FROM generate_series(1, length(digits)) AS i) AS x
$$;

CREATE TABLE customers (
  id          integer PRIMARY KEY,
  name        text NOT NULL,
  email       text NOT NULL UNIQUE,
  phone       text NOT NULL,
  ssn         text NOT NULL,
  card_number text NOT NULL,
  city        text NOT NULL,
  plan        text NOT NULL,
  note        text,
  created_at  timestamptz NOT NULL
);

CREATE TABLE orders (
  id          integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  total       numeric(10,2) NOT NULL,
  status      text NOT NULL,
  placed_at   timestamptz NOT NULL
);

INSERT INTO customers
SELECT i, first || ' ' || last,
       lower(first) || '.' || lower(last) || i || '@' || domain,
       '+1 ' || (201 + h1 % 700) || '-555-' || lpad((h2 % 10000)::text, 4, '0'),
       lpad((1 + h1 % 665)::text, 3, '0') || '-' || lpad((1 + h2 % 99)::text, 2, '0') || '-' || lpad((1 + h3 % 9999)::text, 4, '0'),
       card || pg_temp.check_digit(card), city, plan,
       CASE i % 9 WHEN 0 THEN 'asked to be called back on +1 415-555-0' || (100 + i % 900)
                  WHEN 4 THEN 'paid by phone with ' || card || pg_temp.check_digit(card)
                  WHEN 7 THEN 'second address: ' || lower(last) || i || '@backup.example' END,
       timestamptz '2026-01-01 00:00+00' + i * interval '7 hours'
FROM (
  SELECT i, h1, h2, h3,
         (ARRAY['Amara','Bruno','Chiara','Dmitri','Elena','Farid','Greta','Hiro','Ines','Jonas','Keiko','Liam','Mona','Nadia','Omar','Priya'])[1 + h1 % 16] AS first,
         (ARRAY['Abbott','Baptiste','Castro','Dvorak','Eriksen','Fontaine','Gallagher','Hoffmann','Ivanov','Jensen','Kowalski','Lindgren','Moreau'])[1 + h2 % 13] AS last,
         (ARRAY['example.com','example.org','mail.example','post.example'])[1 + h3 % 4] AS domain,
         (ARRAY['Lisbon','Oslo','Turin','Ghent','Porto','Graz','Lyon'])[1 + h1 % 7] AS city,
         (ARRAY['free','free','team','business'])[1 + h2 % 4] AS plan,
         '4' || lpad((h1 % 10000000)::text, 7, '0') || lpad((h2 % 10000000)::text, 7, '0') AS card
  FROM (
    SELECT i, abs(hashint4(i))::bigint AS h1, abs(hashint4(i + 100000))::bigint AS h2, abs(hashint4(i + 200000))::bigint AS h3
    FROM generate_series(1, 1000) AS i
  ) AS n
) AS p;

INSERT INTO orders
SELECT i, 1 + abs(hashint4(i))::bigint % 1000, (500 + abs(hashint4(i + 5))::bigint % 50000) / 100.0,
       (ARRAY['paid','shipped','returned','open'])[1 + i % 4], timestamptz '2026-02-01 00:00+00' + i * interval '2 hours'
FROM generate_series(1, 3000) AS i;

CREATE INDEX orders_customer ON orders (customer_id);
ALTER TABLE customers OWNER TO app;
ALTER TABLE orders OWNER TO app;
ANALYZE;
