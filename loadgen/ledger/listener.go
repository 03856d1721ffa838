package ledger

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Packet is one media packet as a listener's client received and
// authenticated it. Payload is read during the call only.
type Packet struct {
	Section   int    // which audio m-line of the ear, from 0
	Sequence  uint16 // RTP sequence number
	Timestamp uint32 // RTP timestamp, 48 kHz
	Talker    uint32 // the first CSRC, or the SSRC
	Payload   []byte
	// Copies are the copies of earlier frames that came with it (RFC 2198), like Payload.
	Copies []Copy
	At     time.Duration // the kernel's receive time on the run's clock
	// Unstamped is set where the kernel's receive time was lost, and At is when the
	// packet was read.
	Unstamped bool
}

// A Copy is the copy of an earlier frame in a packet.
type Copy struct {
	Offset  uint32 // how many ticks it lies before the packet's time stamp
	Payload []byte
}

// A Listener is the account of one listener: for each frame that its room's
// sources sent, whether it came.
//
// A Listener is safe for concurrent use. Its room settles it; nothing needs to
// be closed. Its methods share one lock and lines of the cache: each file has those of
// one step, from a packet's arrival (here) to the listener's quality (quality.go).
type Listener struct {
	// The fields that a packet needs are together, in as few lines of the cache as may be:
	// thousands of listeners take turns. usual is where sections begins, and talking
	// the one of the latest packet.
	ledger   *Ledger
	cell     *record.Cell
	usual    []section
	talking  atomic.Int32
	held     *heldPackets // where the ledger awaits what others send, or nil
	heldNext atomic.Pointer[heldPacket]
	mu       sync.Mutex // guards the rest
	sections []section
	heard    [][words]uint64 // by source; bits of the ring
	joined   bool
	// recognised is set once a packet has been recognised.
	recognised bool
	copied     bool // a packet has held a copy of another's frame,
	redundant  bool // or of redundant audio
	counting   bool // what it is owed: see from
	connected  bool // its DTLS completed before its deadline
	refused    bool // the server said no
	lostJoin   bool // see countLostJoin
	own        int  // index of its own source, or -1
	settled    int64
	past       heardWords // before settled

	latest    time.Duration // arrival of the latest new packet
	quietTo   timebase.Bin  // the silence since then is counted up to this bin, if it is not 0,
	quietBins int           // and held so many bins in which nobody spoke

	// What the listener is owed: the bins in [from, until), on as many
	// sections as it has, of every source but its own.
	from, until timebase.Bin
	capacity    int // voices at once: the ear's sections

	silenced silence
	received reception

	first [1][words]uint64 // where heard begins

	// From here on it is not every packet's.
	onsets []onset // by source

	life    debt   // since counting began
	steady  debt   // within the measured window
	spoken  uint64 // bins of the measured window in which something was owed
	played  played // what the jitter buffers did until the last epoch
	excused played // of it, what was in doubt
	exposed played // of the rest, while or soon after packets were dropped
	// Where the present epoch began, which bins the last ones in doubt had, and how many frames
	// were owed in these.
	epochFrom   timebase.Bin
	inDoubt     doubtfulBins
	excusedOwed uint64
	allInDoubt  doubtfulBins  // of those, the bins of which nothing was played at another time
	calm        time.Duration // for how long frames waited on average, at best, while nothing was in doubt
	stolen      uint64        // frames that may be late for cores that a hypervisor took
	// jitterDropped is the sum of the jitter at best of the epochs in which packets of the listener
	// may have been dropped and sent again, if none was.
	jitterDropped time.Duration

	// Apart, so that listeners lie closer together.
	latencies *latencySpread
	windowed  *windowed
	trips     trips
	unchecked bool            // nobody sees its checks
	asksRED   bool            // it prefers redundant audio, and everybody sends it
	marked    *markedListener // where the audio is marked, or nil
	again     *reopening      // of the ear, or nil: it was never lost
	listening *listening      // of a probe that is scored, or nil

	// When the join was to begin, when it began, when its time was over, and when
	// the first packet came.
	intended, began, deadline, firstAt time.Duration
	triedUntil                         time.Duration // until when it tried to join, if it is counting
	heardFirst                         chan struct{}
	recognisedAt                       time.Duration // when the first packet came that was recognised
	sentLate                           time.Duration // by how much it may have come later for what the generator sent late
	steps                              *[record.JoinSteps]stepTimes
	waits                              []wait // for the generator, while it joined

	outlived doubt.Survival
	closing  bool // the account is being closed: what still comes is not waited for

	outOfOrder, duplicates uint64
}

