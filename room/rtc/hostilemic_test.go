package rtc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A hostileMic is a client that was let in, and sends RTP and RTCP of the test's making.
type hostileMic struct {
	*client
	mic   *Mic
	track *rawTrack
	seq   uint16
}

// newHostileMic connects a client; via may change the answer that it gets.
func newHostileMic(t *testing.T, r *testRoom, talker uint32, via func(answer string) string) *hostileMic {
	t.Helper()
	h := &hostileMic{client: newClient(t), seq: 100}
	inner, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "mic")
	require.NoError(t, err)
	h.track = &rawTrack{TrackLocalStaticRTP: inner}
	_, err = h.pc.AddTransceiverFromTrack(h.track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	h.mic, err = r.OpenMic(t.Context(), talker, h.offer())
	require.NoError(t, err)
	answer := h.mic.Answer()
	if via != nil {
		answer = via(answer)
	}
	h.accept(answer)
	h.waitConnected()
	return h
}

// next is the header of the mic's next packet.
func (h *hostileMic) next() *rtp.Header {
	h.seq++
	return &rtp.Header{
		Version: 2, PayloadType: opusPayload, SSRC: h.track.ssrc, SequenceNumber: h.seq, Timestamp: uint32(h.seq) * 960,
	}
}

// opusPayload is the payload type of Opus in a Pion client's offer.
const opusPayload = 111

// send sends a packet, unless the server has ended the connection.
func (h *hostileMic) send(header *rtp.Header, payload string) {
	_, _ = h.track.writer.WriteRTP(header, []byte(payload))
}

func TestMicThatUsesTooManySourcesIsEnded(t *testing.T) {
	for name, row := range map[string]struct {
		sources int
		use     func(h *hostileMic, first, n uint32)
		ends    bool
	}{
		"a few sources are kept":                 {maxSources - 1, sendFrom, false},
		"thousands of sources are not":           {5000, sendFrom, true},
		"nor are sources of other payload":       {5000, sendOtherFrom, true},
		"reports on a few sources are kept":      {maxSources - 1, reportOn, false},
		"reports on thousands of sources cannot": {5000, reportOn, true},
		"nor can goodbyes of thousands":          {5000, sayGoodbyeOf, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRoom(t, leanEars, Config{}, 2)
			other := newSpeaker(t, r, 9)
			h := newHostileMic(t, r, 5, nil)
			h.send(h.next(), "before")
			eventually(t, func() bool { return h.mic.Stats().Packets == 1 }, "the mic is heard")
			row.use(h, h.track.ssrc+1, uint32(row.sources))
			if row.ends {
				assert.ErrorIs(t, waitDone(t, h.mic), ErrTooManySources)
			} else {
				// From its own source nothing is heard any more, since a later one
				// was, if there was one.
				h.track.ssrc += uint32(row.sources)
				eventually(t, func() bool {
					h.send(h.next(), "after")
					return h.mic.Stats().Packets > 1
				}, "the mic is heard")
			}
			assert.LessOrEqual(t, h.mic.tracks.Load(), int64(maxSources))
			pushed := r.Stats().Pushed
			other.say([]byte("still here"), 30)
			eventually(t, func() bool { return r.Stats().Pushed > pushed }, "the other mic is heard")
		})
	}
}

func sendFrom(h *hostileMic, first, n uint32) {
	for i := range n {
		header := h.next()
		header.SSRC = first + i
		h.send(header, strings.Repeat("x", 900))
	}
}

func sendOtherFrom(h *hostileMic, first, n uint32) {
	for i := range n {
		header := h.next()
		header.SSRC, header.PayloadType = first+i, 13
		h.send(header, "comfort noise")
	}
}

func reportOn(h *hostileMic, first, n uint32) {
	const most = 31 // report blocks a packet has at most (RFC 3550, section 6.4.1)
	for from := uint32(0); from < n; from += most {
		report := &rtcp.ReceiverReport{SSRC: h.track.ssrc}
		for i := from; i < min(from+most, n); i++ {
			report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: first + i})
		}
		_ = h.pc.WriteRTCP([]rtcp.Packet{report})
	}
}

func sayGoodbyeOf(h *hostileMic, first, n uint32) {
	for i := range n {
		_ = h.pc.WriteRTCP([]rtcp.Packet{&rtcp.Goodbye{Sources: []uint32{first + i}}})
	}
}

