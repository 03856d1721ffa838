package rtc

import (
	"testing"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// FuzzNACKsAgainstPion holds that what a client asks for again is what Pion
// reads in the same report.
func FuzzNACKsAgainstPion(f *testing.F) {
	compound, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0x8001}, {PacketID: 3}}},
	})
	require.NoError(f, err)
	f.Add(compound)
	f.Add(compound[:len(compound)-4])
	f.Add([]byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 3, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		type ask struct {
			ssrc uint32
			seq  uint16
		}
		var got []ask
		forEachNACK(b, func(ssrc uint32, seq uint16) { got = append(got, ask{ssrc, seq}) })
		require.LessOrEqual(t, len(got), 17*len(b)/4, "a word asks for 17 packets at most")
		all, err := rtcp.Unmarshal(b)
		if err != nil {
			return // what is whole in it may be read all the same
		}
		var want []ask
		for _, p := range all {
			if n, ok := p.(*rtcp.TransportLayerNack); ok {
				for _, pair := range n.Nacks {
					for _, seq := range pair.PacketList() {
						want = append(want, ask{n.MediaSSRC, seq})
					}
				}
			}
		}
		require.Equal(t, want, got)
	})
}
