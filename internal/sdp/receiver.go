package sdp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// receiverOpus is the payload type by which a receiver offers to take Opus, and receiverRED
// that of redundant audio.
const (
	receiverOpus = 111
	receiverRED  = 63
)

// receiverLevel is the id of the loudness extension in a receiver's offer.
const receiverLevel = 1

// Receiver writes the descriptions of a receive-only client of audio. It is
// always the DTLS client (RFC 8842, section 5.2) and gives no candidates: an
// ICE-lite server learns its address from the checks.
type Receiver struct {
	ICE         Credentials
	Fingerprint Fingerprint
	NACK        bool // it asks for lost packets again
	RED         bool // its offers prefer redundant audio (RFC 2198); its answers take none
	// Session is the number of the session, and Version counts its descriptions from 0. A
	// session without a number gets a random one.
	Session, Version uint64
}

// NewSession returns a random number for a session (RFC 9429, section 5.2.1).
func NewSession() uint64 { return rand.Uint64()>>2 | 1 }

// Offer writes an offer of that many sections for one voice each.
func (r Receiver) Offer(sections int) string {
	all := make([]Reply, sections)
	for i := range all {
		all[i] = Reply{mid: strconv.Itoa(i), opus: receiverOpus, level: receiverLevel, Accepted: true}
		if r.RED {
			all[i].red = receiverRED
		}
	}
	return r.Answer(all)
}

// Reply is what a receiver's answer makes of a section of a server's offer.
type Reply struct {
	Accepted        bool
	mid             string
	opus            int
	red, level      uint8
	media, protocol string
}

// Answer writes an answer of all sections of an offer, in its order.
func (r Receiver) Answer(sections []Reply) string {
	var d description
	d.Grow(128 + 512*len(sections)) // which one of audio has room in
	d.line("v=0")
	session := r.Session
	if session == 0 {
		session = NewSession()
	}
	d.line("o=- ", strconv.FormatUint(session, 10), " ", strconv.FormatUint(2+r.Version, 10), " IN IP4 127.0.0.1")
	d.line("s=-")
	d.line("t=0 0")
	d.WriteString("a=group:BUNDLE")
	for i := range sections {
		if sections[i].Accepted {
			d.WriteString(" ")
			d.WriteString(sections[i].mid)
		}
	}
	d.line()
	for i := range sections {
		s := &sections[i]
		if !s.Accepted {
			// RFC 3264, section 6: the m-line stays, with port 0 and any format.
			d.line("m=", s.media, " 0 ", s.protocol, " 0")
			d.line("c=IN IP4 0.0.0.0")
			d.line("a=mid:", s.mid)
			d.line("a=inactive")
			continue
		}
		d.line("m=audio 9 UDP/TLS/RTP/SAVPF ", formats(s.red, s.opus))
		d.line("c=IN IP4 0.0.0.0")
		d.line("a=mid:", s.mid)
		d.line("a=recvonly")
		d.line("a=ice-options:trickle")
		d.transport(r.ICE, r.Fingerprint, "active")
		d.opus(s.red, s.opus, r.NACK, s.level)
	}
	return d.String()
}

// ReadAnswer reads a server's answer to a receiver's offer of that many
// sections. It may have no candidates.
func ReadAnswer(text string, sections int) (*Remote, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if len(d.Sections) != sections {
		return nil, fmt.Errorf("it has %d sections, and %d were offered", len(d.Sections), sections)
	}
	r := newRemote()
	// RFC 3264, section 6.1: a server may use the offer's payload types or its own.
	r.Opus.Add(receiverOpus)
	for i := range d.Sections {
		s := &d.Sections[i]
		if s.Port == 0 {
			r.SSRCs = append(r.SSRCs, rejectedSSRC)
			continue
		}
		if s.Setup != "" && s.Setup != "passive" {
			return nil, fmt.Errorf("section %d has a=setup:%s, and only passive answers an offer of active", i, s.Setup)
		}
		if err := r.accept(s); err != nil {
			return nil, fmt.Errorf("section %d: %w", i, err)
		}
	}
	return r, r.complete(d)
}

// ReadServerOffer reads a server's own offer, for a receiver of up to limit
// sections, and returns what to answer: the first sections that send Opus are
// accepted.
func ReadServerOffer(text string, limit int) (*Remote, []Reply, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, nil, err
	}
	r := newRemote()
	all := make([]Reply, len(d.Sections))
	for i := range d.Sections {
		s := &d.Sections[i]
		all[i] = Reply{mid: s.MID, opus: s.Opus, media: s.Media, protocol: s.Protocol}
		if s.Media != "audio" || s.Opus < 0 || !s.Sends || s.Port == 0 || len(r.SSRCs) >= limit {
			continue
		}
		if s.Setup == "active" {
			return nil, nil, fmt.Errorf("section %d has a=setup:active, and the ear can only be the DTLS client: offer actpass", i)
		}
		if err := r.accept(s); err != nil {
			return nil, nil, fmt.Errorf("section %d: %w", i, err)
		}
		all[i].Accepted = true
	}
	if len(r.SSRCs) == 0 {
		return nil, nil, errors.New("none of its sections sends Opus")
	}
	r.RED = PayloadTypes{} // which the answer does not take
	return r, all, r.complete(d)
}