// Whatever a mic sends, ears get frames, and nothing else of its packets.
func TestEarsGetNothingButFramesOfAHostileMic(t *testing.T) {
	for name, send := range map[string]func(h *hostileMic){
		"fifteen contributing sources": func(h *hostileMic) {
			header := h.next()
			for i := range uint32(15) {
				header.CSRC = append(header.CSRC, 22+i)
			}
			h.send(header, "frame")
		},
		"extensions that nobody agreed on": func(h *hostileMic) {
			header := h.next()
			header.Extension, header.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
			for id := range uint8(4) {
				require.NoError(h.t, header.SetExtension(id+1, make([]byte, 200)))
			}
			h.send(header, "frame")
		},
		"an extension of another profile": func(h *hostileMic) {
			header := h.next()
			header.Extension, header.ExtensionProfile = true, 0xabcd
			require.NoError(h.t, header.SetExtension(0, make([]byte, 400)))
			h.send(header, "frame")
		},
		"padding": func(h *hostileMic) {
			header := h.next()
			header.Padding, header.PaddingSize = true, 255
			h.send(header, "frame")
		},
		"padding that is longer than the packet": func(h *hostileMic) {
			header := h.next()
			header.Padding = true
			h.send(header, "\xff\xff\xff")
			h.send(h.next(), "frame")
		},
		"nothing but padding": func(h *hostileMic) {
			header := h.next()
			header.Padding, header.PaddingSize = true, 100
			h.send(header, "")
			h.send(h.next(), "frame")
		},
		"no payload": func(h *hostileMic) {
			h.send(h.next(), "")
			h.send(h.next(), "frame")
		},
		"another payload type": func(h *hostileMic) {
			header := h.next()
			header.PayloadType = 0
			h.send(header, "not Opus")
			h.send(h.next(), "frame")
		},
		"a report in every shape": func(h *hostileMic) {
			for _, p := range []rtcp.Packet{
				&rtcp.SenderReport{SSRC: h.track.ssrc, NTPTime: 1<<64 - 1, RTPTime: 1, PacketCount: 1<<32 - 1},
				&rtcp.PictureLossIndication{MediaSSRC: h.track.ssrc},
				&rtcp.TransportLayerNack{MediaSSRC: h.track.ssrc, Nacks: []rtcp.NackPair{{PacketID: 100, LostPackets: 0xffff}}},
				&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1, SSRCs: []uint32{h.track.ssrc}},
				&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: h.track.ssrc,
					Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: strings.Repeat("n", 255)}}}}},
				&rtcp.ApplicationDefined{SubType: 1, SSRC: h.track.ssrc, Name: "EVIL", Data: make([]byte, 400)},
			} {
				for range 20 {
					_ = h.pc.WriteRTCP([]rtcp.Packet{p})
				}
			}
			h.send(h.next(), "frame")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRoom(t, leanEars, Config{}, 2)
			l := openEar(t, r, 2, 0)
			eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears the room")
			h := newHostileMic(t, r, 5, nil)
			send(h)
			h.send(h.next(), "after")
			eventually(t, func() bool { return l.heard([]string{"frame", "after"}) }, "what is a frame is heard")
			assert.Len(t, l.payloads(), 2)
			for _, p := range l.first() {
				assert.Equal(t, []uint32{5}, p.CSRC)
				assert.Empty(t, p.GetExtensionIDs())
				assert.False(t, p.Padding)
			}
		})
	}
}

// A packet that comes twice, as one that somebody has copied on the way, counts once.
func TestReplayedPacketsOfAMicAreNotForwarded(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{}, 1)
	proxy := startProxy(t, r.engine)
	proxy.Filter(func(_ netip.AddrPort, b []byte) [][]byte {
		if b[0]&0xc0 == 0x80 { // RTP or RTCP (RFC 7983)
			return [][]byte{b, b, b}
		}
		return [][]byte{b}
	}, nil)
	l := openEar(t, r, 1, 0)
	eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears the room")
	h := newHostileMic(t, r, 5, func(answer string) string { return viaProxy(proxy, answer) })
	for _, text := range []string{"one", "two", "three"} {
		h.send(h.next(), text)
		eventually(t, func() bool { return l.heard([]string{text}) }, "the frame is heard")
	}
	assert.Len(t, l.payloads(), 3)
	assert.EqualValues(t, 3, h.mic.Stats().Packets)
}
