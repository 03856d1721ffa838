package livekit

import (
	"cmp"
	"strings"
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

// A track is what a line of the offer names, and no line that is added changes what the others say.
func FuzzMicOf(f *testing.F) {
	const pion = "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=setup:actpass\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n" +
		"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=ssrc:5 msid:earshot mic\r\na=msid:earshot mic\r\na=sendonly\r\n"
	for _, seed := range []string{
		pion, strings.ReplaceAll(pion, "\r\n", "\n"), "a=msid:stream\r\na=msid:stream mic", "a=msid: \t \n", "a=fmtp:111 usedtx=1;;", "a=rtpmap:63  red/48000/2", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, offer string) {
		offer += "\n" // so that a line can be added
		mic := micOf(offer)
		assert.Equal(t, mic, micOf(offer), "it is the offer alone that says so")
		if mic.Track != "" {
			assert.NotContains(t, mic.Track, "\n")
			assert.Contains(t, offer, mic.Track, "the offer names it")
			assert.Equal(t, strings.TrimSpace(mic.Track+"."), mic.Track+".", "no line's end or beginning is part of it")
		}
		for added, want := range map[string]signal.SentTrack{
			"a=msid:stream other":       {Track: cmp.Or(mic.Track, "other"), RED: mic.RED, DTX: mic.DTX},
			"a=rtpmap:63 red/48000/2":   {Track: mic.Track, RED: true, DTX: mic.DTX},
			"a=fmtp:111 a=b; usedtx=1 ": {Track: mic.Track, RED: mic.RED, DTX: true},
			"a=rtpmap:111 opus/48000/2": mic,
			"a=fmtp:111 usedtx=0":       mic,
			"a=ssrc:5 msid:stream mic":  mic,
		} {
			assert.Equal(t, want, micOf(offer+added), added)
			assert.Equal(t, want, micOf(offer+added+"\r\n"), added)
		}
	})
}
