package process

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A process that can't be measured need not have ended: a generator without a free descriptor took its
// server for dead.
func TestProcessThatCannotBeReadHasNotEnded(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EACCES, syscall.ENOMEM} {
		assert.NotErrorIs(t, ended(1, &os.PathError{Op: "open", Path: "/proc/1/stat", Err: err}), ErrEnded)
	}
	for _, err := range []error{syscall.ENOENT, syscall.ESRCH} {
		assert.ErrorIs(t, ended(1, &os.PathError{Op: "read", Path: "/proc/1/stat", Err: err}), ErrEnded)
	}
}

func TestUsageWaitSinceSumsTheThreads(t *testing.T) {
	before := Usage{Waits: map[int]time.Duration{1: time.Second, 2: 2 * time.Second}}
	for _, c := range []struct {
		sentence string
		after    Usage
		wait     time.Duration
		known    bool
	}{
		{"both waited", Usage{Waits: map[int]time.Duration{1: 3 * time.Second, 2: 2500 * time.Millisecond}}, 2500 * time.Millisecond, true},
		{"a thread is new", Usage{Waits: map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: time.Millisecond}}, time.Millisecond, true},
		{"a thread has ended, and what it waited is lost", Usage{Waits: map[int]time.Duration{1: 3 * time.Second}}, 0, false},
		{"nothing is known", Usage{}, 0, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			wait, known := c.after.WaitSince(before)
			assert.Equal(t, c.wait, wait)
			assert.Equal(t, c.known, known)
		})
	}
}

func TestUsageCPUSinceIsNotKnownOfAProcessThatBeganAnew(t *testing.T) {
	before := Usage{CPU: 5 * time.Second, Began: 100}
	for _, c := range []struct {
		sentence string
		after    Usage
		used     time.Duration
		known    bool
	}{
		{"it goes on", Usage{CPU: 7 * time.Second, Began: 100}, 2 * time.Second, true},
		{"it did nothing", before, 0, true},
		{"another process answers, which has used more already", Usage{CPU: 7 * time.Second, Began: 160}, 0, false},
		{"a counter that is lower has begun anew", Usage{CPU: time.Second, Began: 100}, 0, false},
	} {
		used, known := c.after.CPUSince(before)
		assert.Equal(t, c.used, used, c.sentence)
		assert.Equal(t, c.known, known, c.sentence)
	}
}
