package ledger

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// lifted is a cutoff that nothing comes after.
const lifted = time.Duration(math.MaxInt64)

// A silence counts what passes though it should not: the packets whose intended
// send time is after a cutoff, each once, however many hear it. It is safe for
// concurrent use, and costs the packets before the cutoff one read.
type silence struct {
	cutoff atomic.Int64 // 0: none
	mu     sync.Mutex
	passed map[place]time.Duration // when it was to be sent
}

// from begins the silence at a moment on the run's clock.
func (s *silence) from(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = map[place]time.Duration{}
	s.cutoff.Store(int64(at))
}

func (s *silence) pass(p place, sent time.Duration) {
	cutoff := s.cutoff.Load()
	if cutoff == 0 || int64(sent) <= cutoff {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed[p] = sent
}

// since is when the silence began; 0 if it has not.
func (s *silence) since() time.Duration { return time.Duration(s.cutoff.Load()) }

// enter enters what of a source passed elsewhere since the silence began at a moment, if it is
// still that one.
func (s *silence) enter(m *Source, since time.Duration, bins []timebase.Bin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since() != since {
		return
	}
	for _, b := range bins {
		s.passed[place{m.index, b}] = m.Intended(b)
	}
}

// count counts what passed of it, and was to be sent after a moment.
func (s *silence) count(after time.Duration) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sent := range s.passed {
		if sent > after {
			n++
		}
	}
	return n
}

// ExpectSilence begins to count the frames that anybody hears though they were to be
// sent after a moment: the source was muted then, or its talker put out.
func (m *Source) ExpectSilence(at time.Duration) { m.silence.from(at) }

// EndSilence ends that: the source may be heard again.
func (m *Source) EndSilence() { m.silence.from(lifted) }

// HeardInSilence is how many frames were heard since that were to be sent after a moment.
func (m *Source) HeardInSilence(after time.Duration) int { return m.silence.count(after) }

// SendIgnored enters the frame of bin b, as Sending does, of a source that sends though it
// is not to be heard: it can be identified, and nobody is owed it.
func (m *Source) SendIgnored(b timebase.Bin, late time.Duration) {
	m.Sending(b, late)
	m.owed.clear(b)
}

// Reached is closed when the first of the source's frames has been heard by anybody,
// and FirstHeard is when that was.
func (m *Source) Reached() <-chan struct{} { return m.reached }

// FirstHeard is when the first of the source's frames reached anybody; it is for
// after Reached.
func (m *Source) FirstHeard() time.Duration { return time.Duration(m.firstHeard.Load()) }

// heard notes that a frame reached somebody.
func (m *Source) heard(p place, sent, at time.Duration) {
	if m.firstHeard.Load() == 0 && m.firstHeard.CompareAndSwap(0, int64(max(at, 1))) {
		close(m.reached)
	}
	m.outlived.Note(&m.aggregator.Doubts.Stops, sent, at)
	m.silence.pass(p, sent)
}

// ExpectSilence begins to count the frames that the listener hears though they were to
// be sent after a moment: they had been put out then.
func (l *Listener) ExpectSilence(at time.Duration) { l.silenced.from(at) }

// HeardInSilence is how many frames the listener heard since that were to be sent after a
// moment.
func (l *Listener) HeardInSilence(after time.Duration) int { return l.silenced.count(after) }
