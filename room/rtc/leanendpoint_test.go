package rtc

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
)

// tape is a socket that keeps what is sent, until it is full.
type tape struct {
	packets [][]byte
	to      []netip.AddrPort
	calls   int
	room    int // how many packets one call takes; 0: all
}

func (s *tape) WriteBatch(ms []udpbatch.Message) (int, error) {
	s.calls++
	for i := range ms {
		if s.room > 0 && i == s.room {
			return i, udpbatch.ErrFull
		}
		for _, b := range datagrams(ms[i]) {
			s.packets = append(s.packets, slices.Clone(b))
			s.to = append(s.to, ms[i].Addr)
		}
		ms[i].N = len(ms[i].Buf)
	}
	return len(ms), nil
}

// datagrams is what a message consists of.
func datagrams(m udpbatch.Message) [][]byte {
	if m.Segment == 0 {
		return [][]byte{m.Buf}
	}
	return slices.Collect(slices.Chunk(m.Buf, m.Segment))
}

// lostBy flushes a batch and returns how many packets that dropped.
func lostBy(b *sendBatch) int {
	before := *b.lost
	b.Flush()
	return int(*b.lost - before)
}

// single is what a shard gives an ear when nothing else waits.
func single(p fanout.Packet) []fanout.Packet { return []fanout.Packet{p} }

func batchTo(w batchWriter) *sendBatch {
	return newSendBatch(w, time.Now)
}

func packetAt(seq uint16) fanout.Packet {
	return fanout.Packet{Seq: seq, Timestamp: uint32(seq) * 960, Frame: &fanout.Frame{
		Talker: 7, Level: 30, Voice: true, Payload: fmt.Append(nil, "frame ", seq), Arrived: time.Now(),
	}}
}

// keyed makes an ear's link and what opens its packets.
func keyed(t *testing.T, p srtp.Profile) (*leanEndpoint, *srtp.Opener) {
	t.Helper()
	key, salt := make([]byte, p.KeyLen()), make([]byte, p.SaltLen())
	_, _ = rand.Read(key)
	_, _ = rand.Read(salt)
	sealer, err := srtp.NewSealer(p, key, salt)
	require.NoError(t, err)
	opener, err := srtp.NewOpener(p, key, salt)
	require.NoError(t, err)
	return linked(t, sealer, address(1), 1), opener
}

// Wherever the room's own count stands when an ear joins, and though it loses
// its first packets, it hears the rest, through any rollover.
func TestEarJoiningAnywhereSurvivesLossOfItsFirstPackets(t *testing.T) {
	for _, p := range srtp.DefaultProfiles() {
		for _, start := range []uint16{0, 1, 32767, 32768, 65530} {
			t.Run(fmt.Sprint(p, " from ", start), func(t *testing.T) { testJoinWithLoss(t, p, start) })
		}
	}
}

// testJoinWithLoss lets an ear join when the slot is at a sequence number.
func testJoinWithLoss(t *testing.T, p srtp.Profile, start uint16) {
	t.Helper()
	l, opener := keyed(t, p)
	sink := &tape{}
	out := batchTo(sink)
	const lost = 10
	sent := 300
	if start == 65530 {
		sent = 70_000 // through a rollover of the ear's own
	}
	for i := range sent {
		require.Zero(t, l.Send(out, single(packetAt(start+uint16(i)))))
		if i%100 == 99 {
			require.Zero(t, lostBy(out))
		}
	}
	out.Flush()
	packets := slices.DeleteFunc(sink.packets, func(b []byte) bool { return b[1] == 200 }) // a report, now and then
	seen := map[uint64]bool{}
	var first uint64
	for i, b := range packets[lost:] {
		plain, index, err := opener.OpenRTP(b)
		require.NoError(t, err, "packet %d", i)
		require.False(t, seen[index], "one index, one packet")
		seen[index] = true
		if i == 0 {
			first = index
		}
		require.Equal(t, first+uint64(i), index)
		if i%1000 == 0 {
			var r rtp.Packet
			require.NoError(t, r.Unmarshal(plain))
			require.Equal(t, fmt.Sprint("frame ", start+uint16(lost+i)), string(r.Payload))
			require.Equal(t, []uint32{7}, r.CSRC)
			require.Equal(t, []byte{0x80 | 30}, r.GetExtension(1))
			require.Equal(t, uint8(111), r.PayloadType)
		}
	}
	require.Len(t, seen, sent-lost)
	assert.Equal(t, uint64(sent), l.packets.Load())
}

func TestEarWithoutAudioLevelSendsNone(t *testing.T) {
	l, opener := keyed(t, srtp.GCM128)
	l.streams[0].level = 0
	sink := &tape{}
	out := batchTo(sink)
	p := packetAt(5)
	p.Marker = true
	require.Zero(t, l.Send(out, single(p)))
	out.Flush()
	plain, _, err := opener.OpenRTP(sink.packets[0])
	require.NoError(t, err)
	var r rtp.Packet
	require.NoError(t, r.Unmarshal(plain))
	assert.False(t, r.Extension)
	assert.True(t, r.Marker)
	assert.Equal(t, "frame 5", string(r.Payload))
}

func TestSendBatchDropsWhenTheSocketIsFull(t *testing.T) {
	const taken = batchMessages - 20
	sink := &tape{room: taken}
	out := batchTo(sink)
	ears := make([]*leanEndpoint, batchMessages+taken/2)
	for i := range ears {
		ears[i], _ = keyed(t, srtp.GCM128)
		require.Zero(t, ears[i].Send(out, single(packetAt(1))))
	}
	assert.Zero(t, lostBy(out), "all of the second batch fits")
	assert.EqualValues(t, batchMessages-taken, *out.lost)
	assert.Equal(t, 2, sink.calls)
	for i, l := range ears {
		want := uint64(1)
		if i >= taken && i < batchMessages {
			want = 0
		}
		assert.Equal(t, want, l.packets.Load(), "ear %d", i)
		assert.Equal(t, want*7, l.bytes.Load())
	}
	assert.Zero(t, lostBy(out), "nothing is left")
	sink.room = 0
	require.Zero(t, ears[0].Send(out, single(packetAt(2))))
	assert.Zero(t, lostBy(out))
}

func TestSendBatchFillsSoonerWithLongPackets(t *testing.T) {
	sink := &tape{}
	out := batchTo(sink)
	l, _ := keyed(t, srtp.GCM128)
	p := packetAt(0)
	p.Frame.Payload = make([]byte, 1200)
	for i := range 100 {
		p.Seq = uint16(i)
		require.Zero(t, l.Send(out, single(p)))
	}
	assert.Zero(t, lostBy(out))
	assert.Len(t, sink.packets, 100)
	p.Seq, p.Frame.Payload = 100, make([]byte, batchBytes)
	assert.Equal(t, 1, l.Send(out, single(p)), "longer than a batch")
	assert.Zero(t, lostBy(out))
}

func TestSendAllocatesNothing(t *testing.T) {
	for _, profile := range srtp.DefaultProfiles() {
		l, _ := keyed(t, profile)
		out := batchTo(&discard{})
		p := packetAt(0)
		packets := make([]fanout.Packet, 3)
		send := func() {
			for i := range packets { // one, and three
				p.Seq++
				packets[i] = p
			}
			if l.Send(out, packets[:1])+l.Send(out, packets[1:]) != 0 || lostBy(out) != 0 {
				t.Fail()
			}
		}
		send()
		assert.Zero(t, testing.AllocsPerRun(1000, send), profile)
	}
}
