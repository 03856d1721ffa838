package speech

import (
	"errors"
	"fmt"
	"time"
)

// FrameLength is the length of every frame of a [Clip].
const FrameLength = 20 * time.Millisecond

// samplesPerFrame is the same on the clock of Opus, 48 kHz.
const samplesPerFrame = 960

// Duration is how much audio an Opus packet holds, by its first one or two
// bytes: the length of a frame, from the configuration number, times the
// number of frames (RFC 6716, sections 3.1 and 3.2). The packet's other bytes are not
// looked at.
func Duration(packet []byte) (time.Duration, error) {
	if len(packet) == 0 {
		return 0, errors.New("is empty")
	}
	var frame time.Duration
	switch config, size := packet[0]>>3, packet[0]>>3&3; {
	case config < 12: // SILK
		frame = []time.Duration{10, 20, 40, 60}[size] * time.Millisecond
	case config < 16: // hybrid
		frame = []time.Duration{10, 20}[size&1] * time.Millisecond
	default: // CELT
		frame = 2500 * time.Microsecond << size
	}
	switch packet[0] & 3 {
	case 0:
		return frame, nil
	case 1, 2:
		return 2 * frame, nil
	}
	if len(packet) < 2 {
		return 0, errors.New("ends before its frame count")
	}
	total := time.Duration(packet[1]&0x3f) * frame
	if total == 0 || total > 120*time.Millisecond {
		return 0, fmt.Errorf("claims %v of audio, outside of what a packet can hold", total)
	}
	return total, nil
}

// HasFEC reports whether a packet of 20 ms holds a coarser copy of the frame before it,
// which SILK calls LBRR (RFC 6716, section 4.2.4): the bit after that for the voice
// activity, of each channel. Packets of several frames are taken to have none.
func HasFEC(packet []byte) bool {
	const hybridEnd = 16 // from this configuration on there is no SILK
	if len(packet) < 2 || packet[0]>>3 >= hybridEnd || packet[0]&3 != 0 {
		return false
	}
	if d, err := Duration(packet); err != nil || d != FrameLength {
		return false
	}
	stereo := packet[0]&4 != 0
	return packet[1]&0x40 != 0 || stereo && packet[1]&0x10 != 0
}

// isDTX reports whether a packet has no audio, as encoders make them in pauses
// (discontinuous transmission). They need not be sent (RFC 6716, section 2.1.9); libwebrtc
// sends the first of a pause, and those with comfort noise in between.
func isDTX(packet []byte) bool { return len(packet) <= 2 }

// checkDuration refuses a packet that is not 20 ms long. Its errors go on after
// the packet's name.
func checkDuration(packet []byte) error {
	d, err := Duration(packet)
	if err != nil {
		return err
	}
	if d != FrameLength {
		return fmt.Errorf("is %v long, and a mic sends 20 ms a packet: encode the file again with ffmpeg -i IN -vn -ac 1 -c:a libopus -b:a 24k -frame_duration 20 OUT.ogg", d)
	}
	return nil
}
