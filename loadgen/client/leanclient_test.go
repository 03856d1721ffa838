package client

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
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

func TestCrowdUsesOneCertificate(t *testing.T) {
	c, err := NewCrowd(timebase.NewClock(), &feedback.NACKCounter{}, func(time.Duration, uint64) {}, 1, TURN{})
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
