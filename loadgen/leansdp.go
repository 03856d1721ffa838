package loadgen

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/earshot-audio/earshot/internal/lite"
)

// leanFormat is the payload type by which an ear offers to take Opus.
const leanFormat = 111

// leanOffer is the offer of an ear with so many sections for one voice each. It
// offers to be the DTLS client, which the lean endpoint always is (RFC 8842
// §5.2), and no candidates: the server learns the address from the checks. With
// nack it offers to ask for lost packets again.
func leanOffer(local lite.Credentials, fingerprint lite.Fingerprint, sections int, nack bool) string {
	all := make([]leanSection, sections)
	for i := range all {
		all[i] = leanSection{mid: strconv.Itoa(i), format: leanFormat, taken: true, level: true}
	}
	return leanDescription(local, fingerprint, all, nack)
}

// A leanSection is an m-line of an ear's offer or answer.
type leanSection struct {
	mid    string
	format int  // payload type of Opus
	taken  bool // else it is refused
	level  bool // the audio level is offered
	media  sdp.MediaName
}

// leanDescription is an ear's description of its sections.
func leanDescription(local lite.Credentials, fingerprint lite.Fingerprint, sections []leanSection, nack bool) string {
	b := make([]byte, 0, 128+512*len(sections)) // which one of audio has room in
	b = append(b, "v=0\r\no=- "...)
	b = strconv.AppendUint(b, rand.Uint64()>>2, 10)
	b = append(b, " 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE"...)
	for _, s := range sections {
		if s.taken {
			b = append(append(b, ' '), s.mid...)
		}
	}
	b = append(b, "\r\n"...)
	for _, s := range sections {
		if s.taken {
			b = s.append(b, local, fingerprint, nack)
			continue
		}
		// RFC 3264 §6: the m-line stays, with a port of 0 and any format.
		b = fmt.Appendf(b, "m=%s 0 %s 0\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=inactive\r\n",
			s.media.Media, strings.Join(s.media.Protos, "/"), s.mid)
	}
	return string(b)
}

// append appends the lines of a section that is taken.
func (s *leanSection) append(b []byte, local lite.Credentials, fingerprint lite.Fingerprint, nack bool) []byte {
	format := strconv.Itoa(s.format)
	for _, part := range [...]string{
		"m=audio 9 UDP/TLS/RTP/SAVPF ", format, "\r\nc=IN IP4 0.0.0.0\r\na=mid:", s.mid,
		"\r\na=recvonly\r\na=rtcp-mux\r\na=ice-ufrag:", local.Ufrag, "\r\na=ice-pwd:", local.Pwd,
		"\r\na=ice-options:trickle\r\na=fingerprint:", string(fingerprint), "\r\na=setup:active\r\na=rtpmap:", format,
		" opus/48000/2\r\na=fmtp:", format, " minptime=10;useinbandfec=1\r\n",
	} {
		b = append(b, part...)
	}
	if nack {
		b = append(append(append(b, "a=rtcp-fb:"...), format...), " nack\r\n"...)
	}
	if s.level {
		b = append(b, "a=extmap:1 "+sdp.AudioLevelURI+"\r\n"...)
	}
	return b
}

// A leanRemote is what an ear needs to know of the server's description.
type leanRemote struct {
	// What a packet takes stands together.
	ssrcs []uint32  // of each of the ear's sections; 0 is not known
	few   [4]uint32 // where ssrcs begins
	opus  formats   // the payload types that are Opus
	nack  bool      // it sends lost packets again

	credentials lite.Credentials
	fingerprint lite.Fingerprint
	candidates  []netip.AddrPort // the best first
}

func newLeanRemote() *leanRemote {
	r := &leanRemote{}
	r.ssrcs = r.few[:0]
	return r
}

// formats is a set of payload types.
type formats [2]uint64

func (f *formats) add(t uint8)      { f[t>>6&1] |= 1 << (t & 63) }
func (f *formats) has(t uint8) bool { return f[t>>6&1]&(1<<(t&63)) != 0 }

// maxCandidates is how many addresses of a server are tried.
const maxCandidates = 8

// readAnswer reads an answer to an offer of so many sections. It may be without
// candidates.
func readAnswer(text string, sections int) (*leanRemote, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("it is no SDP: %w", err)
	}
	if len(d.MediaDescriptions) != sections {
		return nil, fmt.Errorf("it has %d sections, and %d were offered", len(d.MediaDescriptions), sections)
	}
	r := newLeanRemote()
	// RFC 3264 §6.1: what comes may be numbered as the offer has it, or, if the
	// server has its own mind, as the answer does.
	r.opus.add(leanFormat)
	for i, m := range d.MediaDescriptions {
		if m.MediaName.Port.Value == 0 {
			r.ssrcs = append(r.ssrcs, rejectedSSRC)
			continue
		}
		if setup := attribute(&d, m, "setup"); setup != "" && setup != "passive" {
			return nil, fmt.Errorf("section %d has a=setup:%s, and only passive answers an offer of active", i, setup)
		}
		if err := r.take(&d, m); err != nil {
			return nil, fmt.Errorf("section %d: %w", i, err)
		}
	}
	return r, r.complete(&d)
}

