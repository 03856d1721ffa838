package udpbatch

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// everySegmentedWay runs a test with segments that the kernel cuts, with such that it
// refuses, and with the portable way.
func everySegmentedWay(t *testing.T, test func(t *testing.T, open func(address string, o Options) Conn)) {
	everyWay(t, func(t *testing.T, way Options) {
		with := func(o Options) Options {
			o.Gather, o.Portable = way.Gather, way.Portable
			return o
		}
		t.Run("taken", func(t *testing.T) {
			test(t, func(address string, o Options) Conn { return listen(t, address, with(o)) })
		})
		t.Run("refused", func(t *testing.T) {
			test(t, func(address string, o Options) Conn {
				c := listen(t, address, with(o))
				refuseSegments(t, c)
				return c
			})
		})
	})
}

// cutUp is the datagrams of a received message.
func cutUp(m Message) (list [][]byte) {
	b := m.Buf[:m.N]
	if m.Segment == 0 {
		return [][]byte{b}
	}
	for ; len(b) > m.Segment; b = b[m.Segment:] {
		list = append(list, b[:m.Segment])
	}
	return append(list, b)
}

// roomForSegments is n messages to receive several datagrams each into.
func roomForSegments(n int) []Message {
	ms := make([]Message, n)
	for i := range ms {
		ms[i].Buf = make([]byte, MaxMessage)
	}
	return ms
}

func TestSegmentsArriveIntact(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		if address == "[::1]:0" && !hasIPv6() {
			continue
		}
		everySegmentedWay(t, func(t *testing.T, open func(string, Options) Conn) {
			sender := open(address, Options{})
			receivers := []Conn{open(address, Options{}), open(address, Options{Segments: true}), open(address, Options{Segments: true, Timestamps: true})}
			local := sender.LocalAddr().Addr()
			rapid.Check(t, func(t *rapid.T) {
				want := make([][][]byte, len(receivers))
				var ms []Message
				bytes := 0
				for len(ms) < 30 && bytes < 30_000 { // as much as a default buffer holds
					r := rapid.IntRange(0, len(receivers)-1).Draw(t, "receiver")
					m := drawMessage(t, receivers[r].LocalAddr())
					if rapid.Bool().Draw(t, "from an address") {
						m.Local = local
					}
					ms = append(ms, m)
					sent := m
					sent.N = len(m.Buf)
					want[r] = append(want[r], cutUp(sent)...)
					bytes += len(m.Buf) + 500*m.datagrams()
				}
				before := time.Now().UnixNano()
				n, err := sender.WriteBatch(ms)
				require.NoError(t, err)
				require.Equal(t, len(ms), n)
				for _, m := range ms {
					require.Equal(t, len(m.Buf), m.N)
				}
				for r, want := range want {
					got := receiveSegments(t, receivers[r], len(want), sender.LocalAddr(), func(m Message) {
						if r == 2 {
							require.LessOrEqual(t, before, m.At)
						}
					})
					require.Equal(t, want, got)
				}
			})
			assert.Zero(t, sender.Refused())
		})
	}
}

// drawMessage makes a message of one or several datagrams.
func drawMessage(t *rapid.T, to netip.AddrPort) Message {
	segment := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 300)).Draw(t, "segment")
	n := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(1, 1200)).Draw(t, "size")
	if segment > 0 {
		n = min(n, segment*rapid.IntRange(1, 12).Draw(t, "datagrams"))
	}
	m := Message{Buf: make([]byte, n), Segment: segment, Addr: to}
	for i := range m.Buf {
		m.Buf[i] = byte(rapid.IntRange(0, 3).Draw(t, "content") + i)
	}
	return m
}

// receiveSegments reads until so many datagrams have come from a peer.
func receiveSegments(t require.TestingT, c Conn, n int, from netip.AddrPort, check func(Message)) (got [][]byte) {
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patient)))
	ms := roomForSegments(4)
	for len(got) < n {
		read, err := c.ReadBatch(ms)
		require.NoError(t, err, "%d of %d", len(got), n)
		for _, m := range ms[:read] {
			require.Equal(t, from, m.Addr)
			check(m)
			for _, d := range cutUp(m) {
				got = append(got, append([]byte{}, d...))
			}
		}
	}
	return got
}

func TestMoreSegmentsThanTheKernelTakesAtOnceAreSentWhole(t *testing.T) {
	everySegmentedWay(t, func(t *testing.T, open func(string, Options) Conn) {
		a, b := open("127.0.0.1:0", Options{}), open("127.0.0.1:0", Options{Segments: true})
		for _, row := range []struct{ datagrams, size int }{{64, 20}, {65, 20}, {150, 20}, {60, 1200}, {3, 30_000}} {
			m := Message{Buf: make([]byte, row.datagrams*row.size-3), Segment: row.size, Addr: b.LocalAddr()}
			for i := range m.Buf {
				m.Buf[i] = byte(i / row.size)
			}
			ms := []Message{m}
			n, err := a.WriteBatch(ms)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, len(m.Buf), ms[0].N)
			sent := m
			sent.N = len(m.Buf)
			require.Equal(t, cutUp(sent), receiveSegments(t, b, row.datagrams, a.LocalAddr(), func(Message) {}))
		}
	})
}

func TestSegmentsAllocateNothing(t *testing.T) {
	everySegmentedWay(t, func(t *testing.T, open func(string, Options) Conn) {
		a, b := open("127.0.0.1:0", Options{}), open("127.0.0.1:0", Options{Segments: true, Timestamps: true})
		out, in := room(16), roomForSegments(16)
		for i := range out {
			out[i].Buf, out[i].Segment, out[i].Addr = out[i].Buf[:450], 150, b.LocalAddr()
		}
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := a.WriteBatch(out); err != nil {
				t.Error(err)
			}
			for left := len(out) * 3; left > 0; {
				n, err := b.ReadBatch(in)
				if err != nil {
					t.Error(err)
				}
				for _, m := range in[:n] {
					left -= m.N / 150
				}
			}
		}))
	})
}
