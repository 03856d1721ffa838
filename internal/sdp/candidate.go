package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Candidate is an a=candidate attribute (RFC 8839, section 5.1).
type Candidate struct {
	Value     string // the attribute's value, without "candidate:"
	Component int    // 1 is RTP, 2 is RTCP on a port of its own
	Transport string // "udp", in either case, or another
	Priority  uint32
	Host      string // an IP address or a name
	Port      uint16
}

// String returns "candidate:" and the value.
func (c Candidate) String() string { return "candidate:" + c.Value }

// ParseCandidate reads the value of an a=candidate attribute. Types, transports
// and names that are not known are no error.
func ParseCandidate(value string) (Candidate, error) {
	field := strings.Split(value, " ")
	if len(field) < 8 || len(field)%2 != 0 {
		return Candidate{}, errors.New("a candidate has foundation, component, transport, priority, address, port, typ and type, then pairs")
	}
	component, errComponent := strconv.ParseUint(field[1], 10, 16)
	priority, errPriority := strconv.ParseUint(field[3], 10, 32)
	port, errPort := strconv.ParseUint(field[5], 10, 16)
	switch {
	case len(field[0]) > 32 || !isICEChars(field[0]):
		return Candidate{}, errors.New("a candidate's foundation is 1 to 32 ICE characters")
	case errComponent != nil || component < 1 || component > 256:
		return Candidate{}, errors.New("a candidate's component is 1 to 256")
	case errPriority != nil:
		return Candidate{}, errors.New("a candidate's priority is a 32-bit number")
	case errPort != nil:
		return Candidate{}, errors.New("a candidate's port is a 16-bit number")
	case field[6] != "typ":
		return Candidate{}, errors.New("a candidate's type follows the word typ")
	case slices.Contains(field, ""):
		return Candidate{}, errors.New("a candidate has one space between its parts")
	}
	return Candidate{
		Value: value, Component: int(component), Transport: field[2],
		Priority: uint32(priority), Host: field[4], Port: uint16(port),
	}, nil
}

// Address returns the address to send RTP to; false if the candidate is for
// RTCP, has no port, is not UDP, or has a name that would have to be resolved,
// as browsers' mDNS candidates (.local) have.
func (c Candidate) Address() (netip.AddrPort, bool) {
	if c.Component != 1 || c.Port == 0 || !strings.EqualFold(c.Transport, "udp") {
		return netip.AddrPort{}, false
	}
	host, err := netip.ParseAddr(c.Host)
	return netip.AddrPortFrom(host, c.Port), err == nil
}

// PassiveTCP returns the address to connect to; false if the candidate is for RTCP, has no
// port, is no passive TCP candidate (RFC 6544), or has a name that would have to be resolved.
func (c Candidate) PassiveTCP() (netip.AddrPort, bool) {
	if c.Component != 1 || c.Port == 0 || !strings.EqualFold(c.Transport, "tcp") || !c.passive() {
		return netip.AddrPort{}, false
	}
	host, err := netip.ParseAddr(c.Host)
	return netip.AddrPortFrom(host, c.Port), err == nil
}

// passive reports whether the extensions of a candidate say tcptype passive.
func (c Candidate) passive() bool {
	field := strings.Split(c.Value, " ")
	for i := 8; i+1 < len(field); i += 2 {
		if field[i] == "tcptype" {
			return field[i+1] == "passive"
		}
	}
	return false
}

// HostCandidate writes the value of a candidate for one of a side's own UDP
// addresses. The most preferred address has index 0 (RFC 8445, section
// 5.1.2.1: host candidates have type preference 126, the highest).
func HostCandidate(index int, addr netip.AddrPort) string {
	priority := 126<<24 | (65535-index)<<8 | (256 - 1)
	return strconv.Itoa(index+1) + " 1 udp " + strconv.Itoa(priority) + " " +
		addr.Addr().String() + " " + strconv.Itoa(int(addr.Port())) + " typ host"
}

// PassiveTCPCandidate writes the value of a candidate for one of a side's own TCP
// addresses, to which the other side connects (RFC 6544, section 4.5). It is
// preferred to no UDP candidate: its type preference is 90, as in libwebrtc, and the
// direction counts in the local preference (section 4.2).
func PassiveTCPCandidate(index int, addr netip.AddrPort) string {
	const passive = 4 << 13
	priority := 90<<24 | (passive|(8191-index))<<8 | (256 - 1)
	return "tcp" + strconv.Itoa(index+1) + " 1 tcp " + strconv.Itoa(priority) + " " +
		addr.Addr().String() + " " + strconv.Itoa(int(addr.Port())) + " typ host tcptype passive"
}

// CandidateLines returns the a=candidate attributes of a description or a
// fragment as they stand there, without "a=".
func CandidateLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "a=candidate:"); ok {
			lines = append(lines, "candidate:"+value)
		}
	}
	return lines
}
