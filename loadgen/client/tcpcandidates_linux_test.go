package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// answerWithTCP is a server's answer whose candidates are for TCP, the best first.
func answerWithTCP(candidates ...netip.AddrPort) string {
	lines := []string{
		"v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=ice-lite",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", "a=sendonly", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2",
		"a=ice-ufrag:earshot", "a=ice-pwd:notasecretbut22characters", "a=setup:passive",
		"a=fingerprint:sha-256 " + strings.TrimSuffix(strings.Repeat("00:", 32), ":"),
	}
	for i, at := range candidates {
		lines = append(lines, fmt.Sprintf("a=candidate:%d 1 tcp %d %s %d typ host tcptype passive", i, 1000-i, at.Addr(), at.Port()))
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// silentAddress is an address that answers no attempt to connect, as behind a firewall: the
// queue of its listener is full.
func silentAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Close(fd)) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
	for {
		conn, err := net.DialTimeout("tcp", at.String(), 500*time.Millisecond)
		if err != nil {
			return at
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// refusingAddress is an address at which nothing listens.
func refusingAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// However the first TCP candidates fail, a later one is tried long before the deadline.
func TestTCPCandidateThatDoesNotAnswerLeavesTimeForTheNext(t *testing.T) {
	for name, firsts := range map[string]func(*testing.T) []netip.AddrPort{
		"one answers nothing": func(t *testing.T) []netip.AddrPort { return []netip.AddrPort{silentAddress(t)} },
		"one refuses":         func(t *testing.T) []netip.AddrPort { return []netip.AddrPort{refusingAddress(t)} },
		"one of each, and another such": func(t *testing.T) []netip.AddrPort {
			return []netip.AddrPort{silentAddress(t), refusingAddress(t), silentAddress(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := NewCrowd(timebase.NewClock(), &feedback.NACKCounter{}, func(time.Duration, uint64) {}, 1, TURN{})
			require.NoError(t, err)
			defer func() { assert.NoError(t, c.Close()) }()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { assert.NoError(t, l.Close()) }()
			e := c.NewClient(1, network.TCP, nil, network.RepairNone, nil)
			defer func() { assert.NoError(t, e.Close()) }()
			require.NoError(t, e.Accept(answerWithTCP(append(firsts(t), l.Addr().(*net.TCPAddr).AddrPort())...)))

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			waited := make(chan error, 1)
			go func() {
				_, err := e.Wait(ctx)
				waited <- err
			}()
			require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(40*time.Second)))
			conn, err := l.Accept()
			require.NoError(t, err, "the last candidate was not tried")
			assert.NoError(t, conn.Close())
			cancel()
			assert.ErrorIs(t, <-waited, context.Canceled)
		})
	}
}
