//go:build race

package sql

// dataLimit is no limit: the race detector maps more memory than any worker.
const dataLimit = 1<<64 - 1
