package client

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Each packet of a bundle is delivered by itself, with the bundle's receive time.
func TestCrowdSocketDispatchesEachPacketOfABundle(t *testing.T) {
	var waits uint64
	c := &Crowd{clock: timebase.NewClock(), delayed: func(_ time.Duration, n uint64) { waits += n }}
	l := &crowdSocket{crowd: c, conn: &ledgerConn{}, first: firstClientAddress, paths: make([]atomic.Pointer[clientPath], 4)}
	l.add(&clientPath{crowd: c, client: &LeanClient{}, local: loopbackAddress(firstClientAddress)})
	require.EqualValues(t, 1, c.PacketsPerDrop())
	for _, row := range []struct{ bytes, segment, packets int }{
		{15, 0, 1}, {45, 15, 3}, {50, 15, 4}, {16, 15, 2}, {180, 15, 12},
	} {
		waits = 0
		l.dispatch([]udpbatch.Message{{
			Buf: make([]byte, 200), N: row.bytes, Segment: row.segment,
			Local: loopbackAddress(firstClientAddress), At: time.Now().UnixNano(),
		}})
		assert.EqualValues(t, row.packets, waits, "%+v", row)
	}
	assert.EqualValues(t, 12, c.PacketsPerDrop(), "the longest bundle that has come")
}

// The kernel counts a bundle that it drops as one. What was dropped is then as much as
// it can have been: with less, what the generator has lost would be the server's loss.
func TestDroppedBundlesCountAsAllTheirPackets(t *testing.T) {
	conn, err := udpbatch.Listen(t.Context(), "127.0.0.1:0", udpbatch.Options{Segments: true, ReadBuffer: 32 << 10})
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	const sent, packets, size = 400, 7, 100
	c := &Crowd{shared: []*crowdSocket{{conn: conn}}}
	ms := make([]udpbatch.Message, sent)
	for i := range ms {
		ms[i] = udpbatch.Message{Buf: make([]byte, packets*size), Segment: size, Addr: conn.LocalAddr()}
	}
	_, err = conn.WriteBatch(ms)
	require.NoError(t, err)
	dropped, known := conn.Drops()
	if !known || dropped == 0 {
		t.Skip("this system does not tell")
	}
	assert.Equal(t, dropped, c.Dropped(), "no bundle has come so far")
	c.noteBundle(packets)
	assert.GreaterOrEqual(t, c.Dropped(), dropped*packets)
	assert.Equal(t, dropped*maxBundle, c.Dropped(), "servers may send longer ones than have come")
	c.noteBundle(2 * maxBundle)
	c.noteBundle(2)
	assert.Equal(t, dropped*2*maxBundle, c.Dropped())
}

// A padded packet is the same frame as one without padding, and padding alone is no
// audio.
func TestReadRTPIgnoresPadding(t *testing.T) {
	speech := make([]byte, 60)
	_, _ = rand.Read(speech)
	packet := func(payload []byte, padding int) []byte {
		b := append(rtpPacket(1, 9)[:12:12], payload...)
		if padding > 0 {
			b[0] |= 0x20
			b = append(b, make([]byte, padding)...)
			b[len(b)-1] = byte(padding)
		}
		return b
	}
	for _, padding := range []int{0, 1, 2, 60, 255} {
		t.Run(fmt.Sprint(padding), func(t *testing.T) {
			got, ok := readRTP(packet(speech, padding))
			require.True(t, ok)
			assert.Equal(t, speech, got.Payload)
			none, ok := readRTP(packet(nil, padding))
			require.True(t, ok)
			assert.Empty(t, none.Payload)
		})
	}
	_, ok := readRTP(packet(nil, 0))
	assert.True(t, ok)
	long := packet([]byte{1}, 3)
	long[len(long)-1] = 200
	_, ok = readRTP(long)
	assert.False(t, ok, "more padding than there is packet")
}
