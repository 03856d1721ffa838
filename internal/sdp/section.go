package sdp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// AudioLevelURI names the header extension that carries a packet's loudness
// (RFC 6464).
const AudioLevelURI = pion.AudioLevelURI

// OpusParameters is the a=fmtp of Opus (RFC 7587, section 6.1) in every
// description that the package writes: in-band forward error correction is
// welcome.
const OpusParameters = "minptime=10;useinbandfec=1"

// OpusDTX goes behind [OpusParameters] in the description of somebody who sends nothing in pauses
// (DTX).
const OpusDTX = ";usedtx=1"

// opusMap is the a=rtpmap of Opus (RFC 7587, section 7), and redMap that of redundant audio
// (RFC 2198) with the same clock.
const (
	opusMap = "opus/48000/2"
	redMap  = "red/48000/2"
)

// Section is one m-section of a description.
type Section struct {
	Media    string // "audio", "video", …
	Port     int
	Protocol string // "UDP/TLS/RTP/SAVPF", …
	Formats  []string
	MID      string
	// BundleOnly allows port 0 in an offer (RFC 9143, section 6).
	BundleOnly      bool
	RTCPMux         bool
	RTCPReducedSize bool
	// Sends and Receives say what the author of the description wants to do.
	Sends, Receives bool
	// Opus is the payload type of the first Opus format, -1 if there is none.
	Opus int
	// RED is the payload type of redundant audio (RFC 2198) that holds this Opus, 0 if there
	// is none. It is preferred to Opus alone if its format stands before.
	RED         uint8
	prefersOpus bool
	// NACK says that lost Opus packets are asked for again.
	NACK bool
	// AudioLevel is the id of the loudness header extension, 0 if there is none.
	AudioLevel uint8

	// The transport's attributes; the session's where the section has none.
	ICE         Credentials
	Fingerprint string // as it stands there
	Setup       string

	state      sectionState
	attributes []pion.Attribute
}

// readSection reads what matters of an m-section.
func readSection(desc *pion.SessionDescription, m *pion.MediaDescription) (Section, error) {
	s := Section{
		Media:      m.MediaName.Media,
		Port:       m.MediaName.Port.Value,
		Protocol:   strings.Join(m.MediaName.Protos, "/"),
		Formats:    m.MediaName.Formats,
		attributes: m.Attributes,
	}
	if s.Media == "" || s.Protocol == "" || len(s.Formats) == 0 {
		return s, fmt.Errorf("the m= line %q is not complete", m.MediaName.String())
	}
	s.MID, _ = m.Attribute(pion.AttrKeyMID)
	if len(s.MID) > maxMID || !isToken(s.MID) {
		return s, fmt.Errorf("a=mid:%q is not a token of up to %d characters", s.MID, maxMID)
	}
	_, s.BundleOnly = m.Attribute("bundle-only")
	_, s.RTCPMux = m.Attribute(pion.AttrKeyRTCPMux)
	_, s.RTCPReducedSize = m.Attribute(pion.AttrKeyRTCPRsize)
	s.Sends, s.Receives = direction(desc.Attributes, m.Attributes)
	s.Opus = s.findOpus()
	s.RED, s.prefersOpus = s.findRED()
	s.NACK = s.findNACK()
	s.AudioLevel = s.findAudioLevel()
	inherit := func(key string) string {
		if v, ok := m.Attribute(key); ok {
			return v
		}
		v, _ := desc.Attribute(key)
		return v
	}
	s.ICE = Credentials{Ufrag: inherit("ice-ufrag"), Pwd: inherit("ice-pwd")}
	s.Fingerprint, s.Setup = inheritFingerprint(m.Attributes, desc.Attributes), inherit(pion.AttrKeyConnectionSetup)
	return s, nil
}

// inheritFingerprint returns the usable fingerprint of a section, else of the session. If there
// is none, it is the first that there is.
func inheritFingerprint(section, session []pion.Attribute) string {
	for _, attributes := range [][]pion.Attribute{section, session} {
		var all []string
		for _, a := range attributes {
			if a.Key == "fingerprint" {
				all = append(all, a.Value)
			}
		}
		if i := usableFingerprint(all); i >= 0 {
			return all[i]
		}
		if len(all) > 0 {
			return all[0]
		}
	}
	return ""
}

// usableFingerprint returns the index of the first fingerprint whose hash can be checked,
// or -1: there may be several of one certificate (RFC 8122, section 5).
func usableFingerprint(all []string) int {
	return slices.IndexFunc(all, func(value string) bool {
		_, err := ParseFingerprint(value)
		return err == nil
	})
}

