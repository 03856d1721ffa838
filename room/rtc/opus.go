package rtc

import (
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
)

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
			SDPFmtpLine: sdp.OpusParameters,
		},
		PayloadType: 111,
	}
}