// A debt is how many packets a listener was owed over a stretch of time, and how many
// of them came.
type debt struct {
	passes, total uint64
	excused       uint64 // of total: lost, and perhaps by the generator's doing
	apart         uint64 // of excused: at a time in which what was played is not in doubt anyway
	droppable     uint64 // of total: lost and not excused, and perhaps dropped by the generator
}

// A reception is a listener's sums over the packets received in the measured window.
type reception struct {
	packets      uint64 // different ones
	latency      time.Duration
	jitterSum    time.Duration
	jitterBest   time.Duration // the same, less what the generator sent late
	jitterNow    time.Duration // jitterBest of the present epoch, which may be in doubt
	jitters      uint64
	gap, gapBest time.Duration
	gapDropped   time.Duration // gapBest of the epochs in which packets were dropped, if none had been
	gapNow       time.Duration // gapBest of the present epoch, which may be in doubt
	// recent are the last held latencies of the present epoch, in µs: so few are close by,
	// and go to the others' cold memory together.
	recent [7]int32
	held   uint32
}

// Expect sets when the listener meant to begin its join, when it does, and when
// its time to join is over.
func (l *Listener) Expect(intended, began, deadline time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intended, l.began, l.deadline = intended, began, deadline
}

// forget moves on to word w without counting what lies before it.
func (l *Listener) forget(w int64) {
	for ; l.settled < w; l.settled++ {
		var heard doubt.Voices
		for i := range l.heard {
			if l.heard[i][l.settled%words] != 0 {
				heard |= doubt.VoiceOf(i)
			}
			l.heard[i][l.settled%words] = 0
			l.weakOf(i, l.settled)
		}
		l.past.set(l.settled, heard)
	}
}

// Left ends the counting: the scenario made the listener leave at t. Packets
// that were on their way may still come.
func (l *Listener) Left(t time.Duration) {
	if first := l.stop(t); first && l.cell.Role == record.Audience {
		l.ledger.aggregator.Departure(t)
	}
}

// stop ends the counting, and reports whether it had not ended yet.
func (l *Listener) stop(t time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.until == timebase.Never
	l.until = min(l.until, timebase.BinAt(t))
	return first
}

// Speaks records that the listener has come on stage with a source of its own,
// which it is not owed. It is called before the source sends.
func (l *Listener) Speaks(m *Source) {
	sources := l.ledger.list()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range sources {
		if sources[i] == m {
			l.own = i
		}
	}
}

// Heard is closed when the first packet has come.
func (l *Listener) Heard() <-chan struct{} { return l.heardFirst }

// FirstHeard is when the first packet came. It is called when Heard is closed.
func (l *Listener) FirstHeard() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstAt
}

// Prefetch asks for the memory that the next packet takes, if it is of the same
// section as the latest, in two steps: what step 0 asks for is where step 1 finds
// what to ask for.
func (l *Listener) Prefetch(step int) {
	if step == 0 {
		prefetch.Span(&l.ledger, &l.first)
		return
	}
	if l.held != nil {
		prefetch.Object(l.held)
		prefetch.Object(l.heldNext.Load())
		return // what it is is looked at later, many at once
	}
	if i := int(l.talking.Load()); i < len(l.usual) {
		s := &l.usual[i]
		prefetch.Span(&s.open, &s.jitterBest)
		s.buffer.Prefetch()
	}
}

// Receive enters a packet. A packet whose frame is not identified yet is kept
// until it can; one that fits nothing is counted as unrecognised.
func (l *Listener) Receive(p Packet) {
	sources := l.ledger.list()
	l.mu.Lock()
	defer l.mu.Unlock()

	if !l.joined {
		l.joined, l.firstAt = true, p.At
		close(l.heardFirst)
		l.ledger.aggregator.FirstPacket(l.cell, p.At, p.At-l.intended)
	}
	if l.held != nil {
		l.hold(p)
		l.processNew()
		return
	}
	l.enter(sources, p)
}

