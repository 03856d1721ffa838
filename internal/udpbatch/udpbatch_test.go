package udpbatch

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	if as := os.Getenv(childEnv); as != "" {
		os.Exit(child(as))
	}
	goleak.VerifyTestMain(m)
}

// patient is how long a test waits for what must happen.
const patient = 30 * time.Second

// everyWay runs a test with batches, woken for each datagram and not, and with
// the portable way.
func everyWay(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("batch", func(t *testing.T) { test(t, Options{}) })
	t.Run("gather", func(t *testing.T) { test(t, Options{Gather: time.Millisecond}) })
	t.Run("portable", func(t *testing.T) { test(t, Options{Portable: true}) })
}

func listen(t testing.TB, address string, o Options) Conn {
	t.Helper()
	c, err := Listen(t.Context(), address, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func hasIPv6() bool {
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// room is n messages to receive into.
func room(n int) []Message {
	ms := make([]Message, n)
	for i := range ms {
		ms[i].Buf = make([]byte, 2048)
	}
	return ms
}

// receive reads until n datagrams have come, at most batch at a time.
func receive(t require.TestingT, c Conn, n, batch int) []Message {
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patient)))
	var all []Message
	for len(all) < n {
		ms := room(batch)
		got, err := c.ReadBatch(ms)
		require.NoError(t, err, "%d of %d", len(all), n)
		require.Positive(t, got)
		all = append(all, ms[:got]...)
	}
	require.Len(t, all, n)
	return all
}

// to is a datagram's address: a socket's, or loopback if it is bound to none.
func to(c Conn, loopback string) netip.AddrPort {
	a := c.LocalAddr()
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.MustParseAddr(loopback), a.Port())
	}
	return a
}

func TestWriteBatchArrivesIntact(t *testing.T) {
	families := []struct{ name, listen, loopback string }{
		{"IPv4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv4 on every address", "0.0.0.0:0", "127.0.0.1"},
		{"IPv6", "[::1]:0", "::1"},
		{"IPv6 on a socket of both", "[::]:0", "::1"},
		{"IPv4 on a socket of both", ":0", "127.0.0.1"},
		{"IPv4 mapped into IPv6", "[::]:0", "::ffff:127.0.0.1"},
		{"IPv4 mapped into IPv6, on an IPv4 socket", "127.0.0.1:0", "::ffff:127.0.0.1"},
	}
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			if a, _ := netip.ParseAddrPort(f.listen); !a.Addr().Is4() && !hasIPv6() {
				t.Skip("no IPv6 here")
			}
			everyWay(t, func(t *testing.T, o Options) {
				sender := listen(t, f.listen, o)
				var receivers []Conn
				for range 3 {
					receivers = append(receivers, listen(t, f.listen, o))
				}
				rapid.Check(t, func(t *rapid.T) { checkBatch(t, sender, receivers, netip.MustParseAddr(f.loopback)) })
				assert.Zero(t, sender.Refused())
			})
		})
	}
}

// checkBatch holds that a batch of datagrams to receivers at a loopback address
// arrives as it was sent.
func checkBatch(t *rapid.T, sender Conn, receivers []Conn, loopback netip.Addr) {
	from := netip.AddrPortFrom(loopback.Unmap(), sender.LocalAddr().Port())
	want := make([][][]byte, len(receivers))
	var ms []Message
	for i := range rapid.IntRange(1, 80).Draw(t, "messages") {
		r := rapid.IntRange(0, len(receivers)-1).Draw(t, "receiver")
		b := make([]byte, rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 2048)).Draw(t, "size"))
		for j := range b {
			b[j] = byte(i + j)
		}
		want[r] = append(want[r], b)
		address := receivers[r].LocalAddr()
		if address.Addr().IsUnspecified() || loopback.Is4In6() {
			address = netip.AddrPortFrom(loopback, address.Port())
		}
		ms = append(ms, Message{Buf: b, Addr: address})
	}
	n, err := sender.WriteBatch(ms)
	require.NoError(t, err)
	require.Equal(t, len(ms), n)
	for _, m := range ms {
		require.Equal(t, len(m.Buf), m.N)
	}
	batch := rapid.IntRange(1, 100).Draw(t, "read batch")
	for r, want := range want {
		for i, m := range receive(t, receivers[r], len(want), batch) {
			require.Equal(t, want[i], m.Buf[:m.N])
			require.Equal(t, from, m.Addr)
			require.False(t, m.Local.IsValid(), "not asked for")
			require.Zero(t, m.At, "not asked for")
		}
	}
}

