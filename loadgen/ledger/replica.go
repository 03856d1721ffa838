package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A room's sources may be spread over processes. Each process has all of them in its
// ledger: those that it sends, and replicas of the others, which are told what was sent. A
// packet of a listener waits until all have told what they sent before it came. So it is
// tied to its frame as in one process, wherever that was sent.

// A Told is what a source sent, as it goes to the other processes: of each word of bins
// that has changed what it holds.
type Told struct {
	Last  timebase.Bin `json:"last"` // the latest bin that was sent in
	Words []ToldWord   `json:"words,omitempty"`
	Late  []ToldFrame  `json:"late,omitempty"`
	// Silent is since when the source is not to be heard; 0 is not so.
	Silent time.Duration `json:"silent,omitempty"`
}

// A ToldWord is a word of bins, a bit each.
type ToldWord struct {
	Word  int64  `json:"w"`
	Sent  uint64 `json:"s"`
	Owed  uint64 `json:"o"`
	Onset uint64 `json:"n"`
}

// A ToldFrame is how late a frame went out at most, and how much less that may have been.
type ToldFrame struct {
	Bin    timebase.Bin `json:"b"`
	Late   int32        `json:"us"`
	Within int32        `json:"within,omitempty"`
}

const (
	// tellWords is how many words back what a source sent may still change.
	tellWords = 8
	// undecided is how many bins before the present one are not told yet: a mute takes
	// back the last frames.
	undecided = 10
)

// toldWords are those of the ring that have been told.
type toldWords struct {
	words  [words]ToldWord
	late   [ringBins]int32
	silent time.Duration
}

// Await has the ledger's listeners wait for what other processes send. It is called before
// there are any.
func (r *Ledger) Await() { r.awaits = true }

// Confirm enters that all processes have told what they sent before a bin.
func (r *Ledger) Confirm(horizon timebase.Bin) {
	r.horizon.Store(max(r.horizon.Load(), int64(horizon)))
}

// Horizon is the bin before which all is known that was sent.
func (r *Ledger) Horizon() timebase.Bin { return timebase.Bin(r.horizon.Load()) }

// Processed is the time before which whatever came has been looked at.
func (r *Ledger) Processed() time.Duration {
	return timebase.Bin(r.processed.Load()).Start()
}

// AddReplica adds a source that another process sends.
func (r *Ledger) AddReplica(c *speech.Clip, code *mark.Code, first int, offset time.Duration) (*Source, error) {
	if !r.awaits {
		return nil, errors.New("the ledger does not await other processes")
	}
	m, err := r.addSource(c, code, first, offset)
	if err == nil {
		m.replica = true
	}
	return m, err
}

// Decided enters that the source sends nothing more before bin next. Whoever sends calls
// it, with rising bins, and with [timebase.Never] at the end.
func (m *Source) Decided(next timebase.Bin) { m.next.Store(int64(next)) }

// Horizon is the bin before which it is decided, at a time, what the sources of this
// process send: those that begin to send later do so with later bins.
func Horizon(sources []*Source, now time.Duration) timebase.Bin {
	horizon := timebase.BinAt(max(now, 0))
	for _, m := range sources {
		horizon = min(horizon, timebase.Bin(m.next.Load()))
	}
	return max(horizon-undecided, 0)
}

// Tell returns what the source has sent, and has not been told yet; false if there is
// nothing. It is called by one goroutine at a time.
func (m *Source) Tell() (t Told, news bool) {
	t.Last = timebase.Bin(m.last.Load())
	t.Silent = m.silence.since()
	if t.Silent != m.told.silent {
		m.told.silent, news = t.Silent, true
	}
	if t.Last < 0 {
		return t, news
	}
	last := int64(t.Last / timebase.WordBins)
	for w := max(last-tellWords+1, 0); w <= last; w++ {
		i := int(w % words)
		now := ToldWord{w, m.sent[i].Load(), m.owed[i].Load(), m.onset[i].Load()}
		if m.told.words[i] != now {
			m.told.words[i] = now
			t.Words = append(t.Words, now)
		}
	}
	for b := max(t.Last-2*timebase.WordBins, 0); b <= t.Last; b++ {
		late := m.lateness[b%ringBins].Load()
		if known := &m.told.late[b%ringBins]; *known != late && late != inTheAir {
			*known = late
			t.Late = append(t.Late, ToldFrame{b, late, late - m.began[b%ringBins].Load()})
		}
	}
	return t, news || len(t.Words)+len(t.Late) > 0
}

