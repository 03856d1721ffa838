package sdp

import (
	"fmt"
	"strings"

	pion "github.com/pion/sdp/v3"

	"github.com/earshot-audio/earshot/internal/plaintext"
)

// What a description may hold at most. A browser's offer of ten sections is
// 15 KB.
const (
	maxLength   = 128 << 10
	maxSections = 64
	maxMID      = 64
)

// Description is a session description that was read.
type Description struct {
	Sections []Section
	// Bundles are the BUNDLE groups (RFC 9143), as lists of MIDs.
	Bundles    [][]string
	ICELite    bool
	AllowMixed bool // a=extmap-allow-mixed (RFC 8285, section 6)

	attributes []pion.Attribute // the session's
}

// Parse reads a description. It has at least one section, and no MID twice.
func Parse(text string) (*Description, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("it is longer than %d bytes", maxLength)
	}
	var desc pion.SessionDescription
	if err := desc.UnmarshalString(completeLines(text)); err != nil {
		return nil, fmt.Errorf("not SDP: %w", err)
	}
	n := len(desc.MediaDescriptions)
	if n == 0 || n > maxSections {
		return nil, fmt.Errorf("it has %d media sections, between 1 and %d are possible", n, maxSections)
	}
	d := &Description{Sections: make([]Section, n), Bundles: bundles(&desc), attributes: desc.Attributes}
	_, d.ICELite = desc.Attribute(pion.AttrKeyICELite)
	_, d.AllowMixed = desc.Attribute(pion.AttrKeyExtMapAllowMixed)
	mids := make(map[string]bool, n)
	for i, m := range desc.MediaDescriptions {
		s, err := readSection(&desc, m)
		if err != nil {
			return nil, fmt.Errorf("media section %d: %w", i, err)
		}
		if s.MID != "" && mids[s.MID] {
			return nil, fmt.Errorf("media section %d: a=mid:%s stands twice", i, s.MID)
		}
		mids[s.MID] = true
		d.Sections[i] = s
	}
	return d, nil
}

// ICE returns the credentials of the first section that has any. In a
// description with one bundle they are those of all sections.
func (d *Description) ICE() Credentials {
	for i := range d.Sections {
		if c := d.Sections[i].ICE; c.Ufrag != "" && c.Pwd != "" {
			return c
		}
	}
	return Credentials{}
}

// Candidates lists all well-formed candidates: the session's, then those of the
// sections.
func (d *Description) Candidates() []Candidate {
	list := candidatesIn(d.attributes)
	for i := range d.Sections {
		list = append(list, d.Sections[i].Candidates()...)
	}
	return list
}

// bundles lists the BUNDLE groups.
func bundles(desc *pion.SessionDescription) [][]string {
	var groups [][]string
	for _, a := range desc.Attributes {
		if a.Key != pion.AttrKeyGroup {
			continue
		}
		if fields := strings.Fields(a.Value); len(fields) > 1 && fields[0] == "BUNDLE" {
			groups = append(groups, fields[1:])
		}
	}
	return groups
}

// description is a description that is being written.
type description struct{ strings.Builder }

// line adds a line that is made of parts.
func (d *description) line(parts ...string) {
	for _, p := range parts {
		d.WriteString(p)
	}
	d.WriteString("\r\n")
}

// completeLines removes the byte order mark with which some editors begin a file, and
// ends the last line, which others leave out.
func completeLines(text string) string {
	text = plaintext.Trim(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	return text
}
