package rtc

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// The port's readers let what comes in wait for more while nothing happens.
func TestWhatMustNotWaitIsCounted(t *testing.T) {
	e := newTestRoom(t, leanEars, Config{Media: "127.0.0.1:0"}, 1).engine
	for _, row := range []struct {
		name  string
		event func(t *testing.T)
	}{
		{"an offer", func(*testing.T) { newSession(&MediaRoom{engine: e}, &sdp.Offer{}, nil) }},
		{"a packet that a listener has missed", func(t *testing.T) {
			l, _ := keyed(t, srtp.GCM128)
			l.ear = &Ear{session: &session{room: &MediaRoom{engine: e}}}
			l.streams[0].nack = true
			l.requestRetransmissions(nackFor(t, l.streams[0].ssrc, 1))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := e.urgent.Load()
			row.event(t)
			assert.Greater(t, e.urgent.Load(), before)
		})
	}
}