// isToken reports whether s can stand as one word in an SDP line.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// direction reads the direction attribute of a section, else of the session.
// Without one, both are meant (RFC 8866, section 6.7).
func direction(session, section []pion.Attribute) (sends, receives bool) {
	for _, attributes := range [][]pion.Attribute{section, session} {
		for _, a := range attributes {
			switch a.Key {
			case pion.AttrKeySendRecv:
				return true, true
			case pion.AttrKeySendOnly:
				return true, false
			case pion.AttrKeyRecvOnly:
				return false, true
			case pion.AttrKeyInactive:
				return false, false
			}
		}
	}
	return true, true
}

// Offered reports whether the section of an offer is on: port 0 turns it off,
// except with a=bundle-only.
func (s *Section) Offered() bool { return s.Port != 0 || s.BundleOnly }

// Allows reports whether media can flow in the section of a client's offer.
func (s *Section) Allows(f Flow) bool {
	if f == ClientSends {
		return s.Sends
	}
	return s.Receives
}

// Streams lists the MediaStreams of the section, each once (RFC 8830: "-" is
// none).
func (s *Section) Streams() (ids []string) {
	for value := range s.values("msid") {
		if id, _, _ := strings.Cut(value, " "); id != "" && id != "-" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// SSRC is the source that the section names last; 0 if it names none.
func (s *Section) SSRC() (ssrc uint32) {
	for value := range s.values(pion.AttrKeySSRC) {
		number, _, _ := strings.Cut(value, " ")
		if v, err := strconv.ParseUint(number, 10, 32); err == nil {
			ssrc = uint32(v)
		}
	}
	return ssrc
}

// Candidates lists the section's candidates, without the malformed.
func (s *Section) Candidates() []Candidate { return candidatesIn(s.attributes) }

func candidatesIn(attributes []pion.Attribute) (list []Candidate) {
	for _, a := range attributes {
		if a.Key != pion.AttrKeyCandidate {
			continue
		}
		if c, err := ParseCandidate(strings.TrimSpace(a.Value)); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// values walks through the values of an attribute that may stand several times.
func (s *Section) values(key string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, a := range s.attributes {
			if a.Key == key && !yield(a.Value) {
				return
			}
		}
	}
}

// findOpus returns the first format of the m= line that is Opus, or -1.
func (s *Section) findOpus() int {
	for _, format := range s.Formats {
		if pt, err := strconv.ParseUint(format, 10, 7); err == nil && s.maps(format, opusMap) {
			return int(pt)
		}
	}
	return -1
}

// maps reports whether a format has the a=rtpmap.
func (s *Section) maps(format, codec string) bool {
	for value := range s.values("rtpmap") {
		of, is, _ := strings.Cut(value, " ")
		if of == format && strings.EqualFold(strings.TrimSpace(is), codec) {
			return true
		}
	}
	return false
}

// findRED returns the first format that is redundant audio of this Opus alone (RFC 2198,
// section 5), or 0, and whether it stands after Opus.
func (s *Section) findRED() (format uint8, after bool) {
	opus := strconv.Itoa(s.Opus)
	for _, format := range s.Formats {
		if format == opus {
			after = true
		}
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil || pt == 0 || s.Opus < 0 || !s.maps(format, redMap) {
			continue
		}
		for value := range s.values("fmtp") {
			of, blocks, _ := strings.Cut(value, " ")
			if all := strings.Split(strings.TrimSpace(blocks), "/"); of == format && !slices.ContainsFunc(all, func(b string) bool { return b != opus }) {
				return uint8(pt), after
			}
		}
	}
	return 0, after
}

// findNACK reports whether generic NACKs are sent for Opus (RFC 4585, section
// 4.2).
func (s *Section) findNACK() bool {
	for value := range s.values("rtcp-fb") {
		fields := strings.Fields(value)
		if len(fields) == 2 && fields[1] == "nack" && (fields[0] == "*" || fields[0] == strconv.Itoa(s.Opus)) {
			return true
		}
	}
	return false
}

// findAudioLevel returns the id of the loudness extension, or 0. It takes only
// ids of the one-byte form (RFC 8285, section 4.2) that are not bound to a
// direction.
func (s *Section) findAudioLevel() uint8 {
	for value := range s.values(pion.AttrKeyExtMap) {
		fields := strings.Fields(value)
		if len(fields) < 2 || fields[1] != AudioLevelURI {
			continue
		}
		if id, err := strconv.ParseUint(fields[0], 10, 8); err == nil && id >= 1 && id <= 14 {
			return uint8(id)
		}
	}
	return 0
}
