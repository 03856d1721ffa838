package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A cause delays packets of a second: books enters it with its amount; late means that frames
// go out late for it.
type cause struct {
	sentence string
	books    func(s *scene, second, most time.Duration)
	late     bool
}

func causes() []cause {
	return []cause{
		{"a hypervisor took the cores", func(s *scene, second, most time.Duration) {
			s.aggregator.Steal(second, second+time.Second, most, 0.5)
		}, false},
		{"the server waited for cores that others had", func(s *scene, second, most time.Duration) {
			s.aggregator.Doubts.Contend(second, second+time.Second, time.Second)
			s.aggregator.Deprive(second, second+time.Second, most)
		}, false},
		{"the server was behind", func(s *scene, second, most time.Duration) {
			s.aggregator.Compete(second, second+time.Second, most, most, true)
		}, false},
		{"frames went out late", nil, true},
		{"the process stopped", func(s *scene, second, most time.Duration) {
			s.aggregator.Doubt(doubt.Stalled, second+500*time.Millisecond, second+500*time.Millisecond+most)
		}, true},
	}
}

// A disturbance is what happens to a scored scene: its cause stops everything for so long in the middle of each second, and
// comes says what the server does with a packet.
type disturbance struct {
	cause
	most  func(second int) time.Duration
	comes func(b timebase.Bin, p *Packet) bool
	begin time.Duration // of what is scored
}

// disturb plays it from a source to a listener.
func (s *scene) disturb(m *Source, l *Listener, d disturbance) *scene {
	s.t.Helper()
	l.Connected(0)
	for b := range timebase.BinAt(d.begin + scoredFor) {
		second := int(b.Start() / time.Second)
		stopped := time.Duration(second)*time.Second + 500*time.Millisecond
		at, late := m.Intended(b), time.Duration(0)
		if end := stopped + d.most(second); at >= stopped && at < end {
			late = end - at
		}
		p, sent := s.packet(m, b), time.Duration(0)
		if d.late {
			sent = late
		}
		m.Sending(b, sent)
		m.Sent(b, sent)
		s.end = b + 1
		p.At += late
		if d.comes(b, &p) {
			l.Receive(p)
		}
		if from := time.Duration(second) * time.Second; (b+1)%50 == 0 {
			if d.books != nil && d.most(second) > 0 {
				d.books(s, from, d.most(second))
			}
			s.settle((b + 1).Start())
		}
		if b == timebase.BinAt(d.begin) {
			s.steady(d.begin)
			s.book.Excerpts(d.begin, d.begin+scoredFor)
		}
	}
	return s
}

// disturbed is how a scene scores, as it was and at best.
func disturbed(t *testing.T, d disturbance) (worst, atBest float64) {
	t.Helper()
	s, m, l := scoredScene(t)
	totals := scoredTotals(s.disturb(m, l, d))
	t.Log(trend(t, totals, "audio_score").Avg, best(t, totals).Avg)
	return trend(t, totals, "audio_score").Avg, best(t, totals).Avg
}

func forward(timebase.Bin, *Packet) bool { return true }

// seldom is a stop that is heard, while a jitter buffer expects none.
func seldom(second int) time.Duration {
	if second%4 == 2 {
		return 90 * time.Millisecond
	}
	return 0
}

// A server that forwards what it is given has at best what it has where nothing is delayed.
func TestAudioScoreForgivesASoundServerWhatDelayedItsPackets(t *testing.T) {
	t.Parallel()
	_, sound := disturbed(t, disturbance{most: func(int) time.Duration { return 0 }, comes: forward})
	for _, c := range causes() {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			worst, atBest := disturbed(t, disturbance{cause: c, most: seldom, comes: forward})
			assert.Less(t, worst, sound-0.01, "it is heard")
			assert.GreaterOrEqual(t, atBest, sound)
			assert.Less(t, atBest, 5.0, "and it is not as if all was as it was said")
		})
	}
}

// A jitter buffer learns from what came before what is scored, too.
func TestAudioScoreForgivesWhatWasDelayedBefore(t *testing.T) {
	t.Parallel()
	before := func(second int) time.Duration {
		if second >= 1 && second < 9 {
			return 90 * time.Millisecond
		}
		return 0
	}
	nothing := func(int) time.Duration { return 0 }
	_, sound := disturbed(t, disturbance{most: nothing, comes: forward, begin: 9 * time.Second})
	s, m, l := scoredScene(t)
	s.disturb(m, l, disturbance{cause: causes()[0], most: before, comes: forward, begin: 9 * time.Second})
	totals := scoredTotals(s)
	assert.GreaterOrEqual(t, s.ledger.delay(1500*time.Millisecond), 90*time.Millisecond, "which was settled before it was known what is scored")
	assert.Greater(t, best(t, totals).Avg, trend(t, totals, "audio_score").Avg)
	assert.GreaterOrEqual(t, best(t, totals).Avg, sound)
}

