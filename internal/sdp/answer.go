package sdp

import (
	"strconv"
	"strings"
)

// Transport is this side's end of the transport, as an answer describes it.
type Transport struct {
	ICE         Credentials
	Fingerprint Fingerprint
	Candidates  []string // values of a=candidate
}

// Source describes what this side sends in a section.
type Source struct {
	SSRC                 uint32
	CNAME, Stream, Track string
}

// What a section of an answer takes, in bytes, and what the rest does.
const (
	sectionSize = 640
	headSize    = 512
)

// Answer writes the answer (RFC 9429, section 5.3): every section of the offer,
// in its order. sources are those of the active sections, in order; none if the
// client sends. id is the session's number in the o= line.
func (o *Offer) Answer(id uint64, local Transport, sources []Source) string {
	var d description
	d.Grow(headSize + sectionSize*len(o.sections))
	d.line("v=0")
	d.line("o=- ", strconv.FormatUint(id&(1<<62-1), 10), " 1 IN IP4 0.0.0.0")
	d.line("s=-")
	d.line("t=0 0")
	if len(o.bundle) > 0 {
		d.line("a=group:BUNDLE ", strings.Join(o.bundle, " "))
	}
	d.line("a=ice-lite")
	d.line("a=ice-options:ice2 trickle")
	d.line("a=msid-semantic:WMS *")
	if o.allowMixed {
		d.line("a=extmap-allow-mixed")
	}
	for i := range o.sections {
		s := &o.sections[i]
		if s.state == rejected {
			s.writeRejected(&d)
			continue
		}
		var source *Source
		if s.state == active && len(sources) > 0 {
			source, sources = &sources[0], sources[1:]
		}
		s.writeAccepted(&d, o, &local, source)
		if i == o.tag {
			for _, c := range local.Candidates {
				d.line("a=candidate:", c)
			}
			d.line("a=end-of-candidates")
		}
	}
	return d.String()
}

// writeRejected writes a section with port 0. Its formats mean nothing (RFC
// 3264, section 6), but are repeated with their definitions: clients look them
// up all the same, and a Pion client with a video track fails if it finds none.
// The c= line is for Firefox.
func (s *Section) writeRejected(d *description) {
	d.line("m=", s.Media, " 0 ", s.Protocol, " ", strings.Join(s.Formats, " "))
	d.line("c=IN IP4 0.0.0.0")
	if s.MID != "" {
		d.line("a=mid:", s.MID)
	}
	for _, a := range s.attributes {
		if a.Key == "rtpmap" || a.Key == "fmtp" {
			d.line("a=", a.Key, ":", a.Value)
		}
	}
	d.line("a=inactive")
}

// writeAccepted writes an active or inactive section.
func (s *Section) writeAccepted(d *description, o *Offer, local *Transport, source *Source) {
	f, setup := o.Flow, "passive"
	if o.WaitsForHello {
		setup = "active"
	}
	d.line("m=audio 9 ", s.Protocol, " ", formats(s.RED, s.Opus))
	d.line("c=IN IP4 0.0.0.0")
	if s.MID != "" {
		d.line("a=mid:", s.MID)
	}
	d.transport(local.ICE, local.Fingerprint, setup)
	if s.RTCPReducedSize {
		d.line("a=rtcp-rsize")
	}
	d.opus(s.RED, s.Opus, s.NACK && f == ClientReceives, s.AudioLevel)
	switch {
	case s.state == inactive:
		d.line("a=inactive")
	case f == ClientSends:
		d.line("a=recvonly")
	default:
		d.line("a=sendonly")
	}
	if source != nil {
		ssrc := strconv.FormatUint(uint64(source.SSRC), 10)
		d.line("a=msid:", source.Stream, " ", source.Track)
		d.line("a=ssrc:", ssrc, " cname:", source.CNAME)
		d.line("a=ssrc:", ssrc, " msid:", source.Stream, " ", source.Track)
	}
}

// Reduced writes the offer anew with only the active sections, named by their
// place ("0", "1", …), and nothing in them but what was understood.
func (o *Offer) Reduced() string {
	var d description
	voices, setup := o.Active(), "actpass"
	if o.WaitsForHello {
		setup = "passive"
	}
	d.line("v=0")
	d.line("o=- 1 1 IN IP4 127.0.0.1")
	d.line("s=-")
	d.line("t=0 0")
	mids := make([]string, len(voices))
	for i := range mids {
		mids[i] = strconv.Itoa(i)
	}
	d.line("a=group:BUNDLE ", strings.Join(mids, " "))
	for i, s := range voices {
		d.line("m=audio 9 UDP/TLS/RTP/SAVPF ", formats(s.RED, s.Opus))
		d.line("c=IN IP4 0.0.0.0")
		d.line("a=mid:", mids[i])
		d.transport(o.ICE, o.Fingerprint, setup)
		d.opus(s.RED, s.Opus, false, s.AudioLevel)
		if o.Flow == ClientSends {
			d.line("a=sendonly")
		} else {
			d.line("a=recvonly")
		}
	}
	return d.String()
}

// transport writes the attributes of a section's transport.
func (d *description) transport(ice Credentials, fingerprint Fingerprint, setup string) {
	d.line("a=ice-ufrag:", ice.Ufrag)
	d.line("a=ice-pwd:", ice.Pwd)
	d.line("a=fingerprint:", string(fingerprint))
	d.line("a=setup:", setup)
	d.line("a=rtcp-mux")
}

// formats lists the payload types of a section: RED, unless it is 0, is preferred.
func formats(red uint8, opus int) string {
	if red != 0 {
		return strconv.Itoa(int(red)) + " " + strconv.Itoa(opus)
	}
	return strconv.Itoa(opus)
}

// opus writes the attributes of Opus, and of RED unless its payload type is 0. Without a
// level there is no loudness extension.
func (d *description) opus(red uint8, payloadType int, nack bool, level uint8) {
	format := strconv.Itoa(payloadType)
	if red != 0 {
		redundant := strconv.Itoa(int(red))
		d.line("a=rtpmap:", redundant, " ", redMap)
		d.line("a=fmtp:", redundant, " ", format, "/", format)
		if nack {
			d.line("a=rtcp-fb:", redundant, " nack")
		}
	}
	d.line("a=rtpmap:", format, " ", opusMap)
	d.line("a=fmtp:", format, " ", OpusParameters)
	if nack {
		d.line("a=rtcp-fb:", format, " nack")
	}
	if level != 0 {
		d.line("a=extmap:", strconv.Itoa(int(level)), " ", AudioLevelURI)
	}
}

// ExclusiveMux adds a=rtcp-mux-only to each section of an answer that has
// a=rtcp-mux and lacks it. RFC 9725, section 4.4.1, and RFC 8858, section 3, ask
// both sides for it, but WebRTC stacks do not write it.
func ExclusiveMux(answer string) string {
	var d description
	mux, only := false, false
	flush := func() {
		if mux && !only {
			d.line("a=rtcp-mux-only")
		}
		mux, only = false, false
	}
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "m="):
			flush()
		case line == "a=rtcp-mux":
			mux = true
		case line == "a=rtcp-mux-only":
			only = true
		}
		d.line(line)
	}
	flush()
	return d.String()
}