func TestWriteBatchLongerThanOneSystemCallIsSentWhole(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		a := listen(t, "127.0.0.1:0", o)
		const n, receivers = 700, 5 // a default buffer holds some 270 of the smallest
		var b []Conn
		for range receivers {
			b = append(b, listen(t, "127.0.0.1:0", o))
		}
		ms := make([]Message, n)
		for i := range ms {
			ms[i] = Message{Buf: binary.BigEndian.AppendUint32(nil, uint32(i)), Addr: b[i%receivers].LocalAddr()}
		}
		// In the middle and at the edges of the calls: what can't be sent.
		bad := map[int]bool{0: true, 255: true, 256: true, 300: true, n - 1: true}
		for i := range bad {
			ms[i].Addr = netip.AddrPort{}
		}
		sent, err := a.WriteBatch(ms)
		require.NoError(t, err)
		assert.Equal(t, n, sent)
		for i := range ms {
			if bad[i] {
				assert.Equal(t, -1, ms[i].N)
				continue
			}
			got := receive(t, b[i%receivers], 1, 1)[0]
			require.Equal(t, uint32(i), binary.BigEndian.Uint32(got.Buf))
		}
		assert.EqualValues(t, len(bad), a.Refused())
	})
}

func TestWriteBatchPassesOverRefusedDatagrams(t *testing.T) {
	refusals := []struct {
		name string
		make func(m *Message)
	}{
		{"no address", func(m *Message) { m.Addr = netip.AddrPort{} }},
		{"an address of another family", func(m *Message) { m.Addr = netip.MustParseAddrPort("[::1]:9") }},
		{"port zero", func(m *Message) { m.Addr = netip.MustParseAddrPort("127.0.0.1:0") }},
		{"longer than a datagram can be", func(m *Message) { m.Buf = make([]byte, math.MaxUint16) }},
		{"from an address that is not ours", func(m *Message) { m.Local = netip.MustParseAddr("203.0.113.7") }},
		{"from an address of another family", func(m *Message) { m.Local = netip.MustParseAddr("::1") }},
	}
	everyWay(t, func(t *testing.T, o Options) {
		a, b := listen(t, "127.0.0.1:0", o), listen(t, "127.0.0.1:0", o)
		for i, r := range refusals {
			t.Run(r.name, func(t *testing.T) {
				ms := make([]Message, 5)
				for j := range ms {
					ms[j] = Message{Buf: []byte{byte(j)}, Addr: b.LocalAddr()}
				}
				r.make(&ms[2])
				n, err := a.WriteBatch(ms)
				require.NoError(t, err)
				assert.Equal(t, 5, n)
				assert.Equal(t, -1, ms[2].N)
				assert.EqualValues(t, i+1, a.Refused())
				for k, m := range receive(t, b, 4, 8) {
					assert.Equal(t, []byte{[]byte{0, 1, 3, 4}[k]}, m.Buf[:m.N])
				}
			})
		}
	})
}

func TestWriteBatchSurvivesAnUnreachablePeer(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		gone, err := Listen(t.Context(), "127.0.0.1:0", o)
		require.NoError(t, err)
		require.NoError(t, gone.Close())
		a, b := listen(t, "127.0.0.1:0", o), listen(t, "127.0.0.1:0", o)
		for range 3 { // the kernel answers port unreachable before the call returns
			n, err := a.WriteBatch([]Message{{Buf: []byte("x"), Addr: gone.LocalAddr()}, {Buf: []byte("y"), Addr: b.LocalAddr()}})
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}
		receive(t, b, 3, 8)
		_, err = b.WriteBatch([]Message{{Buf: []byte("z"), Addr: a.LocalAddr()}})
		require.NoError(t, err)
		receive(t, a, 1, 8)
		assert.Zero(t, a.Refused())
	})
}

func TestReadBatchReportsTooLongDatagramsAsEmpty(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		a, b := listen(t, "127.0.0.1:0", o), listen(t, "127.0.0.1:0", o)
		_, err := a.WriteBatch([]Message{{Buf: make([]byte, 2049), Addr: b.LocalAddr()}, {Buf: make([]byte, 2048), Addr: b.LocalAddr()}})
		require.NoError(t, err)
		got := receive(t, b, 2, 4)
		assert.Equal(t, 0, got[0].N)
		assert.Equal(t, a.LocalAddr(), got[0].Addr)
		assert.Equal(t, 2048, got[1].N)
	})
}

func TestTimestampsAreTheTimeOfReception(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		o.Timestamps = true
		a, b := listen(t, "127.0.0.1:0", Options{}), listen(t, "127.0.0.1:0", o)
		for range 3 {
			before := time.Now().UnixNano()
			_, err := a.WriteBatch([]Message{{Buf: []byte("x"), Addr: b.LocalAddr()}, {Buf: []byte("y"), Addr: b.LocalAddr()}})
			require.NoError(t, err)
			got := receive(t, b, 2, 4)
			after := time.Now().UnixNano()
			for _, m := range got {
				assert.LessOrEqual(t, before, m.At)
				assert.LessOrEqual(t, m.At, after)
			}
		}
	})
}

