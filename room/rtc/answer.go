package rtc

import (
	"fmt"
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

// answer writes the SDP answer (RFC 9429 section 5.3): every section of the
// offer, in its order. sources are those of the active sections of an ear, in
// order, and empty for a mic. id is the session's number in the o= line.
func (o *offer) answer(id uint64, t transport, sources []voiceSource) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("v=0")
	line("o=- %d 1 IN IP4 0.0.0.0", id&(1<<62-1))
	line("s=-")
	line("t=0 0")
	if len(o.bundle) > 0 {
		line("a=group:BUNDLE %s", strings.Join(o.bundle, " "))
	}
	line("a=ice-lite")
	line("a=ice-options:ice2 trickle")
	line("a=msid-semantic:WMS *")
	if o.allowMixed {
		line("a=extmap-allow-mixed")
	}
	for i := range o.sections {
		s := &o.sections[i]
		if s.verdict == rejected {
			s.reject(line)
			continue
		}
		var source *voiceSource
		if s.verdict == active && len(sources) > 0 {
			source, sources = &sources[0], sources[1:]
		}
		s.accept(line, o.kind, &t, source)
		if i == o.tag {
			for _, c := range t.candidates {
				line("a=candidate:%s", c)
			}
			line("a=end-of-candidates")
		}
	}
	return b.String()
}

// reject writes a section that is turned down: port 0, and otherwise as little
// as will do. The formats mean nothing (RFC 3264 section 6), but are repeated
// with what they stand for: clients look that up all the same, and a Pion client
// with a video track fails if it finds nothing. The c= line is for Firefox.
func (s *section) reject(line func(string, ...any)) {
	line("m=%s 0 %s %s", s.media, strings.Join(s.protos, "/"), strings.Join(s.formats, " "))
	line("c=IN IP4 0.0.0.0")
	if s.mid != "" {
		line("a=mid:%s", s.mid)
	}
	for _, a := range s.codecs {
		line("a=%s:%s", a.Key, a.Value)
	}
	line("a=inactive")
}

// accept writes an active or inactive section.
func (s *section) accept(line func(string, ...any), k kind, t *transport, source *voiceSource) {
	line("m=audio 9 %s %d", strings.Join(s.protos, "/"), s.opus)
	line("c=IN IP4 0.0.0.0")
	if s.mid != "" {
		line("a=mid:%s", s.mid)
	}
	line("a=ice-ufrag:%s", t.ufrag)
	line("a=ice-pwd:%s", t.pwd)
	line("a=fingerprint:%s", t.fingerprint)
	line("a=setup:passive")
	line("a=rtcp-mux")
	if s.rtcpRsize {
		line("a=rtcp-rsize")
	}
	line("a=rtpmap:%d opus/48000/2", s.opus)
	line("a=fmtp:%d %s", s.opus, opusFormat)
	if s.nack && k == earKind {
		line("a=rtcp-fb:%d nack", s.opus)
	}
	if s.level != 0 {
		line("a=extmap:%d %s", s.level, levelURI)
	}
	switch {
	case s.verdict == inactive:
		line("a=inactive")
	case k == micKind:
		line("a=recvonly")
	default:
		line("a=sendonly")
	}
	if source != nil {
		line("a=msid:%s %s", source.stream, source.track)
		line("a=ssrc:%d cname:%s", source.ssrc, source.cname)
		line("a=ssrc:%d msid:%s %s", source.ssrc, source.stream, source.track)
	}
}

// plain writes the offer anew for Pion: only the active sections, by their
// place ("0", "1", …), with nothing in them but what was understood.
func (o *offer) plain() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	voices := o.active()
	line("v=0")
	line("o=- 1 1 IN IP4 127.0.0.1")
	line("s=-")
	line("t=0 0")
	mids := make([]string, len(voices))
	for i := range mids {
		mids[i] = strconv.Itoa(i)
	}
	line("a=group:BUNDLE %s", strings.Join(mids, " "))
	for i, s := range voices {
		line("m=audio 9 UDP/TLS/RTP/SAVPF %d", s.opus)
		line("c=IN IP4 0.0.0.0")
		line("a=mid:%d", i)
		line("a=ice-ufrag:%s", o.ufrag)
		line("a=ice-pwd:%s", o.pwd)
		line("a=fingerprint:%s", o.fingerprint)
		line("a=setup:actpass")
		line("a=rtcp-mux")
		line("a=rtpmap:%d opus/48000/2", s.opus)
		line("a=fmtp:%d %s", s.opus, opusFormat)
		if s.level != 0 {
			line("a=extmap:%d %s", s.level, levelURI)
		}
		if o.kind == micKind {
			line("a=sendonly")
		} else {
			line("a=recvonly")
		}
	}
	return b.String()
}

// active lists the sections that carry a voice.
func (o *offer) active() []section {
	return slices.DeleteFunc(slices.Clone(o.sections), func(s section) bool { return s.verdict != active })
}
