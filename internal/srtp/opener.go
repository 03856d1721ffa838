package srtp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/internal/prefetch"
)

const (
	rtpHeader  = 12 // the fixed part
	maxSources = 32 // SSRCs that an opener keeps; a receiver of a room has a few
)

// Opener opens what the other side of a session sends. One goroutine at a time
// may use it.
type Opener struct {
	profile Profile
	rtp     *transform
	rtpSeen []rtpSource
	first   [4]rtpSource // where rtpSeen begins: a listener's sections, most often

	rtcp     *transform
	rtcpSeen []rtcpSource
}

// Prefetch asks for the memory that opening RTP takes, in three steps: what one
// asks for is where the next finds what to ask for.
func (o *Opener) Prefetch(step int) {
	switch {
	case step == 1:
		prefetch.Span(&o.profile, &o.first[1]) // most often there is one talker
	case o.rtp == nil:
	case step == 2:
		prefetch.Object(o.rtp)
	default:
		o.rtp.prefetchKeys()
	}
}

// rtpSource is the replay window of one SSRC's packets.
type rtpSource struct {
	ssrc uint32
	replayWindow
}

// rtcpSource is that of its reports.
type rtcpSource struct {
	ssrc uint32
	window
}

// NewOpener prepares a master key and salt for opening.
func NewOpener(p Profile, key, salt []byte) (*Opener, error) {
	d, err := newDerivation(p, key, salt)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTP key: %w", err)
	}
	o, err := d.rtcpOpener()
	if err != nil {
		return nil, err
	}
	if o.rtp, err = d.transform(forRTP); err != nil {
		return nil, fmt.Errorf("prepare the RTP key: %w", err)
	}
	o.rtpSeen = o.first[:0]
	return o, nil
}

// NewRTCPOpener makes an opener of reports only: RTP is not authentic to it.
func NewRTCPOpener(p Profile, key, salt []byte) (*Opener, error) {
	d, err := newDerivation(p, key, salt)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTCP key: %w", err)
	}
	return d.rtcpOpener()
}

func (d *derivation) rtcpOpener() (*Opener, error) {
	rtcp, err := d.transform(forRTCP)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTCP key: %w", err)
	}
	return &Opener{profile: d.profile, rtcp: rtcp}, nil
}

// OpenRTP opens an RTP packet in place and gives it without its tag, and its
// index (rollover count and sequence number). If the packet is refused its
// bytes may have changed.
func (o *Opener) OpenRTP(packet []byte) (plain []byte, index uint64, err error) {
	n, ok := HeaderLen(packet)
	if !ok || len(packet) < n+o.profile.tagLen() {
		return nil, 0, ErrMalformed
	}
	if o.rtp == nil {
		return nil, 0, ErrUnauthentic
	}
	ssrc := binary.BigEndian.Uint32(packet[8:])
	known := slices.IndexFunc(o.rtpSeen, func(s rtpSource) bool { return s.ssrc == ssrc })
	w := &replayWindow{}
	if known >= 0 {
		w = &o.rtpSeen[known].replayWindow
	} else if len(o.rtpSeen) == maxSources {
		return nil, 0, ErrSources
	}
	index, ok = w.extend(binary.BigEndian.Uint16(packet[2:]))
	if !ok || !w.fresh(index) {
		return nil, 0, ErrReplayed
	}
	if plain, err = o.rtp.openRTP(packet, n, ssrc, index); err != nil {
		return nil, 0, err
	}
	if known < 0 { // only what is authentic takes memory
		o.rtpSeen = append(o.rtpSeen, rtpSource{ssrc: ssrc})
		known = len(o.rtpSeen) - 1
	}
	o.rtpSeen[known].mark(index)
	return plain, index, nil
}

// OpenRTCP opens an RTCP packet in place and gives it without tag and index. If
// the packet is refused its bytes may have changed. What is not encrypted is
// refused: every profile here encrypts.
func (o *Opener) OpenRTCP(packet []byte) ([]byte, error) {
	if len(packet) < rtcpHeader+o.profile.tagLen()+rtcpIndex || packet[0]>>6 != 2 {
		return nil, ErrMalformed
	}
	at := len(packet) - rtcpIndex
	if o.profile == CM128SHA1 {
		at -= o.profile.tagLen()
	}
	word := binary.BigEndian.Uint32(packet[at:])
	if word&encryptFlag == 0 {
		return nil, ErrUnauthentic
	}
	index := word &^ encryptFlag
	ssrc := binary.BigEndian.Uint32(packet[4:])
	known := slices.IndexFunc(o.rtcpSeen, func(s rtcpSource) bool { return s.ssrc == ssrc })
	if known >= 0 && !o.rtcpSeen[known].fresh(uint64(index)) {
		return nil, ErrReplayed
	} else if known < 0 && len(o.rtcpSeen) == maxSources {
		return nil, ErrSources
	}
	plain, err := o.rtcp.openRTCP(packet, ssrc, index)
	if err != nil {
		return nil, err
	}
	if known < 0 {
		o.rtcpSeen = append(o.rtcpSeen, rtcpSource{ssrc: ssrc})
		known = len(o.rtcpSeen) - 1
	}
	o.rtcpSeen[known].mark(uint64(index))
	return plain, nil
}

// HeaderLen gives the length of an RTP header with CSRCs and extensions.
func HeaderLen(b []byte) (int, bool) {
	if len(b) < rtpHeader || b[0]>>6 != 2 {
		return 0, false
	}
	n := rtpHeader + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return 0, false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	return n, len(b) >= n
}
