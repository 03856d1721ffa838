package rtc

import (
	"errors"
	"math/rand/v2"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// errNotReady says that a packet came before encryption was set up.
var errNotReady = errors.New("not ready to send")

// pionTrack is one section of an ear: the track that Pion sends. After Bind, send
// belongs to the goroutine that feeds the ear.
type pionTrack struct {
	name   string
	writer webrtc.TrackLocalWriter

	// header is that of every packet, with what never changes filled in; level
	// and talker are where it keeps the rest.
	header rtp.Header
	level  [1]byte
	talker [1]uint32

	// The offsets from the slot's timeline to the section's own.
	begun     bool
	sequence  uint16
	timestamp uint32
}

// newPionTrack makes the track of an ear's section of that index, among those that
// carry voices.
func newPionTrack(index int, s *sdp.Section) *pionTrack {
	v := &pionTrack{name: trackName(index)}
	v.header = rtp.Header{Version: 2, PayloadType: uint8(s.Opus), CSRC: v.talker[:]}
	if s.AudioLevel != 0 {
		v.header.Extension = true
		v.header.ExtensionProfile = rtp.ExtensionProfileOneByte
		// The id is one of the one-byte form, so that this can't fail.
		_ = v.header.SetExtension(s.AudioLevel, v.level[:])
	}
	return v
}

// Bind implements webrtc.TrackLocal.
func (v *pionTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	v.writer = ctx.WriteStream()
	v.header.SSRC = uint32(ctx.SSRC())
	for _, codec := range ctx.CodecParameters() {
		if codec.PayloadType == webrtc.PayloadType(v.header.PayloadType) {
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal. The ear has left the router before.
func (v *pionTrack) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (v *pionTrack) ID() string { return v.name }

// RID implements webrtc.TrackLocal.
func (v *pionTrack) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (v *pionTrack) StreamID() string { return mediaStreamName }

// Kind implements webrtc.TrackLocal.
func (v *pionTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// send passes a packet on. The first has a random sequence number below 2^15,
// so that a receiver who misses some can still tell the rollover count
// (RFC 3711, section 3.3.1), but not so low that a late packet would come before
// zero.
func (v *pionTrack) send(p fanout.Packet) error {
	if !v.begun {
		v.begun = true
		v.sequence = uint16(rand.IntN(1<<15-1<<8)+1<<8) - p.Seq
		v.timestamp = rand.Uint32() - p.Timestamp
	}
	v.header.SequenceNumber = p.Seq + v.sequence
	v.header.Timestamp = p.Timestamp + v.timestamp
	v.header.Marker = p.Marker
	v.talker[0] = p.Talker
	v.level[0] = min(p.Level, fanout.Silence)
	if p.Voice {
		v.level[0] |= 0x80
	}
	n, err := v.writer.WriteRTP(&v.header, p.Payload)
	if err == nil && n == 0 {
		return errNotReady
	}
	return err
}
