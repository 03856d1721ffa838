package sdp

import (
	"errors"
	"fmt"
	"strings"
)

// MaxFragment is the longest fragment that is read, in bytes: some hundred
// candidates.
const MaxFragment = 16 << 10

// Fragment is an application/trickle-ice-sdpfrag (RFC 8840, section 9).
type Fragment struct {
	// ICE is zero if the fragment has no credentials.
	ICE      Credentials
	Sections []FragmentSection
}

// FragmentSection is a pseudo m-line and what belongs to it.
type FragmentSection struct {
	Line       string // what follows "m="
	MID        string
	Candidates []Candidate
	End        bool // no more candidates will come
}

// ParseFragment reads a fragment. Lines may end in CRLF or LF. Unknown
// attributes and lines are skipped, as RFC 8840, section 9, asks. Errors name
// the line and what is wrong with it.
func ParseFragment(text string) (Fragment, error) {
	if len(text) > MaxFragment {
		return Fragment{}, fmt.Errorf("it is longer than %d bytes", MaxFragment)
	}
	var f Fragment
	number, ended := 0, false
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if err := f.readLine(line, &ended); err != nil {
			return Fragment{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if f.ICE != (Credentials{}) {
		if err := f.ICE.Validate(); err != nil {
			return Fragment{}, fmt.Errorf("ice-ufrag and ice-pwd must both be there and be valid (RFC 8839): %w", err)
		}
	}
	if f.ICE == (Credentials{}) && len(f.Sections) == 0 {
		return Fragment{}, errors.New("it has neither candidates nor credentials")
	}
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.MID == "" {
			return Fragment{}, errors.New("an m= line lacks its a=mid")
		}
		s.End = s.End || ended
	}
	return f, nil
}

// readLine reads a line. ended is set by an end-of-candidates above the
// sections, which is for all of them.
func (f *Fragment) readLine(line string, ended *bool) error {
	if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
		return errors.New("not of the form a=value")
	}
	if strings.ContainsAny(line, "\x00\r") {
		return errors.New("a control character")
	}
	switch line[0] {
	case 'm':
		if len(strings.Fields(line[2:])) < 4 {
			return errors.New("an m= line has media, port, protocol and format")
		}
		f.Sections = append(f.Sections, FragmentSection{Line: line[2:]})
	case 'a':
		key, value, _ := strings.Cut(line[2:], ":")
		return f.readAttribute(key, value, ended)
	}
	return nil
}

func (f *Fragment) readAttribute(key, value string, ended *bool) error {
	var section *FragmentSection
	if n := len(f.Sections); n > 0 {
		section = &f.Sections[n-1]
	}
	switch key {
	case "ice-ufrag":
		return setOnce(&f.ICE.Ufrag, value)
	case "ice-pwd":
		return setOnce(&f.ICE.Pwd, value)
	case "mid":
		if section == nil || value == "" || strings.ContainsAny(value, " \t") {
			return errors.New("a=mid names the section of the m= line before it")
		}
		return setOnce(&section.MID, value)
	case "candidate":
		if section == nil {
			return errors.New("a candidate belongs below an m= line")
		}
		c, err := ParseCandidate(value)
		if err != nil {
			return err
		}
		section.Candidates = append(section.Candidates, c)
	case "end-of-candidates":
		if section == nil {
			*ended = true
		} else {
			section.End = true
		}
	}
	return nil
}

// setOnce sets a value that may be given more than once, but not differently:
// with one bundle there is one ICE session.
func setOnce(at *string, value string) error {
	if value == "" || (*at != "" && *at != value) {
		return errors.New("an attribute is empty, or contradicts an earlier one")
	}
	*at = value
	return nil
}

// Usable writes the fragment anew with only the candidates that have an
// [Candidate.Address]. It returns "" if the fragment brings no such candidate
// and does not end them.
func (f Fragment) Usable() string {
	var d description
	if f.ICE != (Credentials{}) {
		d.line("a=ice-ufrag:", f.ICE.Ufrag)
		d.line("a=ice-pwd:", f.ICE.Pwd)
	}
	some := false
	for _, s := range f.Sections {
		d.line("m=", s.Line)
		d.line("a=mid:", s.MID)
		for _, c := range s.Candidates {
			if _, ok := c.Address(); ok {
				d.line("a=candidate:", c.Value)
				some = true
			}
		}
		if s.End {
			d.line("a=end-of-candidates")
			some = true
		}
	}
	if !some {
		return ""
	}
	return d.String()
}

// RestartFragment answers a fragment by which a client restarts ICE (RFC 9725, section
// 4.3.3): with this side's new credentials, and all candidates in the first section.
func (f Fragment) RestartFragment(local Credentials, candidates []string) string {
	var d description
	d.line("a=ice-lite")
	d.line("a=ice-ufrag:", local.Ufrag)
	d.line("a=ice-pwd:", local.Pwd)
	for i, s := range f.Sections {
		d.line("m=", s.Line)
		d.line("a=mid:", s.MID)
		for _, c := range candidates {
			if i == 0 {
				d.line("a=candidate:", c)
			}
		}
		d.line("a=end-of-candidates")
	}
	return d.String()
}

// LastFragment is the fragment by which a side that has sent a description says
// that it has no other candidates (RFC 8840, section 4.4; RFC 9725, section
// 4.3.2).
func LastFragment(text string) string {
	var session, section []string
	sections := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "a="), ":")
		switch {
		case strings.HasPrefix(line, "m="):
			if sections++; sections == 1 {
				section = append(section, line)
			}
		case sections > 1: // bundled with the first
		case name == "group", name == "ice-ufrag", name == "ice-pwd":
			session = append(session, line)
		case sections == 1 && (name == "mid" || name == "candidate"):
			section = append(section, line)
		}
	}
	return strings.Join(append(append(session, section...), "a=end-of-candidates", ""), "\r\n")
}
