// Package timers calls functions later: a [Timer] at a time that can be changed until then, a
// [Throttle] at most once an interval. Close of both waits for a call under way.
package timers
