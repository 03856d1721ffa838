package sdp

import (
	"fmt"
	"net/netip"
	"strings"
)

// Canonical rewrites what a description may spell in several ways into the one way that
// every WebRTC stack reads: Opus in small letters (RFC 4855, section 3), one fingerprint
// where there are several, addresses where candidates have names, and an end of the last
// line. A candidate whose name resolve does not know is left out; it is an error if no
// candidate is left.
func Canonical(text string, resolve func(name string) (netip.Addr, error)) (string, error) {
	c := canonical{resolve: resolve}
	c.Grow(len(text) + 64)
	var block []string
	for line := range strings.Lines(completeLines(text)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "m=") {
			c.block(block)
			block = block[:0]
		}
		block = append(block, line)
	}
	c.block(block)
	if c.kept == 0 && c.unknown != nil {
		return "", fmt.Errorf("the candidates have names, and this machine does not know them: %w", c.unknown)
	}
	return c.String(), nil
}

// canonical is a description that is being rewritten.
type canonical struct {
	description

	resolve func(name string) (netip.Addr, error)
	kept    int   // candidates
	unknown error // of a name
}

// block writes the session's lines, or those of one section.
func (c *canonical) block(lines []string) {
	var fingerprints []string
	for _, line := range lines {
		if value, ok := strings.CutPrefix(line, "a=fingerprint:"); ok {
			fingerprints = append(fingerprints, value)
		}
	}
	usable, seen := usableFingerprint(fingerprints), 0
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case name == "a=fingerprint" && usable >= 0:
			if seen == usable {
				c.line(line)
			}
			seen++
		case name == "a=rtpmap":
			format, codec, _ := strings.Cut(value, " ")
			if strings.EqualFold(strings.TrimSpace(codec), opusMap) {
				line = name + ":" + format + " " + opusMap
			}
			c.line(line)
		case name == "a=candidate":
			if value, ok := c.candidate(value); ok {
				c.line(name, ":", value)
			}
		default:
			c.line(line)
		}
	}
}

// candidate returns a candidate with an address; false if there is none.
func (c *canonical) candidate(value string) (string, bool) {
	parsed, err := ParseCandidate(strings.TrimSpace(value))
	if err != nil {
		return value, true // for whoever reads it
	}
	if _, err := netip.ParseAddr(parsed.Host); err != nil {
		address, err := c.resolve(parsed.Host)
		if err != nil {
			c.unknown = err
			return "", false
		}
		field := strings.Split(parsed.Value, " ")
		field[4] = address.String()
		value = strings.Join(field, " ")
	}
	c.kept++
	return value, true
}
