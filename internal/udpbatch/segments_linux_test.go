package udpbatch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// noSegments makes the socket options of SOL_UDP fail as they do before Linux 4.18.
func noSegments() error {
	const level = 16 + 8 // of the second argument, its lower half, in seccomp_data
	return install([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SETSOCKOPT, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: level},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SOL_UDP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOPROTOOPT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	})
}

// childOfOldKernel sends and receives segments without the system's help.
func childOfOldKernel() int {
	if err := noSegments(); err != nil {
		fmt.Println("filter:", err)
		return 1
	}
	c, err := Listen(context.Background(), "127.0.0.1:0", Options{Segments: true, OnUnsegmented: func(reason error) {
		fmt.Print("unsegmented: ", errors.Is(reason, unix.ENOPROTOOPT), "; ")
	}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := c.WriteBatch([]Message{{Buf: []byte("aabbc"), Segment: 2, Addr: c.LocalAddr()}}); err != nil {
		fmt.Println(err)
		return 1
	}
	for got := 0; got < 3; {
		ms := room(4)
		n, err := c.ReadBatch(ms)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		for _, m := range ms[:n] {
			fmt.Printf("%s ", m.Buf[:m.N])
		}
		got += n
	}
	return 0
}

func TestSegmentsOnAnOldKernel(t *testing.T) {
	out, err := runChild(t, "old")
	require.NoError(t, err, out)
	assert.Equal(t, "unsegmented: true; aa bb c ", out)
}

// refuseSegments makes the kernel refuse messages of several datagrams on a socket, and
// none of one: it can't cut what has no checksums.
func refuseSegments(t testing.TB, c Conn) {
	t.Helper()
	b, ok := c.(*batching)
	if !ok {
		return
	}
	var set error
	require.NoError(t, b.socket.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
	}))
	require.NoError(t, set)
}

func TestRefusedSegmentsAreSentOneByOneForGood(t *testing.T) {
	for _, o := range []Options{{}, {Segments: true}} {
		var reasons []error
		with := o
		with.OnUnsegmented = func(reason error) { reasons = append(reasons, reason) }
		a, b := listen(t, "127.0.0.1:0", with), listen(t, "127.0.0.1:0", o)
		send := func() {
			ms := []Message{
				{Buf: []byte("1"), Addr: b.LocalAddr()},
				{Buf: []byte("22334"), Segment: 2, Addr: b.LocalAddr()},
				{Buf: []byte("5566"), Segment: 2, Addr: b.LocalAddr()},
				{Buf: []byte("7"), Segment: 2, Addr: b.LocalAddr()},
			}
			n, err := a.WriteBatch(ms)
			require.NoError(t, err)
			require.Equal(t, len(ms), n)
			for _, m := range ms {
				require.Equal(t, len(m.Buf), m.N)
			}
			var got []string
			for len(got) < 7 {
				for _, m := range receive(t, b, 1, 1) {
					for _, d := range cutUp(m) {
						got = append(got, string(d))
					}
				}
			}
			require.Equal(t, []string{"1", "22", "33", "4", "55", "66", "7"}, got)
		}
		send()
		require.Empty(t, reasons, "the loopback takes them")
		refuseSegments(t, a)
		send()
		require.Len(t, reasons, 1)
		assert.ErrorIs(t, reasons[0], unix.EINVAL)
		send()
		require.Len(t, reasons, 1, "they are not tried again")
		assert.Zero(t, a.Refused())
	}
}

// What is refused for its address says nothing of segments.
func TestRefusedAddressesLeaveSegmentsAlone(t *testing.T) {
	a := listen(t, "127.0.0.1:0", Options{OnUnsegmented: func(reason error) { assert.NoError(t, reason) }})
	b := listen(t, "127.0.0.1:0", Options{Segments: true})
	for i, bad := range []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), {}, netip.MustParseAddrPort("[::1]:9")} {
		ms := []Message{
			{Buf: []byte("aab"), Segment: 2, Addr: bad},
			{Buf: []byte("ccd"), Segment: 2, Addr: b.LocalAddr()},
		}
		n, err := a.WriteBatch(ms)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		assert.Equal(t, -1, ms[0].N)
		assert.Equal(t, 3, ms[1].N)
		m := receive(t, b, 1, 4)[0]
		assert.Equal(t, 2, m.Segment)
		assert.Equal(t, "ccd", string(m.Buf[:m.N]))
		assert.EqualValues(t, 2*(i+1), a.Refused(), "datagrams")
	}
}

// A message that was dropped counts as one, however many datagrams it was.
func TestDropsCountsMessages(t *testing.T) {
	a := listen(t, "127.0.0.1:0", Options{})
	b := listen(t, "127.0.0.1:0", Options{Segments: true, ReadBuffer: 32 << 10})
	const messages, datagrams, size = 500, 5, 200
	sent := make([]Message, messages)
	for i := range sent {
		sent[i] = Message{Buf: make([]byte, datagrams*size), Segment: size, Addr: b.LocalAddr()}
	}
	n, err := a.WriteBatch(sent)
	require.NoError(t, err)
	require.Equal(t, messages, n)
	drops, known := b.Drops()
	require.True(t, known)
	require.Positive(t, drops)
	require.Less(t, drops, uint64(messages))
	for _, m := range receive(t, b, messages-int(drops), 64) {
		require.Equal(t, size, m.Segment)
		require.Equal(t, datagrams*size, m.N)
	}
	after, _ := b.Drops()
	assert.Equal(t, drops, after)
}

func TestFullBufferTellsHowMuchOfAMessageWasSent(t *testing.T) {
	target := netip.AddrPortFrom(nobody(t), 9)
	everySegmentedWay(t, func(t *testing.T, open func(string, Options) Conn) {
		c := open("0.0.0.0:0", Options{WriteBuffer: 4 << 10})
		ms := make([]Message, 64)
		for range 5 {
			for i := range ms {
				ms[i] = Message{Buf: make([]byte, 3*1000), Segment: 1000, Addr: target}
			}
			n, err := c.WriteBatch(ms)
			require.ErrorIs(t, err, ErrFull)
			require.Less(t, n, len(ms))
			for _, m := range ms[:n] {
				assert.Equal(t, 3000, m.N)
			}
			assert.Contains(t, []int{0, 1000, 2000}, ms[n].N)
		}
		assert.Zero(t, c.Refused())
	})
}
