package ledger

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// The ledger of a source and the account of a listener remember this many bins.
const (
	ringBins = 1024 // 20.5 s
	words    = ringBins / timebase.WordBins
)

// waitingWords is for how many words of bins accounts are held back at most while packets wait for their places. What
// is left of the ring is the time that may pass until the next settling, of a generator that has hardly any CPU.
const waitingWords = 10

// Remembered is for how long what came can be told from what was sent, if it is known no sooner what others
// sent: without a word at each end.
const Remembered = (words - 2) * timebase.WordBins * timebase.BinLength

// onsetBins is how much of a turn's start counts in onset_clip and not in
// delivered: 100 ms.
const onsetBins = 5

// bitRing is a bit for each of the last ringBins bins. One goroutine sets,
// any may read.
type bitRing [words]atomic.Uint64

func (r *bitRing) get(b timebase.Bin) bool {
	return r[word(b)].Load()&(1<<uint(b%timebase.WordBins)) != 0
}

func (r *bitRing) set(b timebase.Bin)   { r[word(b)].Or(1 << uint(b%timebase.WordBins)) }
func (r *bitRing) clear(b timebase.Bin) { r[word(b)].And(^(uint64(1) << uint(b%timebase.WordBins))) }

func word(b timebase.Bin) int { return int(b/timebase.WordBins) % words }

// A Source keeps what one publisher sent: which frame of its clip in which
// bin. The frame of bin b is number (first + b) mod length, whether or not the
// source spoke in the bins before, so the ledger is a bit a bin.
//
// One goroutine, the one that sends, calls Sending and Withdraw; the rest is
// safe for concurrent use. Its methods are the sender's (this file), the moderators'
// (silence.go), and for other processes (replica.go).
type Source struct {
	clip   *clip
	first  int
	offset time.Duration

	last  atomic.Int64 // the latest bin that was sent in, or -1
	sent  bitRing      // went out: can be identified
	owed  bitRing      // every listener with a free section is owed it
	onset bitRing      // is in the first 100 ms of a turn

	// lateness is how late the frames of the ring went out at most, in µs, or inTheAir, and
	// began how late the sender began to send them.
	lateness, began [ringBins]atomic.Int32

	// latest is how late a frame went out at most so far, in ns.
	latest atomic.Int64

	// The bin in which the present turn began. Used by the sender alone.
	turn timebase.Bin
	// next is the first bin of which it is not decided whether the source sends in it; never
	// while it does not send.
	next atomic.Int64
	// told is what has been told of the ring, by whoever tells.
	told toldWords
	// apart is by how much the clock of the process that sends may be wrong, in ns; only of
	// a source that another process sends.
	apart   atomic.Int64
	replica bool
	crossed atomic.Pointer[crossed] // nil where one process plays the run
	index   int                     // among the ledger's sources

	ledger     *Ledger
	aggregator *record.Aggregator
	code       *mark.Code // that its clip is marked with, or nil

	silence    silence
	outlived   doubt.Survival
	firstHeard atomic.Int64  // 0: by nobody yet
	reached    chan struct{} // closed then
}

// Frame is the frame that the source's clip has for bin b.
func (m *Source) Frame(b timebase.Bin) *speech.Frame {
	return &m.clip.frames[m.position(b)]
}

func (m *Source) position(b timebase.Bin) int {
	return int((int64(m.first) + int64(b)) % int64(len(m.clip.frames)))
}

// Intended is when the source means to send the frame of bin b.
func (m *Source) Intended(b timebase.Bin) time.Duration { return b.Start() + m.offset }

// Sending enters the frame of bin b, and how late it is; it is called before the packet
// goes out, with rising bins, and Sent after that. A bin after one that was left out begins a turn.
func (m *Source) Sending(b timebase.Bin, late time.Duration) {
	m.aggregator.Sent(m.ledger.id, m.voice(), m.Intended(b), late)
	last := timebase.Bin(m.last.Load())
	// The ring's words between the last bin and this one are from one round
	// ago.
	for w := last/timebase.WordBins + 1; w <= b/timebase.WordBins; w++ {
		i := int(w % words)
		m.sent[i].Store(0)
		m.owed[i].Store(0)
		m.onset[i].Store(0)
	}
	m.lateness[b%ringBins].Store(inTheAir)
	m.began[b%ringBins].Store(doubtfulMicroseconds(late))
	if last < 0 || b != last+1 {
		m.turn = b
	}
	if b < m.turn+onsetBins {
		m.onset.set(b)
	}
	m.owed.set(b)
	m.sent.set(b)
	m.last.Store(int64(b))
}

// Sent enters that the frame of bin b has gone out, and how late it had by then. What is heard of
// it before may have gone out at any time.
func (m *Source) Sent(b timebase.Bin, late time.Duration) {
	known := m.began[b%ringBins].Load()
	if began := time.Duration(known) * time.Microsecond; late-began > sendTime { // the process was stopped in between
		m.aggregator.Delayed(m.ledger.id, m.voice(), m.Intended(b), began, late)
		known = doubtfulMicroseconds(late)
	}
	m.setLate(b, known)
}

