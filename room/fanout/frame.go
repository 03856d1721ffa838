package fanout

import "time"

// Opus in RTP counts at 48 kHz whatever its real sampling rate (RFC 7587
// section 4.1), and the project's frames last 20 ms.
const (
	clockRate     = 48000
	frameTicks    = 960
	frameDuration = 20 * time.Millisecond
)

// Silence is the level of a frame in which nothing can be heard (RFC 6464
// section 3: 127 stands for digital silence as well as for -127 dBov).
const Silence uint8 = 127

// Frame is one packet of a mic: 20 ms of Opus as a rule. It must not be changed
// once it was given to [Mic.Push]; every ear reads the same one.
type Frame struct {
	// Talker names the person, on the wire as the only entry of the CSRC list.
	// Push fills it in.
	Talker uint32
	// Seq and Timestamp are the mic's own, as they came in. The timestamp
	// counts at 48 kHz.
	Seq       uint16
	Timestamp uint32
	// Marker is the RTP marker bit: the first packet after a silence
	// (RFC 3551 section 4.1).
	Marker bool
	// Level is the loudness in -dBov, 0 (loudest) to 127 (silence), as in
	// RFC 6464.
	Level uint8
	// Voice says that the sender believes the frame to hold speech.
	Voice bool
	// Payload is the Opus packet. It is shared by every ear and immutable.
	Payload []byte
	// Arrived is when the packet came in. Zero means the hall's clock at the
	// call of Push.
	Arrived time.Time
}

// Packet is a frame at its place in a slot.
type Packet struct {
	// Seq and Timestamp are the slot's timeline. It starts at zero with the
	// room and is the same for every ear of the mix, so an ear adds offsets of
	// its own (at random, RFC 3550 section 5.1). The difference between two
	// packets of a section is what counts: it is never broken by a change of
	// talker, and no two packets of a section have the same Seq within 2^16.
	Seq       uint16
	Timestamp uint32
	// Marker is set on the first packet that a talker has in the slot, and
	// wherever the mic itself set it.
	Marker bool
	*Frame

	sub *Subscription // whose copy it is, during Send
}

// Again finds a packet that the same ear was given lately, by its section and by
// the Seq that it had: exactly as it was, for a listener who has missed it. It
// may be called during Send alone, of any packet of the ear. It is false for one
// that is not remembered: older than the newest 32 of its slot or than a second,
// or from before the ear last changed its mix. It may be true for one that the
// ear was never given, by the number that it would have had.
func (p *Packet) Again(section int, seq uint16) (Packet, bool) {
	if p.sub == nil {
		return Packet{}, false
	}
	return p.sub.again(section, seq)
}

// Ear takes the packets of one listener.
//
// All calls for one ear come from one goroutine, one after the other. Send must
// not block, must not call the hall or the ear's subscription, and must not
// keep or change what p points to beyond the call, except the payload, which
// may be kept but never changed.
type Ear interface {
	// Send passes one packet on in the given section, 0 to sections-1. What
	// can't be sent now is dropped and reported as an error; the hall counts
	// it and goes on with the next ear. out is what Config.NewOutbox made for
	// the shard, and nil without it.
	Send(out Outbox, section int, p Packet) error
}

// Outbox is where the ears of a shard may gather what they send, so that it
// goes out many packets at a time. Its shard's goroutine alone uses it, and all
// that ears have put in is flushed before anything else is done: when
// Subscription.Close returns, nothing of the ear is in it.
type Outbox interface {
	// Prepare tells which ears come next, a few of them, with a packet in that
	// section: a chance to bring their memory near. An ear may be left out.
	Prepare(section int, ears []Ear)
	// Flush sends what was gathered. It must not block: what can't be sent now
	// is dropped. It returns how many packets were dropped since the last
	// Flush after their Send had succeeded.
	Flush() (failed int)
}
