// Command maskbench measures the detectors of package mask beside Go's regexp
// and RE2 on the same bytes in one run, and writes docs/benchmarks-mask.md.
//
// # Scope
//
// It is a module of its own, so that the engines measured beside ours are no
// dependencies of hoop. It judges speed alone: what the detectors find is scored
// by the tests of package mask.
package main
