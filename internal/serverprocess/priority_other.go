//go:build !linux

package serverprocess

// threadID is always 0: threads have no nice value of their own here.
func threadID() int { return 0 }

func lowerPriorityExcept(int) {}
