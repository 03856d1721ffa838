package whip

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// fragment is a parsed application/trickle-ice-sdpfrag (RFC 8840 §9).
type fragment struct {
	// ice is zero if the fragment names no credentials.
	ice      credentials
	sections []fragmentSection
}

// fragmentSection is a pseudo m-line and what belongs to it.
type fragmentSection struct {
	mline, mid string
	candidates []string // attribute values, "candidate:" included
	end        bool     // no more candidates will come
}

// parseFragment reads a fragment. Lines may end in CRLF or LF. Attributes and
// lines of no interest are passed over, as RFC 8840 §9 wants of unknown ones.
// Errors name the line and tell what is wrong with it.
func parseFragment(text string) (fragment, error) {
	var f fragment
	lines, ended := 0, false
	for line := range strings.Lines(text) {
		lines++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if err := f.line(line, &ended); err != nil {
			return fragment{}, fmt.Errorf("line %d: %w", lines, err)
		}
	}
	for _, s := range f.sections {
		if s.mid == "" {
			return fragment{}, errors.New("an m= line lacks its a=mid")
		}
	}
	if f.ice != (credentials{}) && !f.ice.valid() {
		return fragment{}, errors.New("ice-ufrag and ice-pwd must both be there and be valid (RFC 8839)")
	}
	if ended {
		for i := range f.sections {
			f.sections[i].end = true
		}
	}
	if f.ice == (credentials{}) && len(f.sections) == 0 {
		return fragment{}, errors.New("it has neither candidates nor credentials")
	}
	return f, nil
}

func (f *fragment) line(line string, ended *bool) error {
	if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
		return errors.New("not of the form a=value")
	}
	if strings.ContainsAny(line, "\x00\r") {
		return errors.New("a control character")
	}
	var in *fragmentSection
	if n := len(f.sections); n > 0 {
		in = &f.sections[n-1]
	}
	switch line[0] {
	case 'm':
		if len(strings.Fields(line[2:])) < 4 {
			return errors.New("an m= line has media, port, protocol and format")
		}
		f.sections = append(f.sections, fragmentSection{mline: line[2:]})
		return nil
	case 'a':
	default:
		return nil
	}

	key, value, _ := strings.Cut(line[2:], ":")
	switch key {
	case "ice-ufrag":
		return same(&f.ice.ufrag, value)
	case "ice-pwd":
		return same(&f.ice.pwd, value)
	case "mid":
		if in == nil || value == "" || strings.ContainsAny(value, " \t") {
			return errors.New("a=mid names the section of the m= line before it")
		}
		return same(&in.mid, value)
	case "candidate":
		if in == nil {
			return errors.New("a candidate belongs below an m= line")
		}
		if err := candidateSyntax(value); err != nil {
			return err
		}
		in.candidates = append(in.candidates, "candidate:"+value)
	case "end-of-candidates":
		if in == nil {
			*ended = true
		} else {
			in.end = true
		}
	}
	return nil
}

// same sets a value that may be given more than once, but not differently: with
// one bundle there is one ICE session.
func same(at *string, value string) error {
	if value == "" || (*at != "" && *at != value) {
		return errors.New("an attribute is empty, or contradicts an earlier one")
	}
	*at = value
	return nil
}

// candidateSyntax holds a candidate to RFC 8839 §5.1.
func candidateSyntax(value string) error {
	field := strings.Split(value, " ")
	if len(field) < 8 || len(field)%2 != 0 {
		return errors.New("a candidate has foundation, component, transport, priority, address, port, typ and type, then pairs")
	}
	component, errComponent := strconv.ParseUint(field[1], 10, 16)
	_, errPriority := strconv.ParseUint(field[3], 10, 32)
	_, errPort := strconv.ParseUint(field[5], 10, 16)
	switch {
	case len(field[0]) > 32 || !iceChars(field[0]):
		return errors.New("a candidate's foundation is 1 to 32 ICE characters")
	case errComponent != nil || component < 1 || component > 256:
		return errors.New("a candidate's component is 1 to 256")
	case errPriority != nil:
		return errors.New("a candidate's priority is a 32-bit number")
	case errPort != nil:
		return errors.New("a candidate's port is a 16-bit number")
	case field[6] != "typ":
		return errors.New("a candidate's type follows the word typ")
	}
	for _, text := range field {
		if text == "" {
			return errors.New("a candidate has one space between its parts")
		}
	}
	return nil
}

// usable tells whether a candidate, whose syntax has been checked, is one that
// this server could send to: RTP over UDP to a literal address. RFC 9725 §4.3.2
// wants all others silently discarded: other transports, names that would have
// to be resolved (browsers' .local ones), the component that rtcp-mux leaves
// unused.
func usable(candidate string) bool {
	field := strings.Split(candidate, " ")
	_, err := netip.ParseAddr(field[4])
	return field[1] == "1" && strings.EqualFold(field[2], "udp") && err == nil
}

// useful writes the fragment anew with its usable candidates only, or returns ""
// if it brings none and does not end them.
func (f fragment) useful() string {
	var out strings.Builder
	if f.ice != (credentials{}) {
		out.WriteString("a=ice-ufrag:" + f.ice.ufrag + "\r\na=ice-pwd:" + f.ice.pwd + "\r\n")
	}
	some := false
	for _, s := range f.sections {
		out.WriteString("m=" + s.mline + "\r\na=mid:" + s.mid + "\r\n")
		for _, c := range s.candidates {
			if usable(c) {
				out.WriteString("a=" + c + "\r\n")
				some = true
			}
		}
		if s.end {
			out.WriteString("a=end-of-candidates\r\n")
			some = true
		}
	}
	if !some {
		return ""
	}
	return out.String()
}