// readOffer reads a server's own offer for an ear of so many sections, and
// returns what to answer to each of its m-lines: the first ones that send Opus
// are taken.
func readOffer(text string, sections int) (*leanRemote, []leanSection, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, nil, fmt.Errorf("it is no SDP: %w", err)
	}
	r := newLeanRemote()
	var all []leanSection
	for i, m := range d.MediaDescriptions {
		s := leanSection{mid: attribute(nil, m, "mid"), format: opusFormat(m), media: m.MediaName}
		_, receives := m.Attribute("recvonly")
		_, inactive := m.Attribute("inactive")
		s.taken = m.MediaName.Media == "audio" && s.format >= 0 && !receives && !inactive &&
			m.MediaName.Port.Value != 0 && len(r.ssrcs) < sections
		if s.taken {
			if setup := attribute(&d, m, "setup"); setup == "active" {
				return nil, nil, fmt.Errorf("section %d has a=setup:active, and the ear can only be the DTLS client: offer actpass", i)
			}
			if err := r.take(&d, m); err != nil {
				return nil, nil, fmt.Errorf("section %d: %w", i, err)
			}
		}
		all = append(all, s)
	}
	if len(r.ssrcs) == 0 {
		return nil, nil, errors.New("none of its sections sends Opus")
	}
	return r, all, r.complete(&d)
}

// attribute is an attribute of a section or, if d is given, of the session.
func attribute(d *sdp.SessionDescription, m *sdp.MediaDescription, name string) string {
	if v, ok := m.Attribute(name); ok {
		return v
	}
	if d == nil {
		return ""
	}
	v, _ := d.Attribute(name)
	return v
}

// take takes over what a section that will send says.
func (r *leanRemote) take(d *sdp.SessionDescription, m *sdp.MediaDescription) error {
	if r.credentials.Ufrag == "" {
		// Copies, as the ear would else keep all of the answer.
		r.credentials = lite.Credentials{Ufrag: strings.Clone(attribute(d, m, "ice-ufrag")), Pwd: strings.Clone(attribute(d, m, "ice-pwd"))}
	}
	if value := attribute(d, m, "fingerprint"); r.fingerprint == "" && value != "" {
		f, err := lite.ParseFingerprint(value)
		if err != nil {
			return err
		}
		r.fingerprint = f
	}
	if format := opusFormat(m); format >= 0 {
		r.opus.add(uint8(format))
	}
	var ssrc uint32
	for _, at := range m.Attributes {
		switch at.Key {
		case "rtcp-fb":
			_, feedback, _ := strings.Cut(at.Value, " ")
			r.nack = r.nack || strings.TrimSpace(feedback) == "nack"
		case sdp.AttrKeySSRC:
			number, _, _ := strings.Cut(at.Value, " ")
			if v, err := strconv.ParseUint(number, 10, 32); err == nil {
				ssrc = uint32(v)
			}
		}
	}
	r.ssrcs = append(r.ssrcs, ssrc)
	return nil
}

// opusFormat is the payload type of a section's Opus, or -1.
func opusFormat(m *sdp.MediaDescription) int {
	for _, at := range m.Attributes {
		if at.Key != "rtpmap" {
			continue
		}
		number, encoding, _ := strings.Cut(at.Value, " ")
		n, err := strconv.Atoi(number)
		if err == nil && n >= 0 && n < 128 && strings.HasPrefix(strings.ToLower(strings.TrimSpace(encoding)), "opus/48000") {
			return n
		}
	}
	return -1
}

// complete collects the candidates and tells what is missing.
func (r *leanRemote) complete(d *sdp.SessionDescription) error {
	offered := candidatesOf(nil, d.Attributes)
	for _, m := range d.MediaDescriptions {
		offered = candidatesOf(offered, m.Attributes)
	}
	slices.SortStableFunc(offered, func(x, y candidate) int { return cmp.Compare(y.priority, x.priority) })
	for _, c := range offered {
		r.candidates = addCandidate(r.candidates, c.at)
	}
	if r.fingerprint == "" {
		return errors.New("it has no a=fingerprint for a section that was accepted")
	}
	return r.credentials.Validate()
}

// candidatesOf appends the candidates among attributes, each once.
func candidatesOf(all []candidate, attributes []sdp.Attribute) []candidate {
	for _, at := range attributes {
		if at.Key != sdp.AttrKeyCandidate {
			continue
		}
		if c, ok := readCandidate(at.Value); ok && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

func addCandidate(all []netip.AddrPort, at netip.AddrPort) []netip.AddrPort {
	if slices.Contains(all, at) || len(all) >= maxCandidates {
		return all
	}
	return append(all, at)
}

// section is the section that an SSRC belongs to, or -1 if there is none left
// for one that the server did not name. It is called by one goroutine.
func (r *leanRemote) section(ssrc uint32) int {
	if i := slices.Index(r.ssrcs, ssrc); i >= 0 {
		return i
	}
	i := slices.Index(r.ssrcs, 0)
	if i >= 0 {
		r.ssrcs[i] = ssrc
	} else if len(r.ssrcs) == 1 && r.ssrcs[0] != rejectedSSRC {
		i = 0 // there is nowhere else that it could belong
	}
	return i
}

// rejectedSSRC stands in the place of a section that carries nothing.
const rejectedSSRC = 1<<32 - 1

type candidate struct {
	at       netip.AddrPort
	priority uint64
}

// readCandidate reads an a=candidate attribute (RFC 8839 §5.1); false for one
// that is no UDP address of RTP.
func readCandidate(value string) (candidate, bool) {
	f := strings.Fields(value)
	if len(f) < 6 || f[1] != "1" || !strings.EqualFold(f[2], "udp") {
		return candidate{}, false
	}
	priority, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return candidate{}, false
	}
	at, err := netip.ParseAddrPort(netJoin(f[4], f[5]))
	if err != nil || at.Port() == 0 {
		return candidate{}, false
	}
	return candidate{at, priority}, true
}

func netJoin(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}
