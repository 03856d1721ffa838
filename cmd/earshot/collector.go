package main

import (
	"os"
	"runtime/debug"
)

// generatorGC is how much the heap of a run may grow, in percent of what lives,
// before garbage is collected.
const generatorGC = 400

// spareCollector lets this process's garbage lie four times as long as usual, and
// returns what undoes that. While thousands join, the crowd's collections come
// every second and take CPU that the server beside it needs; nobody measures the
// generator by its memory. Who sets GOGC has the last word.
func spareCollector() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(generatorGC)
	return func() { debug.SetGCPercent(before) }
}
