package sdp

import (
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrInvalid is the error for an offer that can't be answered. The error
	// that wraps it names the place and the reason, and quotes nothing but the
	// offer.
	ErrInvalid = errors.New("bad offer")
	// ErrNoAudio is the error for an offer without an audio section that can be
	// used. The error that wraps it says why.
	ErrNoAudio = errors.New("no usable audio in the offer")
)

// Flow is the direction of a session's media.
type Flow uint8

const (
	ClientSends    Flow = iota // as in WHIP
	ClientReceives             // as in WHEP
)

// sectionState is what the answer makes of a section.
type sectionState uint8

const (
	rejected sectionState = iota // port 0
	inactive                     // kept in the bundle, without media
	active                       // carries media
)

// Offer is a client's offer for one session with this server, and what the
// answer makes of each of its sections.
type Offer struct {
	Flow Flow
	// The client's side of the transport, in memory of its own.
	ICE         Credentials
	Fingerprint Fingerprint
	// WaitsForHello means that this side begins the DTLS handshake: the client offers
	// a=setup:passive, as FFmpeg's WHIP muxer does.
	WaitsForHello bool

	sections []Section
	// bundle is the bundle group of the answer, in the offer's order and without
	// the rejected sections; empty if the offer has none.
	bundle []string
	// tag is the index of the section that stands for the transport: the first
	// accepted one of the bundle.
	tag        int
	allowMixed bool
}

// ReadOffer reads an offer and selects its sections: up to limit audio sections
// that allow the flow are active, other audio of the same bundle is inactive,
// all else is rejected. The error wraps [ErrInvalid] or [ErrNoAudio].
func ReadOffer(text string, flow Flow, limit int) (*Offer, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if d.ICELite {
		return nil, fmt.Errorf("%w: a=ice-lite: this server is ICE-lite itself, so the client must do full ICE", ErrInvalid)
	}
	o := &Offer{Flow: flow, sections: d.Sections, allowMixed: d.AllowMixed}
	for i := range o.sections {
		// The order of the formats is what the client prefers (RFC 3264, section 5.1).
		// Browsers list RED after Opus unless a page asks for it.
		if s := &o.sections[i]; s.prefersOpus {
			s.RED = 0
		}
	}
	o.selectSections(d.Bundles, limit)
	if !slices.ContainsFunc(o.sections, func(s Section) bool { return s.state == active }) {
		return nil, o.explainNoAudio()
	}
	if err := o.readTransport(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return o, nil
}

// Active lists the sections that carry media.
func (o *Offer) Active() []Section {
	return slices.DeleteFunc(slices.Clone(o.sections), func(s Section) bool { return s.state != active })
}

// selectSections sets every section's state. There is one transport, so all
// that is accepted is in one bundle group: the first that has a section to
// activate, or one such section by itself where no group has any.
func (o *Offer) selectSections(groups [][]string, limit int) {
	for _, group := range groups {
		if !slices.ContainsFunc(o.sections, func(s Section) bool {
			return slices.Contains(group, s.MID) && s.acceptable() && s.Allows(o.Flow)
		}) {
			continue
		}
		for i := range o.sections {
			s := &o.sections[i]
			if s.MID == "" || !slices.Contains(group, s.MID) || !s.acceptable() {
				continue
			}
			s.state = inactive
			if s.Allows(o.Flow) && limit > 0 {
				s.state = active
				limit--
			}
		}
		o.setBundle(group)
		return
	}
	for i := range o.sections {
		// Outside a bundle, port 0 always means that the section is off.
		if s := &o.sections[i]; s.Port != 0 && s.acceptable() && s.Allows(o.Flow) && limit > 0 {
			s.state = active
			o.tag = i
			return
		}
	}
}

// setBundle lists the accepted sections of a group, each once, and takes the
// first for the one that stands for the transport. A rejected section at the
// head of the bundle makes way for the next (RFC 9143, section 7.3.1). Chromium
// takes such an answer, except to an offer that it made with bundlePolicy
// "max-bundle", which can't be told from its other offers.
func (o *Offer) setBundle(group []string) {
	for _, mid := range group {
		i := slices.IndexFunc(o.sections, func(s Section) bool { return s.MID == mid })
		if i < 0 || o.sections[i].state == rejected || slices.Contains(o.bundle, mid) {
			continue
		}
		if len(o.bundle) == 0 {
			o.tag = i
		}
		o.bundle = append(o.bundle, mid)
	}
}

// acceptable reports whether a section can be accepted at all: audio over
// DTLS-SRTP, with Opus, and RTCP on the same port, since there is only one.
func (s *Section) acceptable() bool {
	return s.Media == "audio" && s.isDTLSSRTP() && s.Opus >= 0 && s.RTCPMux && s.Offered()
}

// isDTLSSRTP reports whether the transport is DTLS-SRTP over UDP. Some older
// clients leave out UDP/TLS (RFC 8829, section 5.1.2).
func (s *Section) isDTLSSRTP() bool {
	switch s.Protocol {
	case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP":
		return true
	}
	return false
}

// explainNoAudio says why no section can be used.
func (o *Offer) explainNoAudio() error {
	for i := range o.sections {
		s := &o.sections[i]
		switch {
		case s.Media != "audio" || !s.Offered():
			continue
		case !s.isDTLSSRTP():
			return fmt.Errorf("%w: media section %d is %s, not UDP/TLS/RTP/SAVPF", ErrNoAudio, i, s.Protocol)
		case s.Opus < 0:
			return fmt.Errorf("%w: media section %d does not offer %s", ErrNoAudio, i, opusMap)
		case !s.RTCPMux:
			return fmt.Errorf("%w: media section %d has no a=rtcp-mux", ErrNoAudio, i)
		}
	}
	want := "received (a=recvonly)"
	if o.Flow == ClientSends {
		want = "sent (a=sendonly)"
	}
	return fmt.Errorf("%w: it needs an audio section to be %s", ErrNoAudio, want)
}

// readTransport reads the client's side of the transport: of the section that
// stands for the bundle, else of another accepted one, else of any (a
// bundle-only section leaves it to the one that the client had in mind, RFC
// 9143, section 7.1.3).
func (o *Offer) readTransport() error {
	order := []int{o.tag}
	for _, accepted := range []bool{true, false} {
		for i := range o.sections {
			if i != o.tag && (o.sections[i].state != rejected) == accepted {
				order = append(order, i)
			}
		}
	}
	var fingerprint, setup string
	for _, i := range order {
		s := &o.sections[i]
		if o.ICE.Ufrag == "" && s.ICE.Ufrag != "" {
			o.ICE = s.ICE.Clone()
		}
		if fingerprint == "" && s.Fingerprint != "" {
			fingerprint, setup = s.Fingerprint, s.Setup
		}
	}
	if err := o.ICE.Validate(); err != nil {
		return err
	}
	// The server is the passive side wherever it may be (RFC 8842, section 5.3).
	o.WaitsForHello = setup == "passive"
	if o.WaitsForHello && o.Flow == ClientReceives || setup == "holdconn" {
		return fmt.Errorf("a=setup:%s: this server waits for a listener's DTLS hello: offer actpass or active", setup)
	}
	var err error
	o.Fingerprint, err = ParseFingerprint(fingerprint)
	return err
}
