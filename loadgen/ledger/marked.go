package ledger

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// markHistory is how many hops a section remembers, in which marks may still be found.
	markHistory = 128
	// reorderedBy is how many packets may come before one that was sent earlier.
	reorderedBy = 5
	// unmarkedFor is for how many hops what is heard may be without a mark before it is not
	// what was sent: where a frame is missing, a server invents some sound.
	unmarkedFor = 50
	// rateRatio is that of RTP's clock to that of marks.
	rateRatio = SamplesPerBin / mark.Hop
	// endOfStream is a pause after which a section begins anew, on RTP's clock.
	endOfStream = 48_000 * int(record.Lateness/time.Second)
)

// A markedListener finds the marks in what a listener hears. The listener's lock guards it.
type markedListener struct {
	sections []*markedSection
	weak     [][words]uint64 // by source, of the ring: perhaps heard
	last     time.Duration   // when a packet came at last
}

// A markedSection is a section's stream of packets, in their order.
type markedSection struct {
	listener *Listener
	section  int
	detector *mark.Detector
	waiting  []Packet // that came before one that is missing, by sequence
	began    bool
	sequence uint16 // the next
	// timestamp is RTP's, of the sample that comes next.
	timestamp uint32

	hops     [markHistory]markedHop
	next     int // the hop of which it is to be seen next whether it was marked
	unmarked int // hops with sound before it
}

// A markedHop is 20 ms of a section's stream.
type markedHop struct {
	number    int
	at        time.Duration
	unstamped bool
	came      bool
	marked    bool
	unmarked  bool // it had sound and no mark
}

// hearMarks enters a packet of a section whose audio is marked.
func (l *Listener) hearMarks(p Packet) {
	for len(l.marked.sections) <= p.Section {
		l.marked.sections = append(l.marked.sections, &markedSection{listener: l, section: len(l.marked.sections)})
	}
	p.Payload = slices.Clone(p.Payload)
	l.marked.last = max(l.marked.last, p.At)
	l.marked.sections[p.Section].enter(p)
}

// endMarks takes what waits for packets that never came.
func (l *Listener) endMarks() {
	if l.marked == nil {
		return
	}
	for _, s := range l.marked.sections {
		s.release(0)
		s.settle(s.next + markHistory)
	}
}

// enter puts a packet in its place and takes those that are next.
func (s *markedSection) enter(p Packet) {
	if s.began && int16(p.Sequence-s.sequence) < 0 {
		return // it is a copy, or comes after it was given up
	}
	i, found := slices.BinarySearchFunc(s.waiting, p, func(a, b Packet) int { return int(int16(a.Sequence - b.Sequence)) })
	if found {
		s.listener.duplicates++
		return
	}
	s.waiting = slices.Insert(s.waiting, i, p)
	s.release(reorderedBy)
}

// release takes the packets that are next, and gives up those that are missing while more
// than so many wait.
func (s *markedSection) release(most int) {
	for len(s.waiting) > 0 && (!s.began || s.waiting[0].Sequence == s.sequence || len(s.waiting) > most) {
		p := s.waiting[0]
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		s.take(p)
	}
}

// take gives the next packet to the detector.
func (s *markedSection) take(p Packet) {
	l := s.listener
	gap := 0
	if s.began {
		gap = int(int32(p.Timestamp - s.timestamp))
	}
	if !s.began || gap < 0 || gap > endOfStream {
		if !s.begin() {
			return
		}
		gap = 0
	}
	s.detector.Codes(*l.ledger.codes.Load())
	sources := l.ledger.list() // no fewer than codes
	expected := func(code int) (place int, sends bool) {
		m, now := sources[code], timebase.BinAt(max(p.At, 0))
		last := timebase.Bin(m.last.Load())
		return (m.position(now) + 1) * mark.Hop, last >= 0 && last > now-timebase.BinAt(record.BucketLength)
	}
	if gap > 0 {
		s.detector.Missing(gap/rateRatio, expected)
	}
	from := s.detector.Received()
	// Its hops have to be known before marks are found in them.
	for h := from / mark.Hop; h <= (from+6*mark.Hop)/mark.Hop; h++ {
		s.hops[h%markHistory] = markedHop{number: h, at: p.At, unstamped: p.Unstamped, came: true}
	}
	s.sequence = p.Sequence + 1
	if err := s.detector.Packet(p.Payload, expected); err != nil {
		l.cell.Unrecognised(1)
		l.cell.Foreign(1)
		s.timestamp = p.Timestamp
		return
	}
	s.timestamp = p.Timestamp + uint32(s.detector.Received()-from)*rateRatio
	s.settle(s.detector.Received()/mark.Hop - markHistory/2)
}

