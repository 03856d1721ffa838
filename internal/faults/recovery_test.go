//go:build unix

package faults

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/meter"
)

const (
	// standing is for how many frames something stands still: a second.
	standing = 50
	// recovery is how many frames later all must be as before: two seconds.
	recovery = 100
	// after is for how many frames it must be so then.
	after = 100
	// moreMemory is how much more memory the server may have then.
	moreMemory = 32 << 20
)

// sendingWays are how the server may send what waits for a listener.
var sendingWays = []struct {
	sentence string
	build    func() (string, error)
	tight    func() (string, error) // with small buffers
	hold     int                    // of the room, in ms
}{
	{"bundles of what waits", earshot, tightEarshot, 0},
	{"held packets in bundles", earshot, tightEarshot, 60},
	{"packets one by one", unbundledEarshot, unbundledEarshot, 0},
}

// inEachWay plays a broadcast in all the ways, and again beside fewer others if attempt says
// what went wrong: a busy machine loses packets, too, and a server that does not recover
// never does.
func inEachWay(t *testing.T, attempt func(*broadcast) error) {
	for _, way := range sendingWays {
		t.Run(way.sentence, func(t *testing.T) {
			t.Parallel()
			program, err := way.build()
			require.NoError(t, err)
			places := int64(2)
			for range tries {
				share(t, places, func() { err = onLoopback(program, way.hold).play(t, attempt) })
				if err == nil {
					return
				}
				t.Log(err)
				places = morePlaces(places)
			}
			require.NoError(t, err)
		})
	}
}

// A server that was stopped for a second sends every frame of two seconds later on, and
// has not kept what it missed.
func TestServerThatWasStoppedRecovers(t *testing.T) {
	t.Parallel()
	inEachWay(t, func(b *broadcast) error {
		before := b.memory()
		b.signal(syscall.SIGSTOP)
		b.awaitSent(b.sent() + standing)
		b.signal(syscall.SIGCONT)
		again := b.sent()
		b.awaitSent(again + recovery + after)
		for _, l := range b.listeners {
			if err := l.has(again+recovery, again+recovery+after); err != nil {
				return err
			}
		}
		return b.bounded(before)
	})
}

// A listener that takes nothing from its socket for a second loses what does not fit in
// there, and nobody else loses anything. Two seconds later it has every frame.
func TestSlowListenerRecovers(t *testing.T) {
	t.Parallel()
	inEachWay(t, func(b *broadcast) error {
		before := b.memory()
		slow := b.listeners[0]
		began := b.sent()
		slow.conn.pause()
		b.awaitSent(began + standing)
		slow.conn.resume()
		again := b.sent()
		b.awaitSent(again + recovery + after)
		if slow.has(began, again) == nil {
			return fmt.Errorf("the slow listener has lost nothing, so it was not slow")
		}
		if err := slow.has(again+recovery, again+recovery+after); err != nil {
			return fmt.Errorf("the slow listener: %w", err)
		}
		for _, l := range b.listeners[1:] {
			if err := l.has(began, again+recovery+after); err != nil {
				return fmt.Errorf("another: %w", err)
			}
		}
		return b.bounded(before)
	})
}

// has returns an error that lists the frames of a range that the listener has not got,
// once what is under way has had the time to come.
func (l *broadcastListener) has(from, to int) error {
	var missing []string
	for deadline := time.Now().Add(time.Second); ; time.Sleep(20 * time.Millisecond) {
		missing = missing[:0]
		l.mu.Lock()
		for n := from; n < to; n++ {
			if l.heard[n] == 0 {
				missing = append(missing, fmt.Sprint(n))
			}
		}
		l.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("of the frames from %d to %d there are missing %d: %s", from, to, len(missing), strings.Join(missing, " "))
		}
	}
}

// bounded returns an error if the server has much more memory than before.
func (b *broadcast) bounded(before uint64) error {
	if now := b.memory(); now > before+moreMemory {
		return fmt.Errorf("the server had %d bytes of memory, and has %d", before, now)
	}
	return nil
}

// memory is the server's.
func (b *broadcast) memory() uint64 {
	u, err := meter.Process{PID: b.server.PID()}.Usage(b.t.Context())
	require.NoError(b.t, err)
	return u.Memory
}

// signal sends the server a signal.
func (b *broadcast) signal(s syscall.Signal) {
	require.NoError(b.t, syscall.Kill(b.server.PID(), s))
	if s == syscall.SIGSTOP {
		b.t.Cleanup(func() { _ = syscall.Kill(b.server.PID(), syscall.SIGCONT) }) // it may have ended
	}
}