// What a server loses, or plays in the place of what was said, no delay explains.
func TestAudioScoreForgivesNoServerWhatItDidItself(t *testing.T) {
	t.Parallel()
	other := testaudio.Clip(t, "guest.ogg")
	half := func(b timebase.Bin, _ *Packet) bool { return b%2 == 0 }
	all := causes()
	for _, c := range []struct {
		sentence string
		comes    func(b timebase.Bin, p *Packet) bool
		causes   []cause
		most     float64
	}{
		{"half of the packets", half, all, 3.5},
		{"all but a fifth", func(b timebase.Bin, _ *Packet) bool { return b%5 != 4 }, all[:1], 4.1},
		{"nothing", func(timebase.Bin, *Packet) bool { return false }, all[:1], 1},
		{"another room's audio", func(b timebase.Bin, p *Packet) bool {
			p.Payload = other.Frames[int(b)%len(other.Frames)].Payload
			return true
		}, all[3:4], 2},
	} {
		for _, by := range c.causes {
			t.Run(c.sentence+", and "+by.sentence, func(t *testing.T) {
				t.Parallel()
				_, atBest := disturbed(t, disturbance{cause: by, most: func(second int) time.Duration { return time.Duration(second%3) * 15 * time.Millisecond }, comes: c.comes})
				assert.LessOrEqual(t, atBest, c.most)
			})
		}
	}
}

// What may have cost packets, or is not known, may have cost all of them, and so may a delay where it is not undone by
// what comes sooner.
func TestAudioScoreIsOfNoUseAfterMoreThanADelay(t *testing.T) {
	t.Parallel()
	nothing := func(timebase.Bin, *Packet) bool { return false }
	restamps := func(_ timebase.Bin, p *Packet) bool {
		p.Timestamp = uint32(p.At * 48 / time.Millisecond)
		return true
	}
	always := func(by time.Duration) func(int) time.Duration { return func(int) time.Duration { return by } }
	all := causes()
	for _, c := range []struct {
		sentence string
		disturbance
		marked bool
	}{
		{"a hypervisor took the cores for long", disturbance{cause: all[0], most: always(100 * time.Millisecond), comes: nothing}, false},
		{"the server waited for long", disturbance{cause: all[1], most: always(100 * time.Millisecond), comes: nothing}, false},
		{"it was far behind", disturbance{cause: all[2], most: always(100 * time.Millisecond), comes: nothing}, false},
		{"frames went out very late", disturbance{cause: all[3], most: always(130 * time.Millisecond), comes: nothing}, false},
		{"the process stopped for long", disturbance{cause: all[4], most: always(100 * time.Millisecond), comes: nothing}, false},
		{"it is not known how long the server waited", disturbance{cause: cause{books: func(s *scene, second, _ time.Duration) {
			s.aggregator.Doubts.Contend(second, second+time.Second, time.Second)
		}}, most: always(time.Millisecond), comes: nothing}, false},
		{"the generator dropped packets", disturbance{cause: cause{books: func(s *scene, second, _ time.Duration) {
			s.aggregator.Drop(1, second, second+time.Second)
		}}, most: always(time.Millisecond), comes: nothing}, false},
		{"the wall clock was stepped", disturbance{cause: cause{books: func(s *scene, second, _ time.Duration) {
			s.aggregator.Doubt(doubt.Stepped, second, second+time.Second)
		}}, most: always(time.Millisecond), comes: nothing}, false},
		{"the process had stopped for so long that sessions may have ended", disturbance{cause: cause{books: func(s *scene, second, _ time.Duration) {
			if second == 5*time.Second {
				s.aggregator.Doubt(doubt.Stalled, 0, doubt.LongStop)
			}
		}}, most: always(time.Millisecond), comes: func(b timebase.Bin, _ *Packet) bool { return b.Start() < 10*time.Second }, begin: 12 * time.Second}, false},
		{"the server stamps anew what came late to it", disturbance{cause: all[3], most: always(60 * time.Millisecond), comes: restamps}, false},
		{"the server may be one that mixes, and that missed what came late to it", disturbance{cause: all[3], most: always(60 * time.Millisecond), comes: nothing}, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			var s *scene
			var m *Source
			if c.marked {
				s, m = markedScene(t)
				s.ledger.Score()
			} else {
				s = newScene(t)
				s.ledger.Score()
				m = s.source(testaudio.Clip(t, "speech.ogg"), 40, 3*time.Millisecond)
			}
			l := s.ledger.AddListener(1, record.Labels{Probe: true})
			l.Expect(0, 0, time.Second)
			totals := scoredTotals(s.disturb(m, l, c.disturbance))
			assert.Less(t, trend(t, totals, "audio_score").Avg, 4.9)
			assert.Equal(t, 5.0, best(t, totals).Avg)
		})
	}
}

// What is kept of delays does not grow with the run.
func TestAudioScoreKeepsDelaysOfExcerptsOnly(t *testing.T) {
	t.Parallel()
	s, m, l := scoredScene(t)
	s.steady(0)
	const long = 10 * time.Minute
	s.book.Excerpts(0, long)
	l.Connected(0)
	for b := range timebase.BinAt(long) {
		s.say(m, b)
		if (b+1)%50 == 0 {
			s.aggregator.Steal((b - 49).Start(), (b + 1).Start(), 10*time.Millisecond, 0.5)
			s.settle((b + 1).Start())
		}
	}
	s.finish()
	around := (ExcerptLength + 2*preroll + 2*record.Lateness) / timebase.BinLength / timebase.WordBins
	assert.LessOrEqual(t, len(s.ledger.delays), MostExcerpts*int(around)+20)
	for _, e := range *s.book.excerpts.Load() {
		for at := max(0, e.from-preroll); at < e.until; at += time.Second {
			require.GreaterOrEqual(t, s.ledger.delay(at), 10*time.Millisecond, "%v of an excerpt at %v", at, e.from)
		}
	}
}
