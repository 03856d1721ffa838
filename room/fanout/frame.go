package fanout

import "time"

// Opus in RTP counts at 48 kHz whatever its real sampling rate (RFC 7587,
// section 4.1), and the project's frames last 20 ms.
const (
	clockRate     = 48000
	frameTicks    = 960
	frameDuration = 20 * time.Millisecond
)

// Silence is the level of a frame in which nothing can be heard (RFC 6464,
// section 3: 127 stands for digital silence as well as for -127 dBov).
const Silence uint8 = 127

// Frame is one packet of a mic: 20 ms of Opus as a rule. It must not be changed
// once it was given to [Publisher.Push]; every ear reads the same one.
type Frame struct {
	// Talker identifies the person who talks (the word is RFC 3550's), on the wire as
	// the only entry of the CSRC list. Push fills it in.
	Talker uint32
	// Source identifies the source of Seq and Timestamp within the router: another one
	// begins with each publisher and each [Publisher.Restart]. Push fills it in.
	Source uint32
	// Seq and Timestamp are the mic's own, as they came in. The timestamp
	// counts at 48 kHz.
	Seq       uint16
	Timestamp uint32
	// Marker is the RTP marker bit: the first packet after a silence
	// (RFC 3551, section 4.1).
	Marker bool
	// Level is the loudness in -dBov, 0 (loudest) to 127 (silence), as in
	// RFC 6464.
	Level uint8
	// Voice is true if the sender believes the frame to hold speech.
	Voice bool
	// Payload is the Opus packet. It is shared by every ear and immutable.
	Payload []byte
	// Arrived is when the packet came in. Zero means the router's clock at the
	// call of Push.
	Arrived time.Time
}

// Packet is a frame at its place in a slot.
type Packet struct {
	// Section is that of the ear, 0 to sections-1, which has the number of its slot.
	Section int
	// Seq and Timestamp are the slot's timeline. It starts at zero with the
	// room and is the same for every ear of the mix, so an ear adds offsets of
	// its own (at random, RFC 3550, section 5.1). The difference between two
	// packets of a section is what counts: it is never broken by a change of
	// talker, and no two packets of a section have the same Seq within 2^16.
	Seq       uint16
	Timestamp uint32
	// Marker is set on the first packet that a talker has in the slot, and
	// wherever the mic itself set it.
	Marker bool
	// Earlier is the frame of the packet before it in the section, Seq-1, which lies
	// EarlierBy ticks before: for listeners who want it once more, in case that they have
	// missed it. It is nil for the first of a talker, and where the mic's was lost.
	EarlierBy uint32
	Earlier   *Frame
	*Frame

	sub *Subscription // whose copy it is, during Send
}

// Lookup finds a packet that the same ear was given lately, by its section and its
// Seq, exactly as it was: for a listener who has missed it. It may be called only
// during Send, of any packet of the ear. It returns false for a packet that is no
// longer kept: older than the newest 32 of its slot or than a second, or from
// before the ear last changed its mix. It may return a packet that the ear was
// never given, with the Seq that it would have had.
func (p *Packet) Lookup(section int, seq uint16) (Packet, bool) {
	if p.sub == nil {
		return Packet{}, false
	}
	return p.sub.lookup(section, seq)
}

// Sink takes the packets of one ear.
//
// All calls for one sink come from one goroutine, one after the other. Send must
// not block, must not call the router or the sink's subscription, and must not
// keep the packets or change what they point to; their payloads may be kept but never
// changed.
type Sink interface {
	// Send passes packets on, in their order: one, or as many as have come in since the
	// shard last came by. What can't be sent now is dropped. Send returns how many
	// packets those were; the router counts them and goes on with the next ear. batch
	// is what ShardsConfig.NewSendBatch made for the shard, and nil without it.
	Send(batch SendBatch, packets []Packet) (failed int)
}

// SendBatch gathers what the ears of a shard send, of all rooms, so that many packets
// leave in one system call. Only its shard's goroutine uses it. Everything that ears have
// put in is flushed before anything else is done: when Subscription.Close returns,
// nothing of the ear is in it.
type SendBatch interface {
	// CountLost says where packets are counted that are put in from now on and then
	// dropped after their Send had succeeded. It is written to until the next Flush.
	CountLost(lost *uint64)
	// Flush sends what was gathered. It must not block: what can't be sent now
	// is dropped.
	Flush()
}