// enter looks at a packet when it is known what had been sent by the time that it came.
func (l *Listener) enter(sources []*Source, p Packet) {
	if p.Section >= len(l.sections) {
		l.addSections(p.Section + 1)
	}
	if now := int32(p.Section); l.talking.Load() != now { // seldom
		l.talking.Store(now)
	}
	s := &l.sections[p.Section]
	l.order(s, p)
	if l.listening != nil {
		l.listen(p)
	}
	if l.ledger.marked {
		l.hearMarks(p)
		return
	}

	if len(s.places) > 0 {
		s.follow(sources, p.Timestamp, p.Payload)
	}
	if len(s.places) == 0 {
		l.abandon(s)
		s.search(sources, p.Timestamp, p.Payload, p.At)
		l.judgeStamp(s, sources)
	}
	switch len(s.places) {
	case 0:
		l.unrecognised(sources, s, p)
	case 1:
		l.resolve(sources, s)
		l.credit(sources, s, s.places[0], p.At, p.Unstamped)
		l.creditCopies(sources, s, s.places[0], p.Copies)
	default:
		if len(s.pending) == maxPending {
			l.abandon(s)
		}
		s.pending = append(s.pending, pending{p.Timestamp, p.At, p.Unstamped})
		l.ledger.waiting.Add(1)
	}
}

// judgeStamp enters whether the section has been found again where its time stamps do not lead.
func (l *Listener) judgeStamp(s *section, sources []*Source) {
	is, perhaps := s.mistimed(sources)
	if !is {
		return
	}
	open := l.ledger.aggregator.Bucket(s.places[0].bin)
	if open == nil {
		return
	}
	open.Cell(l.cell).Mistimed(perhaps)
}

// addSections makes the listener have n sections.
func (l *Listener) addSections(n int) {
	l.sections = append(l.sections, make([]section, n-len(l.sections))...)
	for i := range l.sections {
		s := &l.sections[i]
		s.listener, s.buffer.Schedule = l, s // which may have moved
	}
}

// order keeps the section's sequence and notices a new talker, with whom the
// places begin anew: two sources may well send the same silence.
func (l *Listener) order(s *section, p Packet) {
	if !s.open {
		if l.again != nil {
			l.reopened(p.At)
		}
		s.open, s.talker, s.sequence = true, p.Talker, p.Sequence
		s.places = s.first[:0]
		return
	}
	if p.Talker != s.talker {
		s.talker, s.sequence = p.Talker, p.Sequence
		l.abandon(s)
		s.places = s.places[:0]
		s.paced, s.last.known = false, false
		return
	}
	if int16(p.Sequence-s.sequence) < 0 {
		l.outOfOrder++
		return
	}
	s.sequence = p.Sequence
}

// resolve credits the packets that waited, now that the section has one place.
func (l *Listener) resolve(sources []*Source, s *section) {
	here := s.places[0]
	for _, w := range s.pending {
		b := here.bin + timebase.Bin(int32(w.timestamp-s.timestamp)/SamplesPerBin)
		l.credit(sources, s, place{here.source, b}, w.at, w.unstamped)
	}
	if n := len(s.pending); n > 0 {
		l.ledger.waiting.Add(-int64(n))
	}
	s.pending = s.pending[:0]
}

// abandon gives up the packets that wait: they fit several frames.
func (l *Listener) abandon(s *section) {
	if n := len(s.pending); n > 0 {
		l.ledger.abandoned.Add(int64(n))
		l.ledger.waiting.Add(-int64(n))
		l.cell.Unrecognised(uint64(n))
		for _, waiting := range s.pending {
			l.ledger.aggregator.Ambiguous(l.cell, waiting.at)
		}
		s.pending = s.pending[:0]
	}
}

