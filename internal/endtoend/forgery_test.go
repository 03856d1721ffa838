package endtoend_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A forger is a server's UDP socket that, for each RTP packet it sends, sends a
// second one that nobody has the key to.
type forger struct {
	*net.UDPConn
	forged atomic.Uint64
}

// WriteTo implements net.PacketConn.
func (f *forger) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, err
	}
	return f.WriteToAddrPort(b, addr)
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (f *forger) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if len(b) > 12 && b[0]&0xc0 == 0x80 && b[1]&0x7f == 111 {
		fake := append([]byte(nil), b...)
		// A sequence number that is still to come: an old one would be taken for
		// a copy.
		binary.BigEndian.PutUint16(fake[2:], binary.BigEndian.Uint16(b[2:])+100)
		fake[len(fake)-1] ^= 1
		if _, err := f.WriteToUDPAddrPort(fake, to); err == nil {
			f.forged.Add(1)
		}
	}
	return f.WriteToUDPAddrPort(b, to)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (f *forger) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return f.ReadFromUDPAddrPort(b)
}

func TestForgedPacketsAreCountedNotHeard(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	out := &forger{UDPConn: conn}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: out})
	t.Cleanup(func() { assert.NoError(t, mux.Close()); _ = conn.Close() })
	url := foreign(t, func(s *webrtc.SettingEngine) { s.SetICEUDPMux(mux) })
	d, err := whep.New(url+"/whip/{room}", url+"/whep/{room}", "secret", nil)
	require.NoError(t, err)
	r := played(t, d, `
name: forgeries
room: {capacity: 6, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 6, arrive: {shape: burst}}
hold: 1s
`)
	requireDelivered(t, r, ofForeign)
	counted, ok := r.Values["unauthentic"].(metric.Counter)
	require.True(t, ok)
	forged := out.forged.Load()
	assert.LessOrEqual(t, uint64(counted), forged)
	// How long forgeries follow who has left depends on the machine, but not what came in the hold.
	assert.GreaterOrEqual(t, uint64(counted), uint64(ofForeign*6*50))
}
