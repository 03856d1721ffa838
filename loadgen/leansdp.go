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

// leanOffer is the offer of an ear with so many sections for one voice each. It
// offers to be the DTLS client, which the lean endpoint always is (RFC 8842
// §5.2), and no candidates: the server learns the address from the checks. With
// nack it offers to ask for lost packets again.
func leanOffer(local lite.Credentials, fingerprint lite.Fingerprint, sections int, nack bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- %d 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE", rand.Uint64()>>2)
	for i := range sections {
		fmt.Fprintf(&b, " %d", i)
	}
	b.WriteString("\r\n")
	for i := range sections {
		fmt.Fprintf(&b, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\na=recvonly\r\na=rtcp-mux\r\n", i)
		fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=ice-options:trickle\r\n", local.Ufrag, local.Pwd)
		fmt.Fprintf(&b, "a=fingerprint:%s\r\na=setup:active\r\n", fingerprint)
		b.WriteString("a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n")
		if nack {
			b.WriteString("a=rtcp-fb:111 nack\r\n")
		}
		fmt.Fprintf(&b, "a=extmap:1 %s\r\n", sdp.AudioLevelURI)
	}
	return b.String()
}

// A leanAnswer is what an ear needs to know of the server's answer.
type leanAnswer struct {
	credentials lite.Credentials
	fingerprint lite.Fingerprint
	candidates  []netip.AddrPort // the best first; there is one
	ssrcs       []uint32         // of each section; 0 is not known
	nack        bool             // it sends lost packets again
}

// maxCandidates is how many addresses of a server are tried.
const maxCandidates = 8

// readAnswer reads an answer to an offer of so many sections.
func readAnswer(text string, sections int) (*leanAnswer, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("it is no SDP: %w", err)
	}
	if len(d.MediaDescriptions) != sections {
		return nil, fmt.Errorf("it has %d sections, and %d were offered", len(d.MediaDescriptions), sections)
	}
	a := &leanAnswer{}
	var offered []candidate
	for i, m := range d.MediaDescriptions {
		if m.MediaName.Port.Value == 0 {
			a.ssrcs = append(a.ssrcs, rejectedSSRC)
			continue
		}
		attribute := func(name string) string {
			if v, ok := m.Attribute(name); ok {
				return v
			}
			v, _ := d.Attribute(name)
			return v
		}
		if a.credentials.Ufrag == "" {
			a.credentials = lite.Credentials{Ufrag: attribute("ice-ufrag"), Pwd: attribute("ice-pwd")}
		}
		if value := attribute("fingerprint"); a.fingerprint == "" && value != "" {
			f, err := lite.ParseFingerprint(value)
			if err != nil {
				return nil, fmt.Errorf("section %d: %w", i, err)
			}
			a.fingerprint = f
		}
		if setup := attribute("setup"); setup != "" && setup != "passive" {
			return nil, fmt.Errorf("section %d has a=setup:%s, and only passive answers an offer of active", i, setup)
		}
		a.ssrcs = append(a.ssrcs, 0)
		for _, at := range slices.Concat(d.Attributes, m.Attributes) {
			switch at.Key {
			case sdp.AttrKeyCandidate:
				if c, ok := readCandidate(at.Value); ok {
					offered = append(offered, c)
				}
			case "rtcp-fb":
				_, feedback, _ := strings.Cut(at.Value, " ")
				a.nack = a.nack || strings.TrimSpace(feedback) == "nack"
			case sdp.AttrKeySSRC:
				number, _, _ := strings.Cut(at.Value, " ")
				if v, err := strconv.ParseUint(number, 10, 32); err == nil {
					a.ssrcs[i] = uint32(v)
				}
			}
		}
	}
	slices.SortStableFunc(offered, func(x, y candidate) int { return cmp.Compare(y.priority, x.priority) })
	for _, c := range offered {
		if !slices.Contains(a.candidates, c.at) && len(a.candidates) < maxCandidates {
			a.candidates = append(a.candidates, c.at)
		}
	}
	switch {
	case a.fingerprint == "":
		return nil, errors.New("it has no a=fingerprint for a section that was accepted")
	case len(a.candidates) == 0:
		return nil, errors.New("it has no UDP candidate with an IP address")
	}
	return a, a.credentials.Validate()
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
