package rtc

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// BenchmarkPionJoins is how long a client of pion/webrtc takes from its offer until ICE
// and DTLS are up, here and at a plain Pion server, in turn: the medians, and their ratio
// to that server's.
func BenchmarkPionJoins(b *testing.B) {
	r := newTestRoom(b, leanEars, Config{}, 3)
	kinds := []struct {
		name string
		join func() *client
	}{
		{"plain", func() *client { return joinPlainPion(b) }},
		{"ear", func() *client {
			l := openEar(b, r, 1, 0)
			l.waitConnected()
			return l.client
		}},
		{"mic", func() *client { return newSpeaker(b, r, 1).client }},
	}
	took := make([][]time.Duration, len(kinds))
	for b.Loop() {
		for i, k := range kinds {
			begun := time.Now()
			c := k.join()
			took[i] = append(took[i], time.Since(begun))
			require.NoError(b, c.pc.GracefulClose())
		}
	}
	var plain float64
	for i, k := range kinds {
		slices.Sort(took[i])
		median := took[i][len(took[i])/2].Seconds() * 1000
		if i == 0 {
			plain = median
		}
		b.ReportMetric(median, k.name+"-ms")
		b.ReportMetric(median/plain, k.name+"-ratio")
	}
}

// joinPlainPion connects a client that listens to a connection of Pion's, as its
// examples have it.
func joinPlainPion(t testing.TB) *client {
	t.Helper()
	server := newClient(t) // the same settings
	track, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "server")
	require.NoError(t, err)
	_, err = server.pc.AddTrack(track)
	require.NoError(t, err)
	l := newListener(t)
	_, err = l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	require.NoError(t, server.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: l.offer()}))
	gathered := webrtc.GatheringCompletePromise(server.pc)
	answer, err := server.pc.CreateAnswer(nil)
	require.NoError(t, err)
	require.NoError(t, server.pc.SetLocalDescription(answer))
	<-gathered
	l.accept(server.pc.LocalDescription().SDP)
	l.waitConnected()
	return l.client
}