// unrecognised enters a packet that fits no frame of the last seconds. One whose
// payload a source has is older than that. Any other is not what was sent.
func (l *Listener) unrecognised(sources []*Source, s *section, p Packet) {
	if s.pauses(sources, p) {
		return
	}
	l.cell.Unrecognised(1)
	for _, source := range sources {
		if !source.clip.knows(p.Payload) {
			continue
		}
		if l.ledger.book.saidElsewhere(l.ledger, p) {
			l.cell.Foreign(1)
			l.cell.Elsewhere()
			return
		}
		if open := l.ledger.aggregator.Bucket(timebase.BinAt(max(p.At-record.Lateness, 0))); open != nil {
			late := time.Duration(l.ledger.aggregator.Doubts.Latest())
			if p.Unstamped {
				late = record.Lateness
			}
			open.Cell(l.cell).Heard(record.Lateness, late)
		}
		return
	}
	l.cell.Foreign(1)
}

// credit enters a packet that has been identified.
func (l *Listener) credit(sources []*Source, s *section, p place, at time.Duration, unstamped bool) {
	l.cell.Recognised(1)
	s.silent, s.replaced, s.said = 0, 0, p.source+1
	sent := sources[p.source].Intended(p.bin)
	sources[p.source].heard(p, sent, at)
	l.outlived.Note(&l.ledger.aggregator.Doubts.Stops, sent, at)
	l.silenced.pass(p, sent)
	if !l.recognised {
		l.recognised, l.recognisedAt = true, at
		l.sentLate = l.ledger.SentLate(l.began, at)
	}
	for len(l.heard) <= p.source {
		l.heard = append(l.heard, [words]uint64{})
		l.onsets = append(l.onsets, onset{})
	}
	w, bit := word(p.bin), uint64(1)<<uint(p.bin%timebase.WordBins)
	now := int64(p.bin / timebase.WordBins)
	if !l.counting {
		// Its connection may be reported a little later than its first packets.
		l.forget(now - (words - 2))
	}
	if now >= l.settled+words { // which was so long ago that nobody knows any more what was sent then
		l.forget(now - (words - 1))
	}
	if now < l.settled {
		return // it counts as lost already
	}
	if l.heard[p.source][w]&bit != 0 {
		if !l.heardBefore(sent) {
			l.duplicates++
		}
		return
	}
	l.heard[p.source][w] |= bit

	steady := l.ledger.inSteady(p.bin)
	latency, late := at-sent, sources[p.source].late(p.bin)
	if l.cell.Probe && l.cell.Alike() && steady && !unstamped && late < latestKnown {
		sources[p.source].cross(latency, late)
	}
	if l.ledger.marked {
		late = max(late, sources[p.source].buffered())
	}
	if apart := sources[p.source].clockBound(); apart > 0 && late < latestKnown {
		latency, late = latency+apart, late+2*apart // the clocks may be so far apart
	}
	if unstamped || late == latestKnown {
		late = latency // it may have come at any time since it was sent, or gone out at any time
	}
	if open := l.ledger.aggregator.Bucket(p.bin); open != nil {
		open.Cell(l.cell).Heard(latency, late)
	}
	l.pace(s, latency, late, steady)
	l.play(sources, s, p, at-sources[p.source].offset)
	if steady {
		l.received.packets++
		l.received.latency += latency
		l.enterLatency(latency, late)
	}
	l.silence(at, late)
}

// pace advances the interarrival jitter of RFC 3550, section 6.4.1. The difference of
// two packets' transit times is that of their latencies, since a source's RTP
// timestamps and its intended send times advance together.
// Of the transit so much may be the generator's doing.
func (l *Listener) pace(s *section, transit, late time.Duration, steady bool) {
	actual := transit - late
	if s.paced {
		s.jitter += ((transit - s.transit).Abs().Seconds() - s.jitter) / 16
		s.jitterBest += ((actual - s.actual).Abs().Seconds() - s.jitterBest) / 16
		if steady {
			l.received.jitterSum += inNanoseconds(s.jitter)
			l.received.jitterNow += inNanoseconds(min(s.jitter, s.jitterBest))
			l.received.jitters++
		}
	}
	s.transit, s.actual, s.paced = transit, actual, true
}

