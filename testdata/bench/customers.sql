CREATE TABLE customers (id bigint, name text, email text, phone text, ssn text, card text, address text, created timestamptz, note text);
INSERT INTO customers
SELECT i,
  (ARRAY['Ada','Grace','Alan','Edsger','Barbara','Donald','Frances','Niklaus'])[1 + i % 8] || ' ' ||
  (ARRAY['Lovelace','Hopper','Turing','Dijkstra','Liskov','Knuth','Allen','Wirth','Hamilton','Perlis'])[1 + i / 8 % 10],
  'customer' || i || '@mail' || i % 97 || '.example.com',
  '+1-' || (200 + i % 700) || '-555-' || lpad((i % 10000)::text, 4, '0'),
  lpad((1 + i % 665)::text, 3, '0') || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + i % 9998)::text, 4, '0'),
  '4' || lpad((i::bigint * 7919 % 1000000000000000)::text, 15, '0'),
  (1 + i % 9900) || ' ' || (ARRAY['Elm','Oak','Maple','Cedar','Pine'])[1 + i % 5] || ' Street, Apartment ' || i % 120 || ', Springfield, ' || lpad((i % 90000)::text, 5, '0'),
  timestamptz '2020-01-01' + i * interval '97 seconds',
  (ARRAY['Called about a late delivery and was offered a voucher for the next order. ',
    'Prefers to be contacted in the evening; speaks German and a little French. ',
    'Returned two items in spring because of the wrong size, refund was granted. ',
    'Long-standing customer, always pays in time, asked for a paper catalogue. '])[1 + i % 4] ||
  (ARRAY['No open tickets at the moment, last review was friendly.',
    'Wants an invoice with the name of the company on it.',
    'Asked twice when the shop in the old town opens again.',
    'Newsletter was cancelled; do not send advertising.'])[1 + i / 4 % 4] ||
  CASE WHEN i % 50 = 0 THEN ' Also reachable as second' || i || '@home.example.org.' ELSE '' END
FROM generate_series(1, {{rows}}) AS i;
ALTER TABLE customers ADD PRIMARY KEY (id);
VACUUM (ANALYZE, FREEZE) customers