func TestCloseEndsAWaitingRead(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		c := listen(t, "127.0.0.1:0", o)
		var wg sync.WaitGroup
		errs := make(chan error, 3)
		for range 3 {
			wg.Go(func() {
				_, err := c.ReadBatch(room(4))
				errs <- err
			})
		}
		require.NoError(t, c.Close())
		wg.Wait()
		for range 3 {
			assert.ErrorIs(t, <-errs, net.ErrClosed)
		}
		_, err := c.ReadBatch(room(1))
		assert.ErrorIs(t, err, net.ErrClosed)
		n, err := c.WriteBatch([]Message{{Buf: []byte("x"), Addr: c.LocalAddr()}})
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.Zero(t, n)
		assert.ErrorIs(t, c.Close(), net.ErrClosed)
	})
}

func TestReadBatchEndsAtItsDeadline(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		c := listen(t, "127.0.0.1:0", o)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := c.ReadBatch(room(1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		_, err = c.WriteBatch([]Message{{Buf: []byte("x"), Addr: c.LocalAddr()}})
		require.NoError(t, err)
		n, err := c.ReadBatch(room(1))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
	})
}

func TestEmptyBatchesDoNothing(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		c := listen(t, "127.0.0.1:0", o)
		n, err := c.ReadBatch(nil)
		require.NoError(t, err)
		assert.Zero(t, n)
		n, err = c.WriteBatch(nil)
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

// readAll reads datagrams with two readers until so many different ones have come,
// and closes the socket then. It takes a token for each so many of them.
func readAll(t *testing.T, c Conn, want, size int, tokens <-chan struct{}) map[string]bool {
	t.Helper()
	var mu sync.Mutex
	var readers sync.WaitGroup
	seen := map[string]bool{}
	read := func() {
		for {
			ms := room(size)
			n, err := c.ReadBatch(ms)
			if err != nil {
				assert.ErrorIs(t, err, net.ErrClosed)
				return
			}
			mu.Lock()
			for _, m := range ms[:n] {
				seen[string(m.Buf[:m.N])] = true
				if len(seen)%size == 0 {
					<-tokens
				}
			}
			if len(seen) == want {
				assert.NoError(t, c.Close())
			}
			mu.Unlock()
		}
	}
	readers.Go(read)
	readers.Go(read)
	readers.Wait()
	return seen
}

func TestConnIsSafeForConcurrentUse(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		const writers, batches, size = 4, 30, 8
		a, b := listen(t, "127.0.0.1:0", o), listen(t, "127.0.0.1:0", o)
		var wg sync.WaitGroup
		// A batch at a time under way, so that the receive buffer holds it.
		tokens := make(chan struct{}, 8)
		for w := range writers {
			wg.Go(func() {
				for i := range batches {
					ms := make([]Message, size)
					for j := range ms {
						ms[j] = Message{Buf: fmt.Appendf(nil, "%d.%d", w, i*size+j), Addr: b.LocalAddr()}
					}
					tokens <- struct{}{}
					n, err := a.WriteBatch(ms)
					assert.NoError(t, err)
					assert.Equal(t, size, n)
				}
			})
		}
		var seen map[string]bool
		wg.Go(func() { seen = readAll(t, b, writers*batches*size, size, tokens) })
		wg.Wait()
		assert.Len(t, seen, writers*batches*size)
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	everyWay(t, func(t *testing.T, o Options) {
		o.Timestamps = true
		a, b := listen(t, "127.0.0.1:0", o), listen(t, "127.0.0.1:0", o)
		out, in := room(16), room(16)
		for i := range out {
			out[i].Buf, out[i].Addr, out[i].Local = out[i].Buf[:150], b.LocalAddr(), a.LocalAddr().Addr()
		}
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := a.WriteBatch(out); err != nil {
				t.Error(err)
			}
			for left := len(out); left > 0; {
				n, err := b.ReadBatch(in)
				if err != nil {
					t.Error(err)
				}
				left -= n
			}
			b.Drops()
		}))
	})
}

func TestListenRefusesWhatCannotBeHad(t *testing.T) {
	rows := []struct {
		name string
		open func(ctx context.Context) error
	}{
		{"a receive buffer beyond any system's limit", func(ctx context.Context) error {
			_, err := Listen(ctx, "127.0.0.1:0", Options{ReadBuffer: math.MaxInt32})
			return err
		}},
		{"a send buffer beyond any system's limit", func(ctx context.Context) error {
			_, err := Listen(ctx, "127.0.0.1:0", Options{WriteBuffer: math.MaxInt32})
			return err
		}},
		{"an address that is not one", func(ctx context.Context) error {
			_, err := Listen(ctx, "127.0.0.1", Options{})
			return err
		}},
		{"an address that is not ours", func(ctx context.Context) error {
			_, err := Listen(ctx, "203.0.113.7:0", Options{})
			return err
		}},
		{"a group of none", func(ctx context.Context) error {
			_, err := ListenGroup(ctx, "127.0.0.1:0", 0, Options{})
			return err
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { assert.Error(t, r.open(t.Context())) })
	}
}