// inNanoseconds are so many seconds. Sums of them do not depend on their order.
func inNanoseconds(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

// play gives a frame to the section's jitter buffer. All sources share one grid of
// bins, so that a bin is the frame's media time, whoever talks.
func (l *Listener) play(sources []*Source, s *section, p place, at time.Duration) {
	if s.moved || s.source != p.source || !s.plays { // rare
		l.move(s, p.source, at)
	}
	s.buffer.Arrive(int64(p.bin), at)
	if c := sources[p.source].clip; c.fec && sources[p.source].Frame(p.bin).FEC {
		l.copied = true
		s.buffer.ArriveCopy(int64(p.bin)-1, false)
	}
}

// move has a section play a source from now on. A server may have moved it from another, which waits for
// it in vain and misses nothing.
func (l *Listener) move(s *section, source int, at time.Duration) {
	for i := range l.sections {
		if o := &l.sections[i]; o != s && o.plays && o.source == source {
			o.buffer.Advance(at)
			o.moved = true
		}
	}
	s.buffer.Advance(at) // what it had to play until now was another's, or moved
	s.source, s.plays, s.moved = source, true, false
}

// Due reports whether the listener is owed the frame of the section's present source,
// in the measured window.
func (s *section) Due(frame int64) bool {
	return !s.moved && s.listener.due(s.source, timebase.Bin(frame))
}

// due reports whether the listener is owed a source's frame, in the measured
// window.
func (l *Listener) due(source int, b timebase.Bin) bool {
	return l.counting && b >= l.from && b < l.until && l.ledger.inSteady(b) && l.ledger.list()[source].owes(b)
}

// silence measures the stretch without a new packet that at ends, less the
// time in which nobody spoke. The packet may be late by the generator's doing.
func (l *Listener) silence(at, late time.Duration) {
	from, until := l.ledger.aggregator.MeasuredWindow()
	a, b := max(l.latest, from.Start()), min(at, until.Start())
	// What a person on stage hears besides themselves is not separated here.
	if l.counting && l.own < 0 && b > a {
		gap := b - a
		// Speech is known by the bin, so only a longer gap can hold silence.
		if gap > 2*timebase.BinLength {
			// Whole bins only: the two at the ends are partly in the gap.
			quiet := l.quietBins + l.ledger.quiet(max(timebase.BinAt(a)+1, l.quietTo), timebase.BinAt(b))
			gap -= time.Duration(quiet) * timebase.BinLength
		}
		l.received.gap = max(l.received.gap, gap)
		l.received.gapNow = max(l.received.gapNow, gap-late)
	}
	if at > l.latest {
		l.latest, l.quietTo, l.quietBins = at, 0, 0
	}
}

// remember counts the bins before b of the present silence in which nobody
// spoke: the sources' ledgers forget them.
func (l *Listener) remember(b timebase.Bin) {
	from, until := l.ledger.aggregator.MeasuredWindow()
	b = min(b, until)
	first := max(timebase.BinAt(max(l.latest, from.Start()))+1, l.quietTo)
	if l.own >= 0 || b <= first {
		return
	}
	l.quietBins += l.ledger.quiet(first, b)
	l.quietTo = b
}

// giveUp counts the packets that still wait as unrecognised.
func (l *Listener) giveUp(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	l.processHeld()
	l.dropHeld()
	l.endMarks()
	for i := range l.sections {
		l.abandon(&l.sections[i])
		l.sections[i].buffer.Advance(now + playedBy) // what came in time is played, though the run is over
	}
}

// finish closes the account at the end of the run.
func (l *Listener) finish(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silence(min(now, l.until.Start()), 0)
	for i := range l.sections {
		l.sections[i].buffer.Advance(now)
		l.sections[i].buffer.End()
	}
	l.countLostJoin(now)
	doubts, in := &l.ledger.aggregator.Doubts, !l.keptOut(now)
	from := l.ledger.settled - doubt.Aftermath
	doubtful, dropped := doubts.Within(l.ledger.id, from, now)
	inDoubt := l.hears(doubtful, from, now) || l.playedInDoubt(l.epochFrom.Start()-doubt.Aftermath, now)
	l.epoch(timebase.BinAt(now), l.lostJoin || inDoubt && in, dropped && in)
	if l.cell.Role == record.Audience {
		l.closeJoin(doubts, now)
	}
	l.ledger.aggregator.CloseAccount(l.cell, l.account())
}
