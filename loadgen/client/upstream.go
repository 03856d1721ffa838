package client

import (
	"sync/atomic"

	"github.com/pion/rtcp"
)

// Upstream is what a server says to have received of a mic's packets, by its last receiver
// report (RFC 3550, section 6.4.1).
type Upstream struct {
	Sent uint64 // by the mic, in all
	// Covered is how many of them the report is about, from the first on, and Lost how many
	// of those the server did not receive, as it says. Both are 0 if there was no report, or
	// none that can be true.
	Covered, Lost uint64
}

// An upstreamReport keeps what a mic sent and the last report on it. One goroutine calls
// sent, and one take.
type upstreamReport struct {
	count  atomic.Uint64
	first  atomic.Uint32 // the first packet's sequence number
	latest atomic.Pointer[Upstream]
}

// sent enters that a packet goes out.
func (u *upstreamReport) sent(sequence uint16) {
	if u.count.Load() == 0 {
		u.first.Store(uint32(sequence))
	}
	u.count.Add(1)
}

// take reads a compound packet for a report on a mic.
func (u *upstreamReport) take(compound []byte, mic uint32) {
	all, err := rtcp.Unmarshal(compound)
	if err != nil {
		return
	}
	for _, p := range all {
		var blocks []rtcp.ReceptionReport
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			blocks = p.Reports
		case *rtcp.SenderReport:
			blocks = p.Reports
		}
		for _, block := range blocks {
			if block.SSRC == mic {
				u.enter(block)
			}
		}
	}
}

// enter keeps a report. One on packets that were not sent, or that lost more than were, is
// not true.
func (u *upstreamReport) enter(block rtcp.ReceptionReport) {
	const (
		negative = 1 << 23 // the sign of 24 bits: copies came
		recent   = 1 << 14
	)
	sent := u.count.Load()
	behind := uint64(uint16(u.first.Load()) + uint16(sent) - 1 - uint16(block.LastSequenceNumber))
	lost := uint64(block.TotalLost)
	if lost >= negative {
		lost = 0
	}
	if behind > recent || behind >= sent || lost > sent-behind {
		u.latest.Store(nil)
		return
	}
	u.latest.Store(&Upstream{Covered: sent - behind, Lost: lost})
}

func (u *upstreamReport) upstream() (is Upstream) {
	if latest := u.latest.Load(); latest != nil {
		is = *latest
	}
	is.Sent = u.count.Load()
	return is
}