func (m *Source) setLate(b timebase.Bin, microseconds int32) {
	late := int64(time.Duration(microseconds) * time.Microsecond)
	m.latest.Store(max(m.latest.Load(), late)) // one goroutine stores
	m.lateness[b%ringBins].Store(microseconds)
}

// buffered is for how much longer than at best a server that mixes may keep what the source sends: frames
// that come late, and then at once, wait in its buffer, and nobody says when it has become shorter again.
func (m *Source) buffered() time.Duration {
	if latest := time.Duration(m.latest.Load()); latest > doubt.PlayDoubt {
		return latest
	}
	return 0
}

const (
	// inTheAir is the lateness of a frame of which it is not known yet.
	inTheAir = -1
	// sendTime is for how long a frame is sent before it counts as late by that.
	sendTime = timebase.BinLength / 20
	// latestKnown is how late a frame is known to be: 35 minutes.
	latestKnown = math.MaxInt32 * time.Microsecond
)

// doubtfulMicroseconds are those of a lateness, as far as it puts a latency in doubt.
func doubtfulMicroseconds(late time.Duration) int32 {
	if late <= doubt.LateDoubt {
		return 0
	}
	return int32(min(late, latestKnown) / time.Microsecond)
}

// late is how late the frame of bin b went out at most, as far as that puts its latency in
// doubt. It is latestKnown where that is not known yet, or not any more.
func (m *Source) late(b timebase.Bin) time.Duration {
	late := m.lateness[b%ringBins].Load()
	if late == inTheAir || timebase.Bin(m.last.Load()) >= b+ringBins {
		return latestKnown
	}
	return time.Duration(late) * time.Microsecond
}

// SentLate is by how much the frames that were due in [from, until) had gone out late by then, at most, as far as
// the source remembers: so much later may have been heard for the first time.
func (m *Source) SentLate(from, until time.Duration) (most time.Duration) {
	if last := timebase.Bin(m.last.Load()); last >= 0 {
		for b := max(timebase.BinAt(max(0, from)), last-ringBins+1, 0); b <= min(timebase.BinAt(max(0, until)), last); b++ {
			most = max(most, min(m.late(b), until-m.Intended(b)))
		}
	}
	return most
}

// SentLate is that of the room's sources, if it is more than a sound generator has now and then.
func (r *Ledger) SentLate(from, until time.Duration) (most time.Duration) {
	for _, m := range r.list() {
		most = max(most, m.SentLate(from, until))
	}
	if most <= doubt.PlayDoubt {
		return 0
	}
	return most
}

// sentBy reports whether the frame of bin b, which the source has, may have gone out by a time
// at which a packet was stamped.
func (m *Source) sentBy(b timebase.Bin, at time.Duration) bool {
	began := time.Duration(m.began[b%ringBins].Load()) * time.Microsecond
	return m.Intended(b) <= at && (began == 0 || m.Intended(b)+began <= at+timebase.StepSlack)
}

// Withdraw takes back what listeners are owed of the last n frames sent: the
// ones that a mute or a leave, which travel apart from the media, may overtake.
func (m *Source) Withdraw(n int) {
	last := timebase.Bin(m.last.Load())
	for b := last; b >= 0 && b > last-timebase.Bin(n); b-- {
		m.owed.clear(b)
	}
}

// has reports whether the source sent in bin b, as far as the ledger remembers.
func (m *Source) has(b timebase.Bin) bool {
	last := timebase.Bin(m.last.Load())
	return b >= 0 && b <= last && b > last-(ringBins-timebase.WordBins) && m.sent.get(b)
}

// owes reports whether listeners are owed the frame of bin b, as far as the ledger
// remembers. The first 100 ms of a turn are not owed.
func (m *Source) owes(b timebase.Bin) bool {
	last := timebase.Bin(m.last.Load())
	return b >= 0 && b <= last && b > last-(ringBins-timebase.WordBins) && m.owed.get(b) && !m.onset.get(b)
}

// spoke is the words of what was owed and which of it was an onset, for the 64
// bins of word w, as far as the ledger remembers.
func (m *Source) spoke(w int64) (owed, onset uint64) {
	if last := m.last.Load(); last < 0 || w > last/timebase.WordBins || w <= last/timebase.WordBins-words {
		return 0, 0
	}
	i := int(w % words)
	return m.owed[i].Load(), m.onset[i].Load()
}

// A clip is a speech file with the index that finds a payload's positions.
type clip struct {
	frames  []speech.Frame
	factors emodel.Factors
	fec     bool // some frames carry a copy of the one before
	at      map[string][]int
}

// knows reports whether a payload is one of the clip's.
func (c *clip) knows(payload []byte) bool {
	_, ok := c.at[string(payload)]
	return ok
}

func newClip(c *speech.Clip) *clip {
	n := &clip{frames: c.Frames, factors: emodel.Of(c), at: make(map[string][]int, len(c.Frames))}
	for i, f := range c.Frames {
		n.fec = n.fec || f.FEC
		n.at[string(f.Payload)] = append(n.at[string(f.Payload)], i)
	}
	return n
}
