package rtc

import (
	"testing"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestForEachNACKReadsWholeCompounds(t *testing.T) {
	compound, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0x8001}, {PacketID: 5}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 8},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 9, Nacks: []rtcp.NackPair{{PacketID: 1}}},
	})
	require.NoError(t, err)
	got := map[uint32][]uint16{}
	forEachNACK(compound, func(ssrc uint32, seq uint16) { got[ssrc] = append(got[ssrc], seq) })
	assert.Equal(t, map[uint32][]uint16{7: {65535, 0, 15, 5}, 9: {1}}, got)
}

// nackFor asks for packets of a source.
func nackFor(t testing.TB, ssrc uint32, missed ...uint16) []byte {
	t.Helper()
	b, err := (&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(missed)}).Marshal()
	require.NoError(t, err)
	return b
}

func FuzzNACKs(f *testing.F) {
	b, _ := (&rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 3, LostPackets: 1}}}).Marshal()
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte{0x81, 205, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		forEachNACK(b, func(uint32, uint16) { n++ })
		assert.LessOrEqual(t, n, 17*len(b)/4, "a word asks for 17 packets at most")
	})
}
