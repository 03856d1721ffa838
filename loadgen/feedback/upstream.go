package feedback

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

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
	// Jitter is what its reports say of the interarrival jitter, on average, and Reports how many
	// those are.
	Jitter  time.Duration
	Reports uint64
	// Excused is how many of the lost may be the doing of the generator or its machine.
	Excused uint64
	// NACKs is how many packets it has asked for again.
	NACKs uint64
}

// StaleAfter is how many packets a mic may have sent since those that the server last
// reported on: in ten seconds, twice as long as between reports (RFC 3550, section 6.2).
const StaleAfter = 500

// Reported reports whether the server has said lately what it received.
func (u Upstream) Reported() bool { return u.Covered > 0 && u.Sent-u.Covered <= StaleAfter }

// A LossDoubtFunc returns how many of the packets that the server lost of a mic within a time may be
// the doing of the generator or its machine at most, besides those that were dropped or sent late.
// It knows all of a time that ended bookedWithin ago.
type LossDoubtFunc func(from, until time.Duration) uint64

// bookedWithin is how much later it is known what was in doubt at a time.
const bookedWithin = 2 * time.Second

// UpstreamReports keep what a mic sent and the server's reports on it. One goroutine calls Sent;
// the rest is safe for concurrent use.
type UpstreamReports struct {
	doubt LossDoubtFunc

	count atomic.Uint64
	first atomic.Uint32 // the first packet's sequence number

	mu     sync.Mutex
	lates  []time.Duration // when frames went out too late, the last of them
	forgot time.Duration   // when the last one did that is not known any more
	latest Upstream        // of the last report; nothing if that can't be true
	nacks  uint64
	// Of the reports that can be true:
	at               time.Duration // the last, or the mic's beginning
	lost             uint64        // in all
	reports, jitters uint64        // jitters are their sum, in samples
	losses           []uplinkLoss  // of which is not known yet whether they are in doubt
	excused          uint64
	ended            bool
	sent             uint64 // when it ended
}

// NewUpstreamReports makes those of a mic that begins to send at a time.
func NewUpstreamReports(doubt LossDoubtFunc, at time.Duration) *UpstreamReports {
	return &UpstreamReports{doubt: doubt, at: at}
}

// An uplinkLoss is how many packets were lost between two reports.
type uplinkLoss struct {
	from, until time.Duration
	packets     uint64
}

// Sent enters that a packet goes out.
func (u *UpstreamReports) Sent(sequence uint16) {
	if u.count.Load() == 0 {
		u.first.Store(uint32(sequence))
	}
	u.count.Add(1)
}

// Late enters that a frame went out so late that it is in doubt whose fault its loss is.
func (u *UpstreamReports) Late(at time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.lates) == maxLates {
		u.forgot = u.lates[maxLates/2-1]
		u.lates = append(u.lates[:0], u.lates[maxLates/2:]...)
	}
	u.lates = append(u.lates, at)
}

// maxLates is how many late frames are known: those of ten seconds at least.
const maxLates = 1024

// lateIn is how many frames that went out within a time may have been lost since they were late.
// u.mu is held.
func (u *UpstreamReports) lateIn(from, until time.Duration) (n uint64) {
	if u.forgot > 0 && u.forgot >= from {
		return math.MaxUint64
	}
	for _, at := range u.lates {
		if at >= from && at < until {
			n++
		}
	}
	return n
}

// Take reads a compound packet for a report on a mic.
func (u *UpstreamReports) Take(compound []byte, mic uint32, now time.Duration) {
	all, err := rtcp.Unmarshal(compound)
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return
	}
	for _, p := range all {
		var blocks []rtcp.ReceptionReport
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			blocks = p.Reports
		case *rtcp.SenderReport:
			blocks = p.Reports
		case *rtcp.TransportLayerNack:
			if p.MediaSSRC == mic {
				for _, pair := range p.Nacks {
					u.nacks += uint64(len(pair.PacketList()))
				}
			}
		}
		for _, block := range blocks {
			if block.SSRC == mic {
				u.enter(block, now)
			}
		}
	}
}

// enter keeps a report. One on packets that were not sent, or that lost more than were, is
// not true. u.mu is held.
func (u *UpstreamReports) enter(block rtcp.ReceptionReport, now time.Duration) {
	const (
		negative = 1 << 23 // the sign of 24 bits: copies came
		recent   = 1 << 14
		// clockRate is that of Opus (RFC 7587, section 4.1).
		clockRate = 48_000
	)
	sent := u.count.Load()
	behind := uint64(uint16(u.first.Load()) + uint16(sent) - 1 - uint16(block.LastSequenceNumber))
	if behind == 1<<16-1 {
		behind = 0 // LiveKit names the packet that it expects next
	}
	lost := uint64(block.TotalLost)
	if lost >= negative {
		lost = 0
	}
	if behind > recent || behind >= sent || lost > sent-behind {
		u.latest = Upstream{}
		return
	}
	u.reports++
	u.jitters += uint64(block.Jitter)
	jitter := time.Duration(u.jitters/u.reports) * time.Second / clockRate
	u.latest = Upstream{Covered: sent - behind, Lost: lost, Jitter: jitter, Reports: u.reports}
	u.excuse(now - bookedWithin)
	if lost > u.lost {
		u.losses = append(u.losses, uplinkLoss{u.at, now, lost - u.lost})
	}
	u.at, u.lost = now, lost
}

// excuse settles which of the losses that were known at a time are in doubt. u.mu is held.
func (u *UpstreamReports) excuse(known time.Duration) {
	for len(u.losses) > 0 && u.losses[0].until <= known {
		l := u.losses[0]
		u.losses = u.losses[1:]
		// A frame is late to a moment before the report that misses it. After those that come at
		// once a server that counts packets may refuse as many more.
		late := 2 * min(u.lateIn(l.from-bookedWithin, l.until), l.packets)
		u.excused += min(late+min(u.doubt(l.from, l.until), l.packets), l.packets)
	}
}

// End ends what they are about.
func (u *UpstreamReports) End() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended, u.sent = true, u.count.Load()
	}
}

// Upstream returns what is known in the end. It is called when it is known what was in doubt.
func (u *UpstreamReports) Upstream() Upstream {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.excuse(u.at)
	is := u.latest
	is.Sent, is.NACKs, is.Excused = u.count.Load(), u.nacks, min(u.excused, is.Lost)
	if u.ended {
		is.Sent = u.sent
	}
	return is
}
