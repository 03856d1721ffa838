//go:build !linux

package main

// threadID is unknown here, where a thread has no niceness of its own.
func threadID() int { return 0 }

func benice(int) {}
