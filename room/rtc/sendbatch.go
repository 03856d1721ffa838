package rtc

import (
	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// A sendBatch is a shard's batch, and what its ears share while they fill it.
type sendBatch struct {
	*mediaport.Batch
	single    func() bool // whether bundles save nothing; nil: they do
	redundant redundantPayloads
}

// bundles reports whether it saves anything to send several packets as one message.
func (b *sendBatch) bundles() bool { return b.single == nil || !b.single() }

// redundantPayloads are the payloads of redundant audio (RFC 2198) that a shard made last,
// by slot: all ears of a slot with the same payload type for Opus get the same one.
type redundantPayloads [4]redundantPayload

type redundantPayload struct {
	frame, earlier *fanout.Frame
	by             uint32
	format         uint8
	bytes          []byte
}

// payload returns the payload of a packet that is redundant. It is good until the next one
// of the slot is made.
func (r *redundantPayloads) payload(s *outboundStream, p *fanout.Packet) []byte {
	c := &r[p.Section%len(r)]
	if c.frame != p.Frame || c.earlier != p.Earlier || c.by != p.EarlierBy || c.format != s.payload {
		c.frame, c.earlier, c.by, c.format = p.Frame, p.Earlier, p.EarlierBy, s.payload
		c.bytes = red.Append(c.bytes[:0], s.payload, red.Block{Offset: p.EarlierBy, Payload: p.Earlier.Payload}, p.Payload)
	}
	return c.bytes
}
