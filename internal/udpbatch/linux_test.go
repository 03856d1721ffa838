//go:build linux

package udpbatch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a second process: "seccomp" for one that may
// not batch, "old" for one whose kernel seems not to know UDP_SEGMENT and UDP_GRO, or
// an address for one that wants it too.
const childEnv = "EARSHOT_UDPBATCH_CHILD"

func child(as string) int {
	if as == "seccomp" {
		if err := refuseBatches(); err != nil {
			fmt.Println("filter:", err)
			return 1
		}
		as = "127.0.0.1:0"
	}
	if as == "old" {
		return childOfOldKernel()
	}
	c, err := ListenGroup(context.Background(), as, 2, Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := c[0].WriteBatch([]Message{{Buf: []byte("x"), Addr: c[0].LocalAddr()}}); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("%T", c[0])
	return 0
}

// refuseBatches makes sendmmsg fail with EPERM in all of this process, as a
// container's seccomp profile may.
func refuseBatches() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SENDMMSG, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	return install(filter)
}

// install makes a filter hold for all of this process.
func install(filter []unix.SockFilter) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

func runChild(t *testing.T, as string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+as)
	out, err := cmd.Output()
	return string(out), err
}

func TestListenFallsBackWhenASandboxRefusesBatches(t *testing.T) {
	out, err := runChild(t, "seccomp")
	require.NoError(t, err, out)
	assert.Equal(t, "*udpbatch.portable", out)
	out, err = runChild(t, "127.0.0.1:0")
	require.NoError(t, err, out)
	assert.Equal(t, "*udpbatch.batching", out, "without the sandbox")
}

func group(t *testing.T, address string, n int, o Options) []Conn {
	t.Helper()
	g, err := ListenGroup(t.Context(), address, n, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, c := range g {
			_ = c.Close()
		}
	})
	return g
}

// readUntilAll reads the sockets of a group until so many datagrams have come, and
// counts those of each socket. The first byte names the peer, which must always
// come to one socket.
func readUntilAll(t *testing.T, g []Conn, want int) (mine []int, total int) {
	t.Helper()
	// Each socket is read until all have come: an empty socket says nothing
	// of when the last of its datagrams will be there.
	var mu sync.Mutex
	at := map[byte]int{}
	mine = make([]int, len(g))
	var readers sync.WaitGroup
	for i, c := range g {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patient)))
		readers.Go(func() {
			for {
				ms := room(64)
				n, err := c.ReadBatch(ms)
				if err != nil {
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
					return
				}
				mu.Lock()
				for _, m := range ms[:n] {
					if before, ok := at[m.Buf[0]]; ok {
						assert.Equal(t, before, i, "peer %d", m.Buf[0])
					}
					at[m.Buf[0]] = i
				}
				mine[i] += n
				total += n
				if total == want {
					for _, c := range g {
						assert.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond))) // for one too many
					}
				}
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	return mine, total
}

func TestListenGroupKeepsAPeerAtOneSocket(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::]:0"} {
		everyWay(t, func(t *testing.T, o Options) {
			g := group(t, address, 3, o)
			target := to(g[0], "127.0.0.1")
			const peers, each = 60, 3
			for i, c := range g {
				require.Equal(t, g[0].LocalAddr(), c.LocalAddr(), "socket %d", i)
			}
			for p := range peers {
				peer := listen(t, "127.0.0.1:0", o)
				for range each {
					_, err := peer.WriteBatch([]Message{{Buf: []byte{byte(p)}, Addr: target}})
					require.NoError(t, err)
				}
			}
			mine, total := readUntilAll(t, g, peers*each)
			for i, n := range mine {
				assert.Positive(t, n, "socket %d: 60 peers miss one of three once in 10^10 runs", i)
			}
			assert.Equal(t, peers*each, total)
		})
	}
}

func TestListenLocksThePort(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		g := group(t, "127.0.0.1:0", 2, o)
		address := g[0].LocalAddr().String()
		for _, other := range []string{address, strings.Replace(address, "127.0.0.1", "0.0.0.0", 1), strings.Replace(address, "127.0.0.1", "", 1)} {
			_, err := ListenGroup(t.Context(), other, 2, o)
			assert.ErrorIs(t, err, unix.EADDRINUSE, other)
			_, err = Listen(t.Context(), other, o)
			assert.ErrorIs(t, err, unix.EADDRINUSE, other)
		}
		out, err := runChild(t, address)
		assert.Error(t, err)
		assert.Contains(t, out, "address already in use")

		for _, c := range g {
			require.NoError(t, c.Close())
		}
		out, err = runChild(t, address)
		assert.NoError(t, err, "the lock goes with its sockets: %s", out)

		alone := listen(t, address, o)
		_, err = ListenGroup(t.Context(), alone.LocalAddr().String(), 2, o)
		assert.ErrorIs(t, err, unix.EADDRINUSE)
	})
}

func TestDropsCountsToTheLast(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		a := listen(t, "127.0.0.1:0", o)
		o.ReadBuffer = 32 << 10
		b := listen(t, "127.0.0.1:0", o)
		drops, known := b.Drops()
		require.True(t, known)
		assert.Zero(t, drops)

		const batches, size = 20, 64
		ms := make([]Message, size)
		for i := range ms {
			ms[i] = Message{Buf: make([]byte, 200), Addr: b.LocalAddr()}
		}
		for range batches {
			n, err := a.WriteBatch(ms)
			require.NoError(t, err)
			require.Equal(t, size, n)
		}
		// Nothing has been read yet, and nothing comes after those dropped.
		drops, _ = b.Drops()
		require.Positive(t, drops)
		require.Less(t, drops, uint64(batches*size))
		receive(t, b, batches*size-int(drops), size)
		after, _ := b.Drops()
		assert.Equal(t, drops, after)
		require.NoError(t, b.Close())
		after, known = b.Drops()
		assert.True(t, known)
		assert.Equal(t, drops, after)
	})
}

