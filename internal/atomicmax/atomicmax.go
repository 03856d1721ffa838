// Package atomicmax keeps the greatest of numbers that several goroutines enter, without a lock.
package atomicmax

import "sync/atomic"

// Raise makes a number at least so great.
func Raise(a *atomic.Int64, to int64) {
	for was := a.Load(); to > was && !a.CompareAndSwap(was, to); {
		was = a.Load()
	}
}
