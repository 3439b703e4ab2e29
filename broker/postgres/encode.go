package postgres

import "github.com/jackc/pgproto3/v2"

// encode appends a message. pgproto3 fails only for one above 1 GiB, far beyond
// what the broker makes up itself; should it happen, guard ends the session.
func encode(dst []byte, m pgproto3.Message) []byte {
	out, err := m.Encode(dst)
	if err != nil {
		panic(err)
	}
	return out
}
