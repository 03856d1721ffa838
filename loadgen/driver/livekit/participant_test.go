package livekit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
)

// The server is told of a mic what its offer says.
func TestMicOfOffer(t *testing.T) {
	const opus = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:stream mic\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1"
	for name, c := range map[string]struct {
		offer string
		want  signal.SentTrack
	}{
		"Opus alone":                {opus, signal.SentTrack{Track: "mic"}},
		"pauses":                    {opus + ";usedtx=1\r\n", signal.SentTrack{Track: "mic", DTX: true}},
		"pauses, first":             {"a=msid:stream mic\r\na=fmtp:111 usedtx=1; minptime=10\r\n", signal.SentTrack{Track: "mic", DTX: true}},
		"no pauses, expressly":      {opus + ";usedtx=0\r\n", signal.SentTrack{Track: "mic"}},
		"what only ends like it":    {opus + ";unusedtx=1\r\n", signal.SentTrack{Track: "mic"}},
		"redundant audio":           {opus + "\r\na=rtpmap:63 RED/48000/2\r\na=fmtp:63 111/111\r\n", signal.SentTrack{Track: "mic", RED: true}},
		"both":                      {opus + ";usedtx=1\r\na=rtpmap:63 red/48000/2\r\n", signal.SentTrack{Track: "mic", RED: true, DTX: true}},
		"several tracks: the first": {"a=msid:stream mic\r\na=msid:stream other\r\n", signal.SentTrack{Track: "mic"}},
		"none":                      {"v=0\r\na=msid-semantic:WMS *\r\na=msid:stream\r\n", signal.SentTrack{}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, micOf(c.offer)) })
	}
}
