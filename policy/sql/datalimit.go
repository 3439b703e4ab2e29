//go:build !race

package sql

// dataLimit bounds the memory that a worker may write to, in bytes. It is about
// four times what compiling the grammar takes.
const dataLimit = 1 << 30
