package trunk

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room/fanout"
)

// kind is what a message of the trunk is.
type kind uint8

const (
	kindFrame kind = iota + 1
	kindMute
	kindHold
	kindClose
	kindOwner
	kindTick
	kindSnapshot
	kindEnd
)

const (
	version = 1
	// headerSize is that of the version, the kind, the sequence number and the stamp.
	headerSize = 1 + 1 + 8 + 8
	// frameSize is that of a frame before its payload.
	frameSize = 4 + 4 + 2 + 4 + 1 + 1

	flagMarker = 1
	flagVoice  = 2
)

var errMalformed = errors.New("a malformed message of the trunk")

// message is one message from a stage to all halls of its room. Numbers are big endian.
type message struct {
	kind kind
	// seq counts the messages of a stage, from 1.
	seq uint64
	// stamp is the time of the stage's clock when it was made, in microseconds.
	stamp int64

	frame  fanout.Frame  // of kindFrame; Arrived is not carried
	talker uint32        // of kindMute, and kindOwner: 0 for nobody
	muted  bool          // of kindMute
	hold   time.Duration // of kindHold and kindSnapshot
	ear    uint64        // of kindClose and kindOwner
	hall   string        // of kindSnapshot: whom it is for
	mutes  []uint32      // of kindSnapshot: who is muted
	ears   []earState    // of kindSnapshot: the hall's ears
}

// earState is an ear as its stage wants it.
type earState struct {
	ear   uint64
	owner uint32
}

// encode returns the message in bytes.
func (m *message) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, 0, headerSize+frameSize+len(m.frame.Payload))
	b = append(b, version, byte(m.kind))
	b = be.AppendUint64(b, m.seq)
	b = be.AppendUint64(b, uint64(m.stamp))
	switch m.kind {
	case kindFrame:
		f := &m.frame
		b = be.AppendUint32(b, f.Talker)
		b = be.AppendUint32(b, f.Source)
		b = be.AppendUint16(b, f.Seq)
		b = be.AppendUint32(b, f.Timestamp)
		flags := byte(0)
		if f.Marker {
			flags |= flagMarker
		}
		if f.Voice {
			flags |= flagVoice
		}
		b = append(b, flags, f.Level)
		b = append(b, f.Payload...)
	case kindMute:
		muted := byte(0)
		if m.muted {
			muted = 1
		}
		b = append(be.AppendUint32(b, m.talker), muted)
	case kindHold:
		b = be.AppendUint64(b, uint64(m.hold))
	case kindClose:
		b = be.AppendUint64(b, m.ear)
	case kindOwner:
		b = be.AppendUint32(be.AppendUint64(b, m.ear), m.talker)
	case kindSnapshot:
		b = append(b, byte(len(m.hall)))
		b = append(b, m.hall...)
		b = be.AppendUint64(b, uint64(m.hold))
		b = be.AppendUint32(b, uint32(len(m.mutes)))
		for _, t := range m.mutes {
			b = be.AppendUint32(b, t)
		}
		b = be.AppendUint32(b, uint32(len(m.ears)))
		for _, e := range m.ears {
			b = be.AppendUint32(be.AppendUint64(b, e.ear), e.owner)
		}
	}
	return b
}

// decode reads a message. What it returns shares data's memory: data must not be changed
// afterwards.
func decode(data []byte) (m message, err error) {
	if len(data) < headerSize || data[0] != version {
		return m, errMalformed
	}
	r := reader{data: data[1:]}
	m.kind, m.seq, m.stamp = kind(r.uint8()), r.uint64(), int64(r.uint64())
	switch m.kind {
	case kindFrame:
		f := &m.frame
		f.Talker, f.Source, f.Seq, f.Timestamp = r.uint32(), r.uint32(), r.uint16(), r.uint32()
		flags := r.uint8()
		f.Marker, f.Voice, f.Level = flags&flagMarker != 0, flags&flagVoice != 0, r.uint8()
		f.Payload, r.data = r.data, nil
		r.bad = r.bad || f.Talker == 0 || len(f.Payload) == 0 || f.Level > fanout.Silence
	case kindMute:
		m.talker, m.muted = r.uint32(), r.uint8() == 1
	case kindHold:
		m.hold = time.Duration(r.uint64())
	case kindClose:
		m.ear = r.uint64()
	case kindOwner:
		m.ear, m.talker = r.uint64(), r.uint32()
	case kindSnapshot:
		m.hall = string(r.take(int(r.uint8())))
		m.hold = time.Duration(r.uint64())
		for range r.count(4) {
			m.mutes = append(m.mutes, r.uint32())
		}
		for range r.count(12) {
			m.ears = append(m.ears, earState{r.uint64(), r.uint32()})
		}
	case kindTick, kindEnd:
	default:
		return message{}, errMalformed
	}
	if r.bad || len(r.data) > 0 || m.hold < 0 || m.seq == 0 {
		return message{}, errMalformed
	}
	return m, nil
}

// reader reads numbers until there are no more: then bad is set.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.data) {
		r.bad, r.data = true, nil
		return make([]byte, min(n, 8))
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uint8() uint8   { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// count reads how many things of a size follow: no more than there is data for.
func (r *reader) count(size int) int {
	n := int(r.uint32())
	if n > len(r.data)/size {
		r.bad = true
		return 0
	}
	return n
}
