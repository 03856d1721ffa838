package sdp

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
)

// MaxAddresses is how many addresses of a server are tried.
const MaxAddresses = 8

// rejectedSSRC stands in the place of a section that carries nothing.
const rejectedSSRC = 1<<32 - 1

// Remote is what a receiver has to know of the server that sends to it. It
// shares no memory with the description that it was read from. One goroutine at
// a time may use it.
type Remote struct {
	// What a packet takes stands together.
	SSRCs []uint32  // one for each section that was accepted or rejected; 0: not known
	few   [4]uint32 // where SSRCs begins
	Opus  PayloadTypes
	RED   PayloadTypes
	NACK  bool // it sends lost packets again
	Lite  bool // it is an ICE-lite agent

	ICE         Credentials
	Fingerprint Fingerprint
	Addresses   []netip.AddrPort // of its UDP candidates, the best first
	TCP         []netip.AddrPort // of its passive TCP candidates, the best first
}

func newRemote() *Remote {
	r := &Remote{}
	r.SSRCs = r.few[:0]
	return r
}

// PayloadTypes is a set of RTP payload types.
type PayloadTypes [2]uint64

// Add adds a type of up to 127.
func (p *PayloadTypes) Add(t uint8) { p[t>>6&1] |= 1 << (t & 63) }

// Has reports whether the set has a type of up to 127.
func (p *PayloadTypes) Has(t uint8) bool { return p[t>>6&1]&(1<<(t&63)) != 0 }

// accept takes over what a section that will send says.
func (r *Remote) accept(s *Section) error {
	if r.ICE.Ufrag == "" {
		r.ICE = s.ICE.Clone()
	}
	if r.Fingerprint == "" && s.Fingerprint != "" {
		f, err := ParseFingerprint(s.Fingerprint)
		if err != nil {
			return err
		}
		r.Fingerprint = f
	}
	if s.Opus >= 0 {
		r.Opus.Add(uint8(s.Opus))
	}
	if s.RED != 0 {
		r.RED.Add(s.RED)
	}
	r.NACK = r.NACK || s.NACK
	r.SSRCs = append(r.SSRCs, s.SSRC())
	return nil
}

// complete collects the candidates and checks that nothing is missing.
func (r *Remote) complete(d *Description) error {
	r.Lite = d.ICELite
	candidates := d.Candidates()
	slices.SortStableFunc(candidates, func(a, b Candidate) int { return cmp.Compare(b.Priority, a.Priority) })
	for _, c := range candidates {
		if at, ok := c.Address(); ok {
			r.Addresses = AppendAddress(r.Addresses, at)
		}
		if at, ok := c.PassiveTCP(); ok {
			r.TCP = AppendAddress(r.TCP, at)
		}
	}
	if r.Fingerprint == "" {
		return errors.New("it has no a=fingerprint for a section that was accepted")
	}
	return r.ICE.Validate()
}

// AppendAddress appends an address that is not listed yet, up to
// [MaxAddresses].
func AppendAddress(list []netip.AddrPort, at netip.AddrPort) []netip.AddrPort {
	if slices.Contains(list, at) || len(list) >= MaxAddresses {
		return list
	}
	return append(list, at)
}

// Update takes over the sources of a later answer, which may have more sections: what is
// counted here is places for sources. A source that has one keeps it: packets may come before
// the answer that announces them.
func (r *Remote) Update(later *Remote) {
	for i, ssrc := range later.SSRCs {
		if ssrc == 0 || ssrc == rejectedSSRC || slices.Contains(r.SSRCs, ssrc) {
			continue
		}
		if i >= len(r.SSRCs) || !r.replaceable(i, later) {
			i = slices.IndexFunc(r.SSRCs, func(old uint32) bool { return old == 0 })
			for j := 0; i < 0 && j < len(r.SSRCs); j++ {
				if r.replaceable(j, later) {
					i = j
				}
			}
		}
		if i >= 0 {
			r.SSRCs[i] = ssrc
		}
	}
}

// replaceable reports whether a section has no source, or one that a later answer does not
// have.
func (r *Remote) replaceable(i int, later *Remote) bool {
	return r.SSRCs[i] == 0 || r.SSRCs[i] == rejectedSSRC || !slices.Contains(later.SSRCs, r.SSRCs[i])
}

// Voices returns how many audio sections of a server's description send something that it
// names: one can be open for sending before there is anything to send.
func Voices(text string) (n int) {
	d, err := Parse(text)
	if err != nil {
		return 0
	}
	for i := range d.Sections {
		if s := &d.Sections[i]; s.Media == "audio" && s.Port != 0 && s.Sends && (s.SSRC() != 0 || len(s.Streams()) > 0) {
			n++
		}
	}
	return n
}

// Section returns the section that an SSRC belongs to. An SSRC that the server
// did not name gets a section that has none yet; without one left it is -1.
func (r *Remote) Section(ssrc uint32) int {
	if i := slices.Index(r.SSRCs, ssrc); i >= 0 {
		return i
	}
	i := slices.Index(r.SSRCs, 0)
	if i >= 0 {
		r.SSRCs[i] = ssrc
	} else if len(r.SSRCs) == 1 && r.SSRCs[0] != rejectedSSRC {
		i = 0 // there is nowhere else that it could belong
	}
	return i
}