// Hear enters what another process tells of a replica, whose clock may be wrong by so
// much. One goroutine at a time calls it.
func (m *Source) Hear(t Told, apart time.Duration) error {
	last := timebase.Bin(m.last.Load())
	if t.Last < last || t.Last >= timebase.Never {
		return fmt.Errorf("what a source sent goes back from bin %d to %d", last, t.Last)
	}
	m.apart.Store(int64(apart))
	if apart > 0 {
		m.ledger.book.apart.Store(true)
	}
	newest := t.Last / timebase.WordBins
	for w := max(last/timebase.WordBins+1, newest-words+1); w <= newest; w++ {
		i := int(w % words)
		m.sent[i].Store(0)
		m.owed[i].Store(0)
		m.onset[i].Store(0)
	}
	for b := max(last+1, t.Last-ringBins+1); b <= t.Last; b++ {
		m.lateness[b%ringBins].Store(0)
		m.began[b%ringBins].Store(0)
	}
	for _, w := range t.Words {
		if w.Word < 0 || w.Word > int64(t.Last/timebase.WordBins) || w.Word <= int64(t.Last/timebase.WordBins)-words {
			return fmt.Errorf("what a source sent is of word %d, and its last bin is %d", w.Word, t.Last)
		}
		i := int(w.Word % words)
		m.sent[i].Store(w.Sent)
		m.owed[i].Store(w.Owed)
		m.onset[i].Store(w.Onset)
	}
	for _, f := range t.Late {
		if f.Bin < 0 || f.Bin > t.Last || f.Bin <= t.Last-ringBins {
			return fmt.Errorf("what a source sent has bin %d, and its last is %d", f.Bin, t.Last)
		}
		if f.Late < 0 || f.Within < 0 || f.Within > f.Late {
			return fmt.Errorf("what a source sent went out %d µs late, or %d µs sooner", f.Late, f.Within)
		}
		late := time.Duration(f.Late) * time.Microsecond
		if f.Late > 0 {
			m.aggregator.Doubts.LateBy(m.ledger.id, m.voice(), m.Intended(f.Bin), late)
		}
		m.began[f.Bin%ringBins].Store(f.Late - f.Within)
		m.setLate(f.Bin, f.Late)
	}
	m.last.Store(int64(t.Last))
	if t.Silent != m.silence.since() {
		m.silence.from(t.Silent)
	}
	return nil
}

// HeardAt enters that a frame of the source reached somebody in another process.
func (m *Source) HeardAt(at time.Duration) {
	for {
		now := m.firstHeard.Load()
		if now != 0 && now <= int64(at) {
			return
		}
		if m.firstHeard.CompareAndSwap(now, int64(max(at, 1))) {
			if now == 0 {
				close(m.reached)
			}
			return
		}
	}
}

// Silenced is since when the source is not to be heard, and the bins of its frames that
// somebody of this process heard all the same.
func (m *Source) Silenced() (since time.Duration, bins []timebase.Bin) { return m.silence.bins() }

// HeardSilenced enters those that another process heard since the source was to be silent.
func (m *Source) HeardSilenced(since time.Duration, bins []timebase.Bin) {
	m.silence.enter(m, since, bins)
}

// clockBound is by how much the latency of a frame of the source may be wrong, since
// sender and listener do not have the same clock.
func (m *Source) clockBound() time.Duration {
	if !m.replica {
		return 0
	}
	return time.Duration(m.apart.Load() + m.ledger.book.clockBound.Load())
}

// bins are those in which something passed, in order, and since when nothing should.
func (s *silence) bins() (since time.Duration, bins []timebase.Bin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.passed {
		bins = append(bins, p.bin)
	}
	slices.Sort(bins)
	return s.since(), bins
}

// crossed is the latency of a source's frames to this process's probes in the measured window,
// as the two processes' clocks have it. It is safe for concurrent use.
type crossed struct {
	process int

	mu      sync.Mutex
	latency metric.Trend // in ms
}

// From enters which process of the run sends the source, on a way that is like that of others. It is
// called before the source sends.
func (m *Source) From(process int) { m.crossed.Store(&crossed{process: process}) }

// cross enters the latency of a frame to a probe, of which so much may be the sender's lateness.
func (m *Source) cross(latency, late time.Duration) {
	if c := m.crossed.Load(); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.latency.Record(metric.InMilliseconds(latency - late))
	}
}

// Crossed adds the latencies of what this process's probes heard, by the process that sent it.
func (r *Ledger) Crossed(by map[int]*metric.Trend) {
	for _, m := range r.list() {
		c := m.crossed.Load()
		if c == nil {
			continue
		}
		c.mu.Lock()
		if by[c.process] == nil {
			by[c.process] = &metric.Trend{}
		}
		by[c.process].Merge(&c.latency)
		c.mu.Unlock()
	}
}