// begin begins a stream anew.
func (s *markedSection) begin() bool {
	d, err := mark.NewDetector(s.found)
	if err != nil {
		return false // there is a decoder, or there were no marks
	}
	s.detector, s.began = d, true
	s.hops, s.next, s.unmarked = [markHistory]markedHop{}, 0, 0
	return true
}

// found enters a mark that was found.
func (s *markedSection) found(f mark.Finding) {
	l, sources := s.listener, s.listener.ledger.list()
	h := &s.hops[f.Hop%markHistory]
	if h.number != f.Hop || !h.came {
		return
	}
	// The frame that it is may be the one of this period or of one before.
	m, now := sources[f.Code], timebase.BinAt(max(h.at, 0))
	back := timebase.Bin((m.position(now)-f.Frame)%mark.Frames+mark.Frames) % mark.Frames
	b := now - back
	if !m.has(b) {
		return
	}
	first := !h.marked
	h.marked = true
	if l.got(f.Code, b) {
		return // two hops may hold about half of a frame each
	}
	if f.Presence == mark.Unsure {
		l.perhaps(f.Code, b)
		return
	}
	// What of the sound is not the frame's was sent as much later.
	at := h.at - time.Duration(f.Offset)*time.Second/(50*mark.Hop)
	section := &l.sections[s.section]
	if first && section.source != f.Code {
		section.source, section.paced = f.Code, false
	}
	l.credit(sources, section, place{f.Code, b}, at, h.unstamped)
}

// got reports whether a frame of a source has been heard already.
func (l *Listener) got(source int, b timebase.Bin) bool {
	return source < len(l.heard) && l.heard[source][word(b)]&(1<<uint(b%timebase.WordBins)) != 0
}

// perhaps enters that a frame may have come: it counts as lost in the worst case alone.
func (l *Listener) perhaps(source int, b timebase.Bin) {
	for len(l.marked.weak) <= source {
		l.marked.weak = append(l.marked.weak, [words]uint64{})
	}
	if int64(b/timebase.WordBins) >= l.settled {
		l.marked.weak[source][word(b)] |= 1 << uint(b%timebase.WordBins)
		l.cell.WeakMark()
	}
}

// weakOf is which frames of a word of a source may have come. The word is settled then.
func (l *Listener) weakOf(source int, w int64) (weak uint64) {
	if l.marked == nil || source >= len(l.marked.weak) {
		return 0
	}
	weak = l.marked.weak[source][w%words]
	l.marked.weak[source][w%words] = 0
	return weak
}

// settle sees which hops before one had sound and no mark: after a while it is not what
// was sent.
func (s *markedSection) settle(before int) {
	if s.detector == nil {
		return
	}
	last := s.detector.Received() / mark.Hop
	for ; s.next < min(before, last); s.next++ {
		h := s.hops[s.next%markHistory]
		n := uint64(1)
		switch {
		case h.marked:
			s.unmarked = 0
			continue
		case h.number != s.next || !h.came || !s.detector.Loud(s.next):
			continue
		}
		s.unmarked++
		s.hops[s.next%markHistory].unmarked = true
		switch {
		case s.unmarked < unmarkedFor:
			continue
		case s.unmarked == unmarkedFor:
			n = unmarkedFor
		}
		s.listener.cell.Unrecognised(n)
		if s.listener.ledger.aggregator.Doubts.Spliced(s.listener.ledger.id, h.at-doubt.Aftermath, h.at) {
			s.inDoubt(n)
		} else {
			s.listener.cell.Foreign(n)
		}
	}
}

// inDoubt enters the last so many hops that had sound and no mark: into the run, and into the
// seconds in which they came. Those that are not remembered came with the oldest that is.
func (s *markedSection) inDoubt(n uint64) {
	at := s.hops[s.next%markHistory].at
	for back := 0; n > 0 && back < markHistory && back <= s.next; back++ {
		if h := s.hops[(s.next-back)%markHistory]; h.number == s.next-back && h.unmarked {
			at = h.at
			s.listener.ledger.aggregator.Ambiguous(s.listener.cell, at)
			n--
		}
	}
	for range n {
		s.listener.ledger.aggregator.Ambiguous(s.listener.cell, at)
	}
}

// unmarkedInDoubt reports whether marks that were not found in [from, until) may be missing by
// the generator's doing: a server mixed pieces of what it sent. Where nothing came at all any more, there
// is nothing in which they could be.
func (l *Listener) unmarkedInDoubt(from, until timebase.Bin) bool {
	return l.ledger.marked && l.marked.last >= from.Start() && l.ledger.aggregator.Doubts.Spliced(l.ledger.id, from.Start()-doubt.Aftermath, until.Start())
}
