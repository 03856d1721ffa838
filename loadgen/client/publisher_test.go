package client

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A mic's offer says whether it sends nothing at times, with redundant audio and without.
func TestPublisherOffersDTX(t *testing.T) {
	f, err := NewPionFactory(timebase.NewClock(), true, func() []webrtc.ICEServer { return nil }, &feedback.NACKCounter{}, func(time.Duration, uint64) {}, TURN{})
	require.NoError(t, err)
	for _, repair := range network.Repairs() {
		for _, dtx := range []bool{false, true} {
			p, err := f.NewPublisher(network.UDP, nil, repair, dtx, func(time.Duration, time.Duration) uint64 { return 0 })
			require.NoError(t, err)
			offer, err := p.Offer(t.Context())
			require.NoError(t, err)
			require.NoError(t, p.Close())
			want := "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
			if dtx {
				want = "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"
			}
			assert.Contains(t, offer, want, "%s, DTX: %t", repair, dtx)
		}
	}
}