func TestPacketInfoReportsTheDestination(t *testing.T) {
	rows := []struct{ name, listen, target string }{
		{"IPv4", "0.0.0.0:0", "127.3.2.1"},
		{"IPv4 on a socket of both", "[::]:0", "127.3.2.1"},
		{"IPv6 on a socket of both", "[::]:0", "::1"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if strings.HasPrefix(r.listen, "[") && !hasIPv6() {
				t.Skip("no IPv6 here")
			}
			everyWay(t, func(t *testing.T, o Options) {
				target := netip.MustParseAddr(r.target)
				a := listen(t, r.listen, o)
				o.PacketInfo, o.Timestamps = true, true
				b := listen(t, r.listen, o)
				_, err := a.WriteBatch([]Message{{Buf: []byte("x"), Addr: netip.AddrPortFrom(target, b.LocalAddr().Port())}})
				require.NoError(t, err)
				m := receive(t, b, 1, 4)[0]
				assert.Equal(t, target, m.Local)
				assert.NotZero(t, m.At)

				// The answer comes from the address that was asked.
				n, err := b.WriteBatch([]Message{{Buf: []byte("y"), Addr: m.Addr, Local: m.Local}})
				require.NoError(t, err)
				require.Equal(t, 1, n)
				assert.Equal(t, netip.AddrPortFrom(target, b.LocalAddr().Port()), receive(t, a, 1, 4)[0].Addr)
			})
		})
	}
}

func TestWriteBatchReachesLinkLocalAddresses(t *testing.T) {
	var local netip.Addr
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		require.NoError(t, err)
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && i.Flags&net.FlagUp != 0 {
				local = p.Addr().WithZone(i.Name)
			}
		}
	}
	if !local.IsValid() {
		t.Skip("no link-local address here")
	}
	everyWay(t, func(t *testing.T, o Options) {
		o.PacketInfo = true
		a, b := listen(t, "[::]:0", o), listen(t, "[::]:0", o)
		_, err := a.WriteBatch([]Message{{Buf: []byte("x"), Addr: netip.AddrPortFrom(local, b.LocalAddr().Port())}})
		require.NoError(t, err)
		m := receive(t, b, 1, 1)[0]
		assert.NotEmpty(t, m.Addr.Addr().Zone())
		_, err = b.WriteBatch([]Message{{Buf: []byte("y"), Addr: m.Addr, Local: m.Local}})
		require.NoError(t, err)
		assert.Equal(t, local.WithZone(""), receive(t, a, 1, 1)[0].Addr.Addr().WithZone(""))
	})
}

// An address on the local network that nobody answers for: what is sent there
// waits for ARP in the sender's buffer, which loopback never fills.
func nobody(t *testing.T) netip.Addr {
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		addresses, err := i.Addrs()
		require.NoError(t, err)
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !p.Addr().Is4() || p.Bits() > 28 {
				continue
			}
			top := p.Masked().Addr().As4()
			for bit := p.Bits(); bit < 32; bit++ {
				top[bit/8] |= 1 << (7 - bit%8)
			}
			top[3] -= 2 + byte(os.Getpid()%8) // below the broadcast; another for every run
			return netip.AddrFrom4(top)
		}
	}
	t.Skip("only loopback here")
	return netip.Addr{}
}

func TestWriteBatchDoesNotWaitForAFullBuffer(t *testing.T) {
	target := netip.AddrPortFrom(nobody(t), 9)
	everyWay(t, func(t *testing.T, o Options) {
		o.WriteBuffer = 4 << 10
		c := listen(t, "0.0.0.0:0", o)
		ms := make([]Message, 64)
		for i := range ms {
			ms[i] = Message{Buf: make([]byte, 1000), Addr: target}
		}
		for call := range 5 {
			n, err := c.WriteBatch(ms)
			require.ErrorIs(t, err, ErrFull, "call %d", call)
			require.Less(t, n, len(ms))
		}
		assert.Zero(t, c.Refused())
	})
}

// threadTime is the processor time of the calling thread, which other load on
// the machine doesn't stretch as it does the wall clock's. Sending over loopback
// includes the kernel's work of delivering.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// processTime is the same for all threads.
func processTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

func TestSetGatherChangesTheWait(t *testing.T) {
	c := listen(t, "127.0.0.1:0", Options{Gather: time.Millisecond})
	g := c.(*batching).gather
	assert.EqualValues(t, time.Millisecond, g.every.Load())
	c.SetGather(2 * time.Millisecond)
	assert.EqualValues(t, 2*time.Millisecond, g.every.Load())
	for _, o := range []Options{{}, {Portable: true}} {
		c := listen(t, "127.0.0.1:0", o)
		c.SetGather(time.Hour)
		_, err := c.WriteBatch([]Message{{Buf: []byte("x"), Addr: to(c, "127.0.0.1")}})
		require.NoError(t, err)
		n, err := c.ReadBatch(room(1))
		require.NoError(t, err)
		assert.Equal(t, 1, n, "a socket that does not gather does not wait: %+v", o)
	}
}
