package client

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// For any bytes, readRTP agrees with Pion's parser about what a packet is.
func FuzzReadRTP(f *testing.F) {
	for _, h := range []rtp.Header{
		{Version: 2, PayloadType: 111, SequenceNumber: 7, Timestamp: 960, SSRC: 1},
		{Version: 2, PayloadType: 111, SequenceNumber: 7, Timestamp: 960, SSRC: 1, CSRC: []uint32{5, 6}},
		{Version: 2, PayloadType: 111, Extension: true, ExtensionProfile: 0xbede, Extensions: []rtp.Extension{}},
	} {
		b, err := (&rtp.Packet{Header: h, Payload: []byte("frame")}).Marshal()
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte{0xa0, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'f', 0, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := readRTP(b)
		var want rtp.Packet
		if want.Unmarshal(b) != nil || want.Version != 2 {
			return // readRTP may be more lenient with the extensions that it skips
		}
		if !ok {
			assert.True(t, want.Padding, "refused only if the padding is longer than the packet")
			return
		}
		assert.Equal(t, want.SequenceNumber, got.Sequence)
		assert.Equal(t, want.Timestamp, got.Timestamp)
		if len(want.CSRC) > 0 {
			assert.Equal(t, want.CSRC[0], got.Talker)
		}
		if !want.Padding {
			assert.Equal(t, string(want.Payload), string(got.Payload))
		}
	})
}

func reported(t *testing.T, r *receiverReports, now time.Duration) *rtcp.ReceiverReport {
	t.Helper()
	b, err := r.build(now)
	require.NoError(t, err)
	require.NotNil(t, b)
	all, err := rtcp.Unmarshal(b)
	require.NoError(t, err)
	require.Len(t, all, 1)
	rr, ok := all[0].(*rtcp.ReceiverReport)
	require.True(t, ok)
	return rr
}

func TestReceiverReportCountsReceivedAndLost(t *testing.T) {
	r := &receiverReports{}
	b, err := r.build(0)
	require.NoError(t, err)
	assert.Nil(t, b, "nothing came")

	for i := range uint64(100) {
		if i%10 == 5 {
			continue // one in ten is lost
		}
		r.receive(0, 7, 65_500+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
	}
	sr, err := (&rtcp.SenderReport{SSRC: 7, NTPTime: 0x1122334455667788}).Marshal()
	require.NoError(t, err)
	r.handleRTCP(sr, 2*time.Second)
	first := reported(t, r, 3*time.Second)
	require.Len(t, first.Reports, 1)
	block := first.Reports[0]
	assert.EqualValues(t, 7, block.SSRC)
	assert.EqualValues(t, 65_599, block.LastSequenceNumber, "with the rollover count")
	assert.EqualValues(t, 10, block.TotalLost)
	assert.EqualValues(t, 10*256/100, block.FractionLost)
	assert.EqualValues(t, 0x33445566, block.LastSenderReport)
	assert.EqualValues(t, 65536, block.Delay, "a second")
	assert.Zero(t, block.Jitter)

	for i := uint64(100); i < 150; i++ {
		r.receive(0, 7, 65_500+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
	}
	second := reported(t, r, 4*time.Second).Reports[0]
	assert.Zero(t, second.FractionLost, "nothing since the last report")
	assert.EqualValues(t, 10, second.TotalLost)
	assert.Equal(t, first.SSRC, reported(t, r, 5*time.Second).SSRC)
}

func TestCrowdUsesOneCertificate(t *testing.T) {
	c, err := NewCrowd(measure.NewClock(), &NACKCounter{}, func(time.Duration, uint64) {}, 1, TURN{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	prints := map[string]bool{}
	for range 10 {
		e := c.NewClient(1, network.UDP, nil, network.RepairNone, nil)
		offer, err := e.Offer(t.Context())
		require.NoError(t, err)
		for line := range strings.Lines(offer) {
			if strings.HasPrefix(line, "a=fingerprint:") {
				prints[line] = true
			}
		}
	}
	assert.Len(t, prints, 1)
}
