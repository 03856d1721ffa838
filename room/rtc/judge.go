package rtc

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// judge gives every section its verdict. There is one transport, so all that is
// accepted is in one bundle group: the first that has a usable section, or a
// usable section of its own where no group has one.
func (o *offer) judge(groups [][]string, limit int) {
	for _, group := range groups {
		if !slices.ContainsFunc(o.sections, func(s section) bool {
			return slices.Contains(group, s.mid) && o.usable(&s) && s.fits(o.kind)
		}) {
			continue
		}
		for i := range o.sections {
			s := &o.sections[i]
			if s.mid == "" || !slices.Contains(group, s.mid) || !o.usable(s) {
				continue
			}
			s.verdict = inactive
			if s.fits(o.kind) && limit > 0 {
				s.verdict = active
				limit--
			}
		}
		o.gather(group)
		return
	}
	for i := range o.sections {
		// Outside a bundle, port 0 always means that the section is off.
		if s := &o.sections[i]; s.port != 0 && o.usable(s) && s.fits(o.kind) && limit > 0 {
			s.verdict = active
			o.tag = i
			return
		}
	}
}

// gather lists the accepted sections of the bundle, each once, and picks the
// first as the one that stands for the transport. That a rejected section at the
// bundle's head makes way for the next is RFC 9143 section 7.3.1; Chromium takes
// such an answer, except to an offer that it made with bundlePolicy
// "max-bundle", which can't be told from its other offers.
func (o *offer) gather(group []string) {
	for _, mid := range group {
		i := slices.IndexFunc(o.sections, func(s section) bool { return s.mid == mid })
		if i < 0 || o.sections[i].verdict == rejected || slices.Contains(o.bundle, mid) {
			continue
		}
		if len(o.bundle) == 0 {
			o.tag = i
		}
		o.bundle = append(o.bundle, mid)
	}
}

// usable says whether a section can be accepted at all: audio over DTLS-SRTP,
// with Opus, and RTCP on the same port, since there is only one.
func (o *offer) usable(s *section) bool {
	return s.media == "audio" && s.secure() && s.opus >= 0 && s.rtcpMux && (s.port != 0 || s.bundleOnly)
}

// secure says whether the transport is DTLS-SRTP over UDP. Without UDP/TLS it is
// how some older clients spell it (RFC 8829 section 5.1.2).
func (s *section) secure() bool {
	switch strings.Join(s.protos, "/") {
	case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP":
		return true
	}
	return false
}

// fits says whether the client wants to do in the section what a session of
// this kind is for.
func (s *section) fits(k kind) bool {
	if k == micKind {
		return s.sends
	}
	return s.receives
}

// noAudio says why no section can be used.
func (o *offer) noAudio() error {
	want := "received (a=recvonly)"
	if o.kind == micKind {
		want = "sent (a=sendonly)"
	}
	for i := range o.sections {
		s := &o.sections[i]
		switch {
		case s.media != "audio" || s.port == 0 && !s.bundleOnly:
			continue
		case !s.secure():
			return fmt.Errorf("%w: media section %d is %s, not UDP/TLS/RTP/SAVPF", ErrNoAudio, i, strings.Join(s.protos, "/"))
		case s.opus < 0:
			return fmt.Errorf("%w: media section %d does not offer opus/48000/2", ErrNoAudio, i)
		case !s.rtcpMux:
			return fmt.Errorf("%w: media section %d has no a=rtcp-mux", ErrNoAudio, i)
		}
	}
	return fmt.Errorf("%w: it needs an audio section to be %s", ErrNoAudio, want)
}

// readTransport finds the client's side of the transport: what the section that
// stands for the bundle says, else what another accepted one says, else what
// any section of the offer does (a bundle-only section leaves it to the one
// that the client had in mind, RFC 9143 section 7.1.3).
func (o *offer) readTransport() error {
	order := []int{o.tag}
	for _, accepted := range []bool{true, false} {
		for i, s := range o.sections {
			if i != o.tag && (s.verdict != rejected) == accepted {
				order = append(order, i)
			}
		}
	}
	var setup string
	for _, i := range order {
		s := &o.sections[i]
		if o.ufrag == "" && s.ufrag != "" {
			o.ufrag, o.pwd = s.ufrag, s.pwd
		}
		if o.fingerprint == "" && s.fingerprint != "" {
			o.fingerprint, setup = s.fingerprint, s.setup
		}
	}
	// RFC 8839 section 5.4.
	if len(o.ufrag) < 4 || len(o.ufrag) > 256 || !isToken(o.ufrag) {
		return badOffer("a=ice-ufrag is missing or not 4 to 256 characters long")
	}
	if len(o.pwd) < 22 || len(o.pwd) > 256 || !isToken(o.pwd) {
		return badOffer("a=ice-pwd is missing or not 22 to 256 characters long")
	}
	if setup == "passive" || setup == "holdconn" {
		return badOffer("a=setup:%s: this server waits for the client's DTLS hello, offer actpass", setup)
	}
	return checkFingerprint(o.fingerprint)
}

// checkFingerprint checks a=fingerprint (RFC 8122 section 5); hashes older than
// SHA-256 prove nothing any more.
func checkFingerprint(value string) error {
	if value == "" {
		return badOffer("a=fingerprint is missing")
	}
	hash, digits, _ := strings.Cut(value, " ")
	size := map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}[strings.ToLower(hash)]
	if size == 0 {
		return badOffer("a=fingerprint uses the hash %q, it must be sha-256, sha-384 or sha-512", hash)
	}
	if len(digits) != 3*size-1 {
		return badOffer("a=fingerprint is not %d bytes of %s", size, hash)
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(digits, ":", "")); err != nil || len(b) != size {
		return badOffer("a=fingerprint is not %d bytes in hexadecimal", size)
	}
	return nil
}
