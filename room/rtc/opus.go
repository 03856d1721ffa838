package rtc

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// levelURI names the header extension that carries a packet's loudness
// (RFC 6464).
const levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// opusFormat is what answers say of Opus (RFC 7587 section 6.1): in-band
// forward error correction is welcome.
const opusFormat = "minptime=10;useinbandfec=1"

// reportEvery is the interval of sender reports (RFC 3550 section 6.2).
const reportEvery = 5 * time.Second

// receiveMTU is the largest packet read.
const receiveMTU = 1500

// opusCodec is Opus as Pion describes it. The payload type is a default; the
// one that the client offered is used.
func opusCodec() webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeOpus,
			ClockRate:   48000,
			Channels:    2,
			SDPFmtpLine: opusFormat,
		},
		PayloadType: 111,
	}
}
