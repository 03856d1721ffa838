package feedback

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// ReceiverReports keep the statistics of a client's receiver reports by section (RFC
// 3550, section 6.4.1 and appendix A.3). They are safe for concurrent use.
type ReceiverReports struct {
	mu       sync.Mutex
	ssrc     uint32
	sections []sourceReception
	latest   atomic.Int32 // the section of the latest packet
	past     Downstream   // of the sources that sections had before
}

// Reserve makes room for so many sections, before anything else is called.
func (r *ReceiverReports) Reserve(sections int) { r.sections = make([]sourceReception, sections) }

type sourceReception struct {
	ssrc           uint32
	first          uint64 // the index of the first packet
	highest        uint64
	received       uint64
	expectedBefore uint64 // at the last report
	receivedBefore uint64 // at the last report
	transit        time.Duration
	jitter         float64 // in RTP clock units
	started        bool
	lastSR         uint32 // middle 32 bits of the last sender report's NTP timestamp
	lastSRAt       time.Duration
	haveSR         bool
	// How many packets the server had sent by the last sender report, as it says, and how
	// many had come by then.
	sentSR, receivedSR uint64
}

// Downstream is what a server says to have sent to a client, by its last sender reports
// (RFC 3550, section 6.4.1), and what of it had come when they did.
type Downstream struct{ Sent, Received uint64 }

// Downstream returns the sums over the sections. It is false without reports, and where
// they say that fewer packets were sent than came.
func (r *ReceiverReports) Downstream() (d Downstream, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d = r.past
	for i := range r.sections {
		s := &r.sections[i]
		if s.started && !s.haveSR {
			return d, false // it sends something and does not say how much
		}
		d.Sent, d.Received = d.Sent+s.sentSR, d.Received+s.receivedSR
	}
	return d, d.Sent > 0 && d.Received <= d.Sent
}

// Receive records a packet with its extended sequence number.
func (r *ReceiverReports) Receive(section int, ssrc uint32, index uint64, timestamp uint32, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.sections) <= section {
		r.sections = append(r.sections, sourceReception{})
	}
	if now := int32(section); r.latest.Load() != now { // rare
		r.latest.Store(now)
	}
	s := &r.sections[section]
	transit := at - time.Duration(timestamp)*timebase.BinLength/ledger.SamplesPerBin
	if !s.started || s.ssrc != ssrc {
		r.past.Sent, r.past.Received = r.past.Sent+s.sentSR, r.past.Received+s.receivedSR
		*s = sourceReception{ssrc: ssrc, first: index, highest: index, started: true, transit: transit}
	}
	s.received++
	s.highest = max(s.highest, index)
	if d := (transit - s.transit).Abs(); d < time.Second { // otherwise the timestamps are from another talker
		s.jitter += (d.Seconds()*48000 - s.jitter) / 16
	}
	s.transit = transit
}

// HandleRTCP handles a compound packet from the server.
func (r *ReceiverReports) HandleRTCP(packet []byte, at time.Duration) {
	all, err := rtcp.Unmarshal(packet)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range all {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		for i := range r.sections {
			if s := &r.sections[i]; s.started && s.ssrc == sr.SSRC {
				s.lastSR, s.lastSRAt, s.haveSR = uint32(sr.NTPTime>>16), at, true
				s.sentSR, s.receivedSR = uint64(sr.PacketCount), s.received
			}
		}
	}
}

// Source returns the SSRC of the client's reports and requests.
func (r *ReceiverReports) Source() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own()
}

func (r *ReceiverReports) own() uint32 {
	if r.ssrc == 0 {
		r.ssrc = rand.Uint32() | 1
	}
	return r.ssrc
}

// Build returns a receiver report for the sections that have received packets, or nil if
// there are none.
func (r *ReceiverReports) Build(now time.Duration) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := &rtcp.ReceiverReport{SSRC: r.own()}
	for i := range r.sections {
		s := &r.sections[i]
		if !s.started {
			continue
		}
		expected := s.highest - s.first + 1
		interval, got := expected-s.expectedBefore, s.received-s.receivedBefore
		var fraction uint8
		if interval > 0 && got < interval {
			fraction = uint8((interval - got) * 256 / interval)
		}
		s.expectedBefore, s.receivedBefore = expected, s.received
		block := rtcp.ReceptionReport{
			SSRC: s.ssrc, FractionLost: fraction, LastSequenceNumber: uint32(s.highest), Jitter: uint32(s.jitter),
		}
		if expected > s.received {
			block.TotalLost = uint32(min(expected-s.received, 1<<23-1))
		}
		if s.haveSR {
			block.LastSenderReport = s.lastSR
			block.Delay = uint32((now - s.lastSRAt).Seconds() * 65536)
		}
		report.Reports = append(report.Reports, block)
	}
	if len(report.Reports) == 0 {
		return nil, nil
	}
	return report.Marshal()
}

// Prefetch prefetches the memory that the next packet needs if it is in the same section
// as the latest. Only the goroutine that calls Receive may call it.
func (r *ReceiverReports) Prefetch() {
	if i := int(r.latest.Load()); i < len(r.sections) {
		prefetch.Object(&r.sections[i])
	}
}
