package feedback

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a server reports of a mic, the figures can be: it has not received more than was sent, nor lost more than
// that.
func FuzzUpstream(f *testing.F) {
	const mic = 7
	block := []rtcp.ReceptionReport{{SSRC: mic, FractionLost: 3, TotalLost: 4, LastSequenceNumber: 139, Jitter: 48, LastSenderReport: 1, Delay: 2}}
	more := []rtcp.ReceptionReport{{SSRC: mic, TotalLost: 51, LastSequenceNumber: 149}} // than were sent
	for _, p := range []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1, Reports: block}, &rtcp.ReceiverReport{SSRC: 1, Reports: more}, &rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 40, PacketCount: 9, Reports: block},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: mic, Nacks: []rtcp.NackPair{{PacketID: 110, LostPackets: 0b101}}},
	} {
		compound, err := p.Marshal()
		require.NoError(f, err)
		f.Add(uint16(100), uint16(50), compound)
		f.Add(uint16(65_500), uint16(100), compound)
	}
	f.Add(uint16(0), uint16(0), []byte{0x80, 201, 0, 1, 0, 0, 0, 7})
	f.Fuzz(func(t *testing.T, first, sent uint16, compound []byte) {
		u := NewUpstreamReports(func(_, _ time.Duration) uint64 { return 1 }, 0)
		for i := range sent % 1000 {
			u.Sent(first + i)
		}
		for i := range 3 {
			u.Take(compound, mic, time.Duration(i)*time.Minute)
		}
		is := u.Upstream()
		assert.EqualValues(t, sent%1000, is.Sent)
		assert.LessOrEqual(t, is.Covered, is.Sent)
		assert.LessOrEqual(t, is.Lost, is.Covered)
		assert.LessOrEqual(t, is.Excused, is.Lost)
		assert.GreaterOrEqual(t, is.Jitter, time.Duration(0))
		assert.Equal(t, is.Covered > 0, is.Reports > 0, "there is no figure without a report")
		assert.Equal(t, is, u.Upstream(), "to ask changes nothing")
		u.End()
		u.Take(compound, mic, time.Hour)
		assert.Equal(t, is, u.Upstream(), "after the end nothing counts")
	})
}

// Whatever a server sends with its packets, the client's own reports stay as they have to be, and no more is said to
// have come than was sent.
func FuzzHandleRTCP(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 5, NTPTime: 1 << 40, RTPTime: 960, PacketCount: 9, OctetCount: 700}, &rtcp.SenderReport{SSRC: 0, PacketCount: 9},
		&rtcp.ReceiverReport{SSRC: 5}, &rtcp.Goodbye{Sources: []uint32{5}},
	} {
		compound, err := p.Marshal()
		require.NoError(f, err)
		f.Add(compound, uint64(100), uint8(9))
	}
	f.Fuzz(func(t *testing.T, compound []byte, index uint64, packets uint8) {
		var r ReceiverReports
		r.Reserve(2)
		r.HandleRTCP(compound, 0)
		_, ok := r.Downstream()
		assert.False(t, ok, "nothing was received, of whatever it reports")
		index %= 1 << 48
		for i := range uint64(packets) {
			r.Receive(1, 5, index+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
		}
		r.HandleRTCP(compound, time.Minute)
		if d, ok := r.Downstream(); ok {
			assert.LessOrEqual(t, d.Received, d.Sent)
			assert.EqualValues(t, packets, d.Received)
		}
		text, err := r.Build(2 * time.Minute)
		require.NoError(t, err)
		if packets == 0 {
			assert.Nil(t, text)
			return
		}
		var report rtcp.ReceiverReport
		require.NoError(t, report.Unmarshal(text))
		require.Len(t, report.Reports, 1)
		block := report.Reports[0]
		assert.EqualValues(t, 5, block.SSRC)
		assert.Zero(t, block.TotalLost)
		assert.Equal(t, uint32(index+uint64(packets)-1), block.LastSequenceNumber)
		assert.Contains(t, []uint32{0, 60 << 16}, block.Delay, "a minute since the sender report, if there was one")
	})
}
