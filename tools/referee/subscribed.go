package main

import (
	"time"

	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

// subscribed counts a track's packets until it ends.
func (l *sdkListener) subscribed(remote *webrtc.TrackRemote, publication *lksdk.RemoteTrackPublication, who *lksdk.RemoteParticipant) {
	t := &track{heard: heard{Listener: l.name, Publisher: who.Identity(), Track: publication.SID()}}
	l.mu.Lock()
	l.tracks = append(l.tracks, t)
	l.mu.Unlock()
	l.reading.Go(func() {
		for {
			packet, _, err := remote.ReadRTP()
			if err != nil {
				return // ended
			}
			t.stream.receive(packet.SequenceNumber, time.Now())
		}
	})
}
