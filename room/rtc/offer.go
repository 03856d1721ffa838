package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// What an offer may hold at most. A browser's offer of ten sections is 15 KB.
const (
	maxOffer    = 128 << 10
	maxSections = 64
	maxMID      = 64
)

// kind says which end of a session this side is.
type kind uint8

const (
	micKind kind = iota // the client sends
	earKind             // the client receives
)

// verdict is what the answer makes of a section.
type verdict uint8

const (
	rejected verdict = iota // port 0
	inactive                // kept in the bundle, without media
	active                  // carries a voice
)

// section is one m-section of an offer.
type section struct {
	verdict verdict
	media   string
	port    int
	protos  []string
	formats []string
	mid     string
	// bundleOnly allows port 0 (RFC 9143 section 6).
	bundleOnly bool
	rtcpMux    bool
	rtcpRsize  bool
	sends      bool // the client's side, by the direction attribute
	receives   bool
	// opus is the payload type of the first Opus format, -1 if there is none.
	opus int
	// nack says that the client asks again for Opus that was lost.
	nack bool
	// codecs are the lines that say what the formats are.
	codecs []sdp.Attribute
	// level is the id of the loudness header extension, 0 if there is none.
	level uint8

	// The transport's attributes, the session's where the section has none.
	ufrag, pwd, fingerprint, setup string
}

// offer is a client's offer, read and judged.
type offer struct {
	kind     kind
	sections []section
	// bundle is the bundle group that the answer goes by, in its order and
	// without the rejected sections; empty if the offer has none.
	bundle []string
	// tag is the index of the section that stands for the transport: the first
	// accepted one of the bundle.
	tag int
	// The client's side of the transport.
	ufrag, pwd, fingerprint string
	allowMixed              bool
}

// readOffer reads an offer and decides what the answer makes of each section:
// up to limit audio sections in the right direction are active, other audio of
// the same bundle is inactive, all else is rejected.
func readOffer(text string, k kind, limit int) (*offer, error) {
	if len(text) > maxOffer {
		return nil, badOffer("it is longer than %d bytes", maxOffer)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(text); err != nil {
		return nil, badOffer("not SDP: %v", err)
	}
	if n := len(desc.MediaDescriptions); n == 0 || n > maxSections {
		return nil, badOffer("it has %d media sections, between 1 and %d are possible", n, maxSections)
	}
	if _, lite := desc.Attribute(sdp.AttrKeyICELite); lite {
		return nil, badOffer("a=ice-lite: this server is ICE-lite itself, so the client must do full ICE")
	}
	o := &offer{kind: k}
	_, o.allowMixed = desc.Attribute(sdp.AttrKeyExtMapAllowMixed)
	mids := map[string]bool{}
	for i, m := range desc.MediaDescriptions {
		s, err := readSection(&desc, m)
		if err != nil {
			return nil, badOffer("media section %d: %v", i, err)
		}
		if s.mid != "" && mids[s.mid] {
			return nil, badOffer("media section %d: a=mid:%s stands twice", i, s.mid)
		}
		mids[s.mid] = true
		o.sections = append(o.sections, s)
	}
	o.judge(bundles(&desc), limit)
	if !slices.ContainsFunc(o.sections, func(s section) bool { return s.verdict == active }) {
		return nil, o.noAudio()
	}
	return o, o.readTransport()
}

func badOffer(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadOffer, fmt.Sprintf(format, args...))
}

