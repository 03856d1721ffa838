package client

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func rtpPacket(ssrc uint32, sequence uint16) []byte {
	return []byte{0x80, 111, byte(sequence >> 8), byte(sequence), 0, 0, 0, 0,
		byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc), 1, 2, 3}
}

func TestRTPIDOnlyOfRTPPackets(t *testing.T) {
	for _, c := range []struct {
		name   string
		packet []byte
		ok     bool
	}{
		{"an RTP packet", rtpPacket(7, 8), true},
		{"an RTP packet with a marker", append([]byte{0x80, 0x80 | 111}, rtpPacket(7, 8)[2:]...), true},
		{"a receiver report", append([]byte{0x81, 201}, rtpPacket(7, 8)[2:]...), false},
		{"a Binding request", append([]byte{0x00, 0x01}, rtpPacket(7, 8)[2:]...), false},
		{"a DTLS record", append([]byte{22, 254}, rtpPacket(7, 8)[2:]...), false},
		{"half a header", rtpPacket(7, 8)[:8], false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ssrc, sequence, ok := rtpID(c.packet)
			assert.Equal(t, c.ok, ok)
			if ok {
				assert.EqualValues(t, 7, ssrc)
				assert.EqualValues(t, 8, sequence)
			}
		})
	}
}

// A packet that waits in the socket's buffer keeps the kernel's receive time.
func TestUDPSocketReportsKernelReceiveTime(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has SO_TIMESTAMPNS")
	}
	clock := timebase.NewClock()
	_, interfaces, err := listInterfaces(true)
	require.NoError(t, err)
	arrived := &receiveTimes{}
	n := &clientNet{interfaces: interfaces, clock: clock, times: arrived}
	conn, err := n.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	require.NoError(t, err)
	defer sender.Close()

	// The kernel starts timestamping a moment after the first socket asks for it. Until
	// then it timestamps packets when they are read.
	b := make([]byte, 100)
	for sequence := uint16(0); ; sequence++ {
		before := clock.Now()
		_, err = sender.Write(rtpPacket(7, sequence))
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		read := clock.Now()
		_, _, err = conn.ReadFrom(b)
		require.NoError(t, err)
		at, ok := arrived.find(7, sequence)
		require.True(t, ok)
		assert.GreaterOrEqual(t, at, before-time.Millisecond)
		if at < read-50*time.Millisecond {
			break
		}
		require.Less(t, sequence, uint16(50), "packets are stamped when they are read")
	}
	_, ok := arrived.find(7, 999)
	assert.False(t, ok)
}

// Packets dropped by a full socket buffer are counted as the generator's loss.
func TestUDPSocketCountsDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has SO_RXQ_OVFL")
	}
	arrived := &receiveTimes{}
	n := &clientNet{clock: timebase.NewClock(), times: arrived}
	conn, err := n.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetReadBuffer(4096))
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	require.NoError(t, err)
	defer sender.Close()
	const sent = 500
	for i := range uint16(sent) {
		_, err = sender.Write(rtpPacket(7, i))
		require.NoError(t, err)
	}
	// The count comes with a packet that was queued after a drop.
	received := 0
	b := make([]byte, 100)
	for {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		if _, _, err := conn.ReadFrom(b); err != nil {
			break
		}
		received++
	}
	_, err = sender.Write(rtpPacket(7, sent))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, _, err = conn.ReadFrom(b)
	require.NoError(t, err)
	assert.EqualValues(t, sent-received, arrived.dropped.Load())
	assert.Positive(t, arrived.dropped.Load())
}

func TestReceiveTimesOfSeveralSSRCs(t *testing.T) {
	a := &receiveTimes{}
	for ssrc := range uint32(maxSSRCs) {
		for i := range uint16(200) {
			a.note(ssrc, 65_500+i, time.Duration(ssrc)*time.Second+time.Duration(i))
		}
	}
	for ssrc := range uint32(maxSSRCs) {
		at, ok := a.find(ssrc, 65_535)
		assert.False(t, ok, "164 packets ago, %v", at)
		at, ok = a.find(ssrc, 163) // 65,500 + 199, after the wrap
		assert.True(t, ok)
		assert.Equal(t, time.Duration(ssrc)*time.Second+199, at)
	}
	a.note(maxSSRCs, 1, time.Second)
	_, ok := a.find(maxSSRCs, 1)
	assert.True(t, ok, "one SSRC too many replaces the oldest")
	_, ok = a.find(0, 163)
	assert.False(t, ok)
}
