// Command bench measures hoop beside what people put between a client and
// PostgreSQL today, on one machine, in one interleaved run, and writes a table.
//
// # Scope
//
// It starts everything that it measures itself, on loopback and in a folder that
// it deletes again. It knows hoop only as a program: its command line, its
// configuration file and its listener.
package main
