//go:build unix

package main

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A slowLink is a TCP port that leads to another, as fast as it can until it is slowed down.
type slowLink struct {
	address string
	slowed  atomic.Bool
}

// slowRate is what a link that was slowed down carries in each direction, in bytes a second:
// less than a worker reports.
const slowRate = 500

// startSlowLink starts one, which ends with the test.
func startSlowLink(t *testing.T, to string) *slowLink {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	l := &slowLink{address: listener.Addr().String()}
	var open sync.WaitGroup
	ended := make(chan struct{})
	open.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp4", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			open.Go(func() { l.carry(near, far, ended) })
			open.Go(func() { l.carry(far, near, ended) })
			open.Go(func() {
				<-ended
				_, _ = near.Close(), far.Close()
			})
		}
	})
	t.Cleanup(func() {
		close(ended)
		_ = listener.Close()
		open.Wait()
	})
	return l
}

// carry copies from one to the other until one of them ends. Who sends into a slow link is not
// told: both ends have the buffers of a connection.
func (l *slowLink) carry(to, from net.Conn, ended <-chan struct{}) {
	defer func() { _, _ = to.Close(), from.Close() }()
	b := make([]byte, 16<<10)
	for {
		some := b
		if l.slowed.Load() {
			some = b[:slowRate/10]
		}
		n, err := from.Read(some)
		if err != nil {
			return
		}
		if _, err := to.Write(some[:n]); err != nil {
			return
		}
		if l.slowed.Load() {
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}
