package client

import (
	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/loadgen/ledger"
)

// redundancy takes redundant audio (RFC 2198) apart, in memory that it uses again.
type redundancy struct {
	blocks []red.Block
	copies []ledger.Copy
}

// split makes of a packet's payload its frame and the copies of earlier ones, until the next
// call. What is no redundant audio stays as it is: it is nothing that anybody has said.
func (r *redundancy) split(p *ledger.Packet) {
	format, ok := red.Format(p.Payload)
	if !ok {
		return
	}
	frame, blocks, err := red.Parse(p.Payload, format, r.blocks[:0])
	r.blocks, r.copies = blocks, r.copies[:0]
	if err != nil {
		return
	}
	for _, b := range blocks {
		r.copies = append(r.copies, ledger.Copy{Offset: b.Offset, Payload: b.Payload})
	}
	p.Payload, p.Copies = frame, r.copies
}
