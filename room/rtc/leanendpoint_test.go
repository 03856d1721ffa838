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
	"github.com/earshot-audio/earshot/room/mediaport"
)

func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+n))
}

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

// countedBatch is a batch and what it lost.
type countedBatch struct {
	*sendBatch
	lost uint64
}

func countedTo(w mediaport.Writer) *countedBatch {
	c := &countedBatch{sendBatch: batchTo(w)}
	c.CountLost(&c.lost)
	return c
}

// lostBy flushes a batch and returns how many packets that dropped.
func lostBy(b *countedBatch) int {
	before := b.lost
	b.Flush()
	return int(b.lost - before)
}

// single is what a shard gives an ear when nothing else waits.
func single(p fanout.Packet) []fanout.Packet { return []fanout.Packet{p} }

func batchTo(w mediaport.Writer) *sendBatch { return batchAt(w, time.Now) }

func batchAt(w mediaport.Writer, clock func() time.Time) *sendBatch {
	return &sendBatch{Batch: mediaport.NewBatch(w, clock)}
}

// batchOf is the batch of a shard on a port.
func batchOf(p *mediaport.Port, shard int) *sendBatch {
	return &sendBatch{Batch: p.NewBatch(shard, time.Now)}
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
	out := countedTo(sink)
	const lost = 10
	sent := 300
	if start == 65530 {
		sent = 70_000 // through a rollover of the ear's own
	}
	for i := range sent {
		require.Zero(t, l.Send(out.sendBatch, single(packetAt(start+uint16(i)))))
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
	assert.Equal(t, uint64(sent), l.sent.Packets.Load())
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
	const taken = mediaport.BatchMessages - 20
	sink := &tape{room: taken}
	out := countedTo(sink)
	ears := make([]*leanEndpoint, mediaport.BatchMessages+taken/2)
	for i := range ears {
		ears[i], _ = keyed(t, srtp.GCM128)
		require.Zero(t, ears[i].Send(out.sendBatch, single(packetAt(1))))
	}
	assert.Zero(t, lostBy(out), "all of the second batch fits")
	assert.EqualValues(t, mediaport.BatchMessages-taken, out.lost)
	assert.Equal(t, 2, sink.calls)
	for i, l := range ears {
		want := uint64(1)
		if i >= taken && i < mediaport.BatchMessages {
			want = 0
		}
		assert.Equal(t, want, l.sent.Packets.Load(), "ear %d", i)
		assert.Equal(t, want*7, l.sent.Bytes.Load())
	}
	assert.Zero(t, lostBy(out), "nothing is left")
	sink.room = 0
	require.Zero(t, ears[0].Send(out.sendBatch, single(packetAt(2))))
	assert.Zero(t, lostBy(out))
}

func TestSendBatchFillsSoonerWithLongPackets(t *testing.T) {
	sink := &tape{}
	out := countedTo(sink)
	l, _ := keyed(t, srtp.GCM128)
	p := packetAt(0)
	p.Frame.Payload = make([]byte, 1200)
	for i := range 100 {
		p.Seq = uint16(i)
		require.Zero(t, l.Send(out.sendBatch, single(p)))
	}
	assert.Zero(t, lostBy(out))
	assert.Len(t, sink.packets, 100)
	p.Seq, p.Frame.Payload = 100, make([]byte, mediaport.BatchBytes)
	assert.Equal(t, 1, l.Send(out.sendBatch, single(p)), "longer than a batch")
	assert.Zero(t, lostBy(out))
}

func TestSendAllocatesNothing(t *testing.T) {
	for _, profile := range srtp.DefaultProfiles() {
		l, _ := keyed(t, profile)
		out := countedTo(&discard{})
		p := packetAt(0)
		packets := make([]fanout.Packet, 3)
		send := func() {
			for i := range packets { // one, and three
				p.Seq++
				packets[i] = p
			}
			if l.Send(out.sendBatch, packets[:1])+l.Send(out.sendBatch, packets[1:]) != 0 || lostBy(out) != 0 {
				t.Fail()
			}
		}
		send()
		assert.Zero(t, testing.AllocsPerRun(1000, send), profile)
	}
}
