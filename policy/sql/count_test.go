package sql

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for text, want := range map[string]string{
		"delete from orders where id < 5":                                               "select count(*) from orders where id < 5",
		"DELETE FROM ONLY public.orders AS o WHERE o.id IN (SELECT 1) RETURNING *":      "SELECT count(*) FROM ONLY public.orders AS o WHERE o.id IN (SELECT 1)",
		"delete from orders;":                                                           "SELECT count(*) FROM orders",
		`update "or ders" set a = 1, b = (select x from y) where c = 'where returning'`: `SELECT count(*) FROM "or ders" where c = 'where returning'`,
		"update orders o set a = 1 returning a":                                         "SELECT count(*) FROM orders o",
		"update orders set a = 1 from b where b.id = orders.id":                         "",
		"delete from orders using b where b.id = orders.id":                             "",
		"with x as (select 1) delete from orders":                                       "",
		"delete from orders where current of c":                                         "",
		"select 1":                                                                      "",
		"insert into orders values (1)":                                                 "",
	} {
		st := analyseText(t, text)[0]
		if got := strings.TrimSpace(st.Count()); !strings.EqualFold(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
}
