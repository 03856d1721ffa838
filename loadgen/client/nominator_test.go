package client

import (
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// connectTo connects a publisher to a Pion server, and returns how long ICE took.
func connectTo(t *testing.T, f *PionFactory, lite bool) (took time.Duration, p *Publisher) {
	t.Helper()
	p, err := f.NewPublisher(network.UDP, nil, network.RepairNone, false, func(time.Duration, time.Duration) uint64 { return 0 })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	s := webrtc.SettingEngine{}
	s.SetLite(lite)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	server, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	offer, err := p.Offer(t.Context())
	require.NoError(t, err)
	require.NoError(t, server.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	gathered := webrtc.GatheringCompletePromise(server)
	answer, err := server.CreateAnswer(nil)
	require.NoError(t, err)
	require.NoError(t, server.SetLocalDescription(answer))
	<-gathered
	require.NoError(t, p.Accept(server.LocalDescription().SDP))
	require.NoError(t, p.Wait(t.Context()))
	return time.Duration(p.ice.Load() - p.accepted.Load()), p
}

// TestPublisherWaitsForNoTimerOfItsOwn: a server that is ICE-lite has answered within a millisecond, and is not blamed
// for the 200 ms until Pion looks again.
func TestPublisherWaitsForNoTimerOfItsOwn(t *testing.T) {
	f, err := NewPionFactory(timebase.NewClock(), true, func() []webrtc.ICEServer { return nil }, &feedback.NACKCounter{}, func(time.Duration, uint64) {}, TURN{})
	require.NoError(t, err)
	for _, lite := range []bool{false, true} {
		const tries = 12
		waited := 0
		for range tries {
			took, p := connectTo(t, f, lite)
			if took >= pionCheckInterval {
				waited++
			}
			assert.Zero(t, p.OwnWait(), "nothing is in doubt over UDP")
		}
		assert.Less(t, waited, tries/2, "ICE-lite: %t", lite)
	}
}