// readSection reads what matters of a media section.
func readSection(desc *sdp.SessionDescription, m *sdp.MediaDescription) (section, error) {
	s := section{
		media:   m.MediaName.Media,
		port:    m.MediaName.Port.Value,
		protos:  m.MediaName.Protos,
		formats: m.MediaName.Formats,
		opus:    -1,
	}
	if s.media == "" || len(s.protos) == 0 || len(s.formats) == 0 {
		return s, fmt.Errorf("the m= line %q is not complete", m.MediaName.String())
	}
	s.mid, _ = m.Attribute(sdp.AttrKeyMID)
	if len(s.mid) > maxMID || !isToken(s.mid) {
		return s, fmt.Errorf("a=mid:%q is not a token of up to %d characters", s.mid, maxMID)
	}
	_, s.bundleOnly = m.Attribute("bundle-only")
	_, s.rtcpMux = m.Attribute(sdp.AttrKeyRTCPMux)
	_, s.rtcpRsize = m.Attribute(sdp.AttrKeyRTCPRsize)
	s.sends, s.receives = direction(desc.Attributes, m.Attributes)
	for _, a := range m.Attributes {
		if a.Key == "rtpmap" || a.Key == "fmtp" {
			s.codecs = append(s.codecs, a)
		}
	}
	s.opus = findOpus(m)
	s.nack = findNack(m, s.opus)
	s.level = findLevel(m)
	inherit := func(key string) string {
		if v, ok := m.Attribute(key); ok {
			return v
		}
		v, _ := desc.Attribute(key)
		return v
	}
	s.ufrag, s.pwd = inherit("ice-ufrag"), inherit("ice-pwd")
	s.fingerprint, s.setup = inherit("fingerprint"), inherit(sdp.AttrKeyConnectionSetup)
	return s, nil
}

// isToken says whether a text can stand as one word in an SDP line.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// direction says what the client wants to do in a section: the section's
// attribute, else the session's, else both (RFC 8866 section 6.7).
func direction(levels ...[]sdp.Attribute) (sends, receives bool) {
	for _, attributes := range slices.Backward(levels) {
		for _, a := range attributes {
			switch a.Key {
			case sdp.AttrKeySendRecv:
				return true, true
			case sdp.AttrKeySendOnly:
				return true, false
			case sdp.AttrKeyRecvOnly:
				return false, true
			case sdp.AttrKeyInactive:
				return false, false
			}
		}
	}
	return true, true
}

// findOpus is the first format of a section that is Opus, or -1.
func findOpus(m *sdp.MediaDescription) int {
	opus := map[string]bool{}
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		format, codec, _ := strings.Cut(a.Value, " ")
		if strings.EqualFold(strings.TrimSpace(codec), "opus/48000/2") {
			opus[format] = true
		}
	}
	for _, format := range m.MediaName.Formats {
		if !opus[format] {
			continue
		}
		if pt, err := strconv.ParseUint(format, 10, 7); err == nil {
			return int(pt)
		}
	}
	return -1
}

// findNack says whether a format's losses are told (RFC 4585 section 4.2).
func findNack(m *sdp.MediaDescription, format int) bool {
	for _, a := range m.Attributes {
		if a.Key != "rtcp-fb" {
			continue
		}
		fields := strings.Fields(a.Value)
		if len(fields) == 2 && fields[1] == "nack" && (fields[0] == "*" || fields[0] == strconv.Itoa(format)) {
			return true
		}
	}
	return false
}

// findLevel is the id of the loudness extension, or 0. Only ids of the one-byte
// form are taken (RFC 8285 section 4.2), and none that is bound to a direction.
func findLevel(m *sdp.MediaDescription) uint8 {
	for _, a := range m.Attributes {
		if a.Key != sdp.AttrKeyExtMap {
			continue
		}
		fields := strings.Fields(a.Value)
		if len(fields) < 2 || fields[1] != levelURI {
			continue
		}
		if id, err := strconv.ParseUint(fields[0], 10, 8); err == nil && id >= 1 && id <= 14 {
			return uint8(id)
		}
	}
	return 0
}

// bundles lists the bundle groups of an offer (RFC 9143).
func bundles(desc *sdp.SessionDescription) [][]string {
	var groups [][]string
	for _, a := range desc.Attributes {
		if a.Key != sdp.AttrKeyGroup {
			continue
		}
		if fields := strings.Fields(a.Value); len(fields) > 1 && fields[0] == "BUNDLE" {
			groups = append(groups, fields[1:])
		}
	}
	return groups
}
