package rtc

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// ledger is a socket that keeps messages, of which it takes so many bytes.
type ledger struct {
	messages []udpbatch.Message
	room     int // bytes; 0: all
	refuse   bool
}

func (l *ledger) WriteBatch(ms []udpbatch.Message) (int, error) {
	for i := range ms {
		m := &ms[i]
		if m.N = len(m.Buf); l.refuse {
			m.N = -1
			continue
		}
		if l.room > 0 {
			segment := m.Segment
			if segment == 0 {
				segment = len(m.Buf)
			}
			for m.N = 0; l.room >= segment && m.N < len(m.Buf); l.room -= segment {
				m.N = min(m.N+segment, len(m.Buf))
			}
			if m.N < len(m.Buf) {
				return i, udpbatch.ErrFull
			}
		}
		kept := *m
		kept.Buf = slices.Clone(m.Buf)
		l.messages = append(l.messages, kept)
	}
	return len(ms), nil
}

// sized is a packet with so many bytes of speech.
func sized(section int, seq uint16, bytes int) fanout.Packet {
	return fanout.Packet{Section: section, Seq: seq, Timestamp: uint32(seq) * 960, Frame: &fanout.Frame{
		Talker: 7, Level: 30, Payload: make([]byte, bytes), Arrived: time.Now(),
	}}
}

// Whatever packets wait for an ear: they leave in their order, as segments of one
// length but for the last, none longer than any path takes, and the client reads from
// them what it would read without bundles.
func TestBundlesAreEvenAndHoldEachPacket(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		profile := rapid.SampledFrom(srtp.DefaultProfiles()).Draw(rt, "profile")
		s := keyedFor(rt, profile, address(1), 3)
		s.streams[1].level = 0 // another header
		out := &ledger{}
		b := countedTo(out)
		var packets []fanout.Packet
		var want []string
		for i := range rapid.IntRange(1, 40).Draw(rt, "packets") {
			n := rapid.OneOf(rapid.IntRange(0, 150), rapid.IntRange(0, 1300)).Draw(rt, "bytes")
			p := sized(rapid.IntRange(0, 2).Draw(rt, "section"), uint16(i), n)
			for j := range p.Payload {
				p.Payload[j] = byte(i + j)
			}
			packets = append(packets, p)
			want = append(want, fmt.Sprint(p.Section, p.Payload))
		}
		require.Zero(rt, s.Send(b.sendBatch, packets))
		require.Zero(rt, lostBy(b))
		var got []string
		for _, m := range out.messages {
			list := datagrams(m)
			require.LessOrEqual(rt, len(list), mediaport.MaxBundle)
			for _, sealed := range list {
				if len(list) > 1 {
					require.LessOrEqual(rt, len(sealed), mediaport.MaxSegment)
				}
				plain, _, err := s.opener.OpenRTP(slices.Clone(sealed))
				require.NoError(rt, err)
				var p rtp.Packet
				require.NoError(rt, p.Unmarshal(plain))
				if len(list) == 1 {
					require.False(rt, p.Padding, "alone it is as ever")
				}
				section := slices.IndexFunc(s.streams, func(v outboundStream) bool { return v.ssrc == p.SSRC })
				got = append(got, fmt.Sprint(section, append([]byte{}, p.Payload...)))
			}
		}
		require.Equal(rt, want, got)
		require.EqualValues(rt, len(packets), s.sent.Packets.Load())
	})
}

func TestSpeechLeavesInBundlesOfTen(t *testing.T) {
	s := keyedFor(t, srtp.GCM128, address(1), 1)
	out := &ledger{}
	b := batchTo(out)
	var packets []fanout.Packet
	for i := range 23 {
		packets = append(packets, sized(0, uint16(i), 40+i*7%90))
	}
	require.Zero(t, s.Send(b, packets))
	b.Flush()
	var sizes []int
	for _, m := range out.messages {
		sizes = append(sizes, len(datagrams(m)))
	}
	assert.Equal(t, []int{10, 10, 3}, sizes)

	out.messages = nil
	b.single = func() bool { return true }
	for i := range packets {
		packets[i].Seq += 100
	}
	require.Zero(t, s.Send(b, packets))
	b.Flush()
	assert.Len(t, out.messages, 23, "where bundles save nothing there are none")
}

// What finds no room, or is refused, is counted packet by packet.
func TestPacketsOfABundleThatAreLostAreCounted(t *testing.T) {
	for _, row := range []struct {
		name string
		out  ledger
		lost int
	}{
		{"all fit", ledger{}, 0},
		{"the socket is full after four packets, of which three are the first ear's", ledger{room: 4 * 100}, 2},
		{"the socket is full after two packets", ledger{room: 2 * 100}, 4},
		{"the addresses are refused", ledger{refuse: true}, 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := countedTo(&row.out)
			ears := []*subscribed{keyedFor(t, srtp.GCM128, address(1), 1), keyedFor(t, srtp.GCM128, address(2), 1)}
			for _, s := range ears {
				require.Zero(t, s.Send(b.sendBatch, []fanout.Packet{sized(0, 1, 60), sized(0, 2, 60), sized(0, 3, 60)}))
			}
			assert.Equal(t, row.lost, lostBy(b))
			sent := ears[0].sent.Packets.Load() + ears[1].sent.Packets.Load()
			assert.EqualValues(t, 6-row.lost, sent)
			assert.EqualValues(t, 60*sent, ears[0].sent.Bytes.Load()+ears[1].sent.Bytes.Load(), "padding is not counted")
		})
	}
}

// A packet of a bundle is sent again as the very datagram that was lost, with its
// padding.
func TestRetransmissionOfPaddedPackets(t *testing.T) {
	for _, profile := range srtp.DefaultProfiles() {
		s := newStudio(t, &tape{})
		l, _ := keyed(t, profile)
		asking(l)
		_, err := s.router.Subscribe(l, fanout.SubscribeOptions{Sections: 1})
		require.NoError(t, err)
		s.flush()
		// A bundle of frames that differ in length.
		out := batchTo(s.tape)
		list := []fanout.Packet{sized(0, 0, 10), sized(0, 1, 90), sized(0, 2, 30), sized(0, 3, 20)}
		require.Zero(t, l.Send(out, list))
		out.Flush()
		sent := slices.Clone(s.media())
		require.Len(t, sent, 4)
		for i := range list {
			memory := make([]byte, 300)
			v := &l.streams[0]
			require.Equal(t, len(sent[i])-l.size(&list[i]), v.stream.Padding(sequence(sent[i])))
			again, err := v.stream.Reseal(memory[:0], v.header(memory, &list[i]), list[i].Payload)
			require.NoError(t, err)
			require.Equal(t, sent[i], again)
		}
	}
}
