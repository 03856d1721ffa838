package rtc

import (
	"slices"
	"strconv"
	"strings"
)

// transport is this side's transport, as an answer tells it.
type transport struct {
	ufrag, pwd, fingerprint string
	candidates              []string
}

// voiceSource is what an answer tells of a section that this side sends in.
type voiceSource struct {
	ssrc                 uint32
	cname, stream, track string
}

// description is an SDP description that is being written.
type description struct {
	strings.Builder
}

// What a section of an answer takes, in bytes, and what the rest does.
const (
	sectionSize = 640
	headSize    = 512
)

// line adds a line that is made of parts.
func (d *description) line(parts ...string) {
	for _, p := range parts {
		d.WriteString(p)
	}
	d.WriteString("\r\n")
}

// answer writes the SDP answer (RFC 9429 section 5.3): every section of the
// offer, in its order. sources are those of the active sections of an ear, in
// order, and empty for a mic. id is the session's number in the o= line.
func (o *offer) answer(id uint64, t transport, sources []voiceSource) string {
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
		if s.verdict == rejected {
			s.reject(&d)
			continue
		}
		var source *voiceSource
		if s.verdict == active && len(sources) > 0 {
			source, sources = &sources[0], sources[1:]
		}
		s.accept(&d, o.kind, &t, source)
		if i == o.tag {
			for _, c := range t.candidates {
				d.line("a=candidate:", c)
			}
			d.line("a=end-of-candidates")
		}
	}
	return d.String()
}

// reject writes a section that is turned down: port 0, and otherwise as little
// as will do. The formats mean nothing (RFC 3264 section 6), but are repeated
// with what they stand for: clients look that up all the same, and a Pion client
// with a video track fails if it finds nothing. The c= line is for Firefox.
func (s *section) reject(d *description) {
	d.line("m=", s.media, " 0 ", strings.Join(s.protos, "/"), " ", strings.Join(s.formats, " "))
	d.line("c=IN IP4 0.0.0.0")
	if s.mid != "" {
		d.line("a=mid:", s.mid)
	}
	for _, a := range s.codecs {
		d.line("a=", a.Key, ":", a.Value)
	}
	d.line("a=inactive")
}

// accept writes an active or inactive section.
func (s *section) accept(d *description, k kind, t *transport, source *voiceSource) {
	opus := strconv.Itoa(s.opus)
	d.line("m=audio 9 ", strings.Join(s.protos, "/"), " ", opus)
	d.line("c=IN IP4 0.0.0.0")
	if s.mid != "" {
		d.line("a=mid:", s.mid)
	}
	d.line("a=ice-ufrag:", t.ufrag)
	d.line("a=ice-pwd:", t.pwd)
	d.line("a=fingerprint:", t.fingerprint)
	d.line("a=setup:passive")
	d.line("a=rtcp-mux")
	if s.rtcpRsize {
		d.line("a=rtcp-rsize")
	}
	d.line("a=rtpmap:", opus, " opus/48000/2")
	d.line("a=fmtp:", opus, " ", opusFormat)
	if s.nack && k == earKind {
		d.line("a=rtcp-fb:", opus, " nack")
	}
	if s.level != 0 {
		d.line("a=extmap:", strconv.Itoa(int(s.level)), " ", levelURI)
	}
	switch {
	case s.verdict == inactive:
		d.line("a=inactive")
	case k == micKind:
		d.line("a=recvonly")
	default:
		d.line("a=sendonly")
	}
	if source != nil {
		ssrc := strconv.FormatUint(uint64(source.ssrc), 10)
		d.line("a=msid:", source.stream, " ", source.track)
		d.line("a=ssrc:", ssrc, " cname:", source.cname)
		d.line("a=ssrc:", ssrc, " msid:", source.stream, " ", source.track)
	}
}

// plain writes the offer anew for Pion: only the active sections, by their
// place ("0", "1", …), with nothing in them but what was understood.
func (o *offer) plain() string {
	var d description
	voices := o.active()
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
		opus := strconv.Itoa(s.opus)
		d.line("m=audio 9 UDP/TLS/RTP/SAVPF ", opus)
		d.line("c=IN IP4 0.0.0.0")
		d.line("a=mid:", strconv.Itoa(i))
		d.line("a=ice-ufrag:", o.ufrag)
		d.line("a=ice-pwd:", o.pwd)
		d.line("a=fingerprint:", o.fingerprint)
		d.line("a=setup:actpass")
		d.line("a=rtcp-mux")
		d.line("a=rtpmap:", opus, " opus/48000/2")
		d.line("a=fmtp:", opus, " ", opusFormat)
		if s.level != 0 {
			d.line("a=extmap:", strconv.Itoa(int(s.level)), " ", levelURI)
		}
		if o.kind == micKind {
			d.line("a=sendonly")
		} else {
			d.line("a=recvonly")
		}
	}
	return d.String()
}

// active lists the sections that carry a voice.
func (o *offer) active() []section {
	return slices.DeleteFunc(slices.Clone(o.sections), func(s section) bool { return s.verdict != active })
}
