package srtp

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// MaxRTCPIndex is the last SRTCP index that a key may seal (RFC 3711, section 9.2).
const MaxRTCPIndex = 1<<31 - 1

// Sealer seals what one side of a session sends. One goroutine at a time may
// use it and its streams.
type Sealer struct {
	profile Profile
	rtp     *transform
	rtcp    *transform
	index   uint32   // of the last SRTCP packet
	sources []uint32 // of the streams
}

// NewSealer prepares a master key and salt for sealing.
func NewSealer(p Profile, key, salt []byte) (*Sealer, error) {
	d, err := newDerivation(p, key, salt)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTP key: %w", err)
	}
	s, err := d.rtcpSealer()
	if err != nil {
		return nil, err
	}
	if s.rtp, err = d.transform(forRTP); err != nil {
		return nil, fmt.Errorf("prepare the RTP key: %w", err)
	}
	return s, nil
}

// NewRTCPSealer makes a sealer that seals reports only: it has no streams.
func NewRTCPSealer(p Profile, key, salt []byte) (*Sealer, error) {
	d, err := newDerivation(p, key, salt)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTCP key: %w", err)
	}
	return d.rtcpSealer()
}

func (d *derivation) rtcpSealer() (*Sealer, error) {
	rtcp, err := d.transform(forRTCP)
	if err != nil {
		return nil, fmt.Errorf("prepare the RTCP key: %w", err)
	}
	return &Sealer{profile: d.profile, rtcp: rtcp}, nil
}

// Profile is the profile that was agreed on.
func (s *Sealer) Profile() Profile { return s.profile }

// Overhead is how many bytes sealing adds to an RTP packet.
func (s *Sealer) Overhead() int { return s.profile.tagLen() }

// OverheadRTCP is how many bytes sealing adds to an RTCP packet.
func (s *Sealer) OverheadRTCP() int { return s.profile.tagLen() + rtcpIndex }

// Stream opens the stream with the given SSRC in st, which is where its owner
// wants it: beside what it is used with. There is one for each SSRC: two would
// use the same nonces, and so would a copy of st.
func (s *Sealer) Stream(st *Stream, ssrc uint32) error {
	if slices.Contains(s.sources, ssrc) {
		return fmt.Errorf("stream of SSRC %#08x exists: %w", ssrc, ErrIndexUsed)
	}
	s.sources = append(s.sources, ssrc)
	*st = Stream{rtp: *s.rtp, overhead: s.profile.tagLen(), ssrc: ssrc}
	return nil
}

// SealRTCP appends the sealed form of a compound packet to dst. It allocates
// nothing: if dst lacks the room it gives ErrShortBuffer.
func (s *Sealer) SealRTCP(dst, packet []byte) ([]byte, error) {
	if len(packet) < rtcpHeader || packet[0]>>6 != 2 {
		return dst, ErrMalformed
	}
	if cap(dst)-len(dst) < len(packet)+s.OverheadRTCP() {
		return dst, ErrShortBuffer
	}
	if s.index == MaxRTCPIndex {
		return dst, ErrKeyExhausted
	}
	s.index++
	return s.rtcp.sealRTCP(dst, packet, binary.BigEndian.Uint32(packet[4:]), s.index), nil
}
