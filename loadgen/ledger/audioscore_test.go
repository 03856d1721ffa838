package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// scoredFor is how long what is scored lasts.
const scoredFor = 6 * time.Second

// scoredScene is a room with a source whose probes are scored, and one probe.
func scoredScene(t *testing.T) (*scene, *Source, *Listener) {
	t.Helper()
	s := newScene(t)
	s.ledger.Score()
	m := s.source(testaudio.Clip(t, "speech.ogg"), 40, 3*time.Millisecond)
	l := s.ledger.AddListener(1, record.Labels{Probe: true})
	l.Expect(0, 0, time.Second)
	return s, m, l
}

// best is what the score is at best, which is what it is if it is not in doubt.
func best(t *testing.T, totals record.Totals) metric.Summary {
	t.Helper()
	return bestOrWorst(t, totals, "audio_score")
}

func TestAudioScoreSaysWhatAProbeHeard(t *testing.T) {
	t.Parallel()
	other := testaudio.Clip(t, "guest.ogg")
	all := func(timebase.Bin, *Packet) bool { return true }
	stall := func(s *scene) { s.aggregator.Doubt(doubt.Stalled, 3*time.Second, 3200*time.Millisecond) }
	for _, c := range []struct {
		sentence string
		change   func(b timebase.Bin, p *Packet) (comes bool)
		doubt    func(*scene) // in the middle
		least    float64      // of the worst case
		most     float64
		sure     bool // the best case is the same
	}{
		{"all of it", all, nil, 4.8, 5, true},
		{"nothing but every other packet", func(b timebase.Bin, _ *Packet) bool { return b%2 == 0 }, nil, 1.5, 3.8, true},
		{"another voice", func(b timebase.Bin, p *Packet) bool {
			p.Payload = other.Frames[int(b)%len(other.Frames)].Payload
			return true
		}, nil, 1, 2.2, true},
		{"silence", func(_ timebase.Bin, p *Packet) bool { p.Payload = []byte{0xf8, 0xff, 0xfe}; return true }, nil, 1, 1, true},
		{"nothing", func(timebase.Bin, *Packet) bool { return false }, nil, 1, 1, true},
		{"all but what a stalled generator may have lost", func(b timebase.Bin, _ *Packet) bool { return b < 150 || b > 175 }, stall, 3, 4.8, false},
		{"nothing, though the generator stalled for a moment only", func(timebase.Bin, *Packet) bool { return false }, stall, 1, 1, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			s, m, l := scoredScene(t)
			l.Connected(0)
			s.steady(0)
			s.book.Excerpts(0, scoredFor)
			end := timebase.BinAt(scoredFor)
			for b := range end {
				if p := s.say(m, b); c.change(b, &p) {
					l.Receive(p)
				}
				if c.doubt != nil && b == end/2 {
					c.doubt(s)
				}
				if b%50 == 0 {
					s.settle(b.Start())
				}
			}
			totals := scoredTotals(s)
			worst := trend(t, totals, "audio_score")
			t.Log(worst.Avg, best(t, totals).Avg)
			require.EqualValues(t, 1, worst.Count)
			assert.GreaterOrEqual(t, worst.Avg, c.least)
			assert.LessOrEqual(t, worst.Avg, c.most)
			if c.sure {
				assert.NotContains(t, totals.Best, "audio_score", "nothing is in doubt")
			} else {
				assert.Greater(t, best(t, totals).Avg, worst.Avg)
			}
		})
	}
}

// scoredTotals finishes a scene and scores it.
func scoredTotals(s *scene) record.Totals {
	s.finish()
	require.NoError(s.t, s.ledger.ScoreProbes(1, func() bool { return false }))
	return s.aggregator.Totals()
}

// Each case is of somebody who hears nothing.
func TestAudioScoreOfThoseWhoNeverGotIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sentence string
		happens  func(*scene, *Listener)
		best     float64
	}{
		{"the server refused it", func(_ *scene, l *Listener) { l.Refused(500 * time.Millisecond) }, 1},
		{"it was never answered", func(*scene, *Listener) {}, 1},
		{"the generator held it up", func(s *scene, _ *Listener) {
			s.aggregator.Doubt(doubt.Stalled, 100*time.Millisecond, 900*time.Millisecond)
		}, 5},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			s, m, l := scoredScene(t)
			s.steady(0)
			s.book.Excerpts(0, scoredFor)
			c.happens(s, l)
			for b := range timebase.BinAt(scoredFor) {
				s.say(m, b)
				if b.Start() == time.Second {
					l.Connected(time.Second) // its deadline
				}
				if b%50 == 0 {
					s.settle(b.Start())
				}
			}
			totals := scoredTotals(s)
			assert.Equal(t, 1.0, trend(t, totals, "audio_score").Avg)
			assert.Equal(t, c.best, best(t, totals).Avg)
		})
	}
}

// What is kept of a long run does not grow with it.
func TestAudioScoreOfALongRunIsOfExcerpts(t *testing.T) {
	t.Parallel()
	s, m, l := scoredScene(t)
	l.Connected(0)
	const long = 3 * time.Minute
	kept := func() (n int) {
		n = len(l.listening.recent)
		for _, packets := range l.listening.taken {
			n += len(packets)
		}
		return n
	}
	s.steady(0)
	s.book.Excerpts(0, long)
	for b := range timebase.BinAt(long) {
		l.Receive(s.say(m, b))
		if b%50 == 0 {
			s.settle(b.Start())
		}
	}
	excerpts := *s.book.excerpts.Load()
	require.Len(t, excerpts, MostExcerpts)
	assert.Zero(t, excerpts[0].from)
	assert.Equal(t, long, excerpts[MostExcerpts-1].until)
	most := int((preroll+ExcerptLength+record.Lateness)/timebase.BinLength)*MostExcerpts + int(preroll/timebase.BinLength) + 10
	assert.LessOrEqual(t, kept(), most)
	assert.Less(t, most, int(long/timebase.BinLength))
	assert.Greater(t, trend(t, scoredTotals(s), "audio_score").Min, 4.8)
}

func TestExcerptsOfAShortWindowAreAllOfIt(t *testing.T) {
	b := NewBook(record.NewAggregator())
	b.Excerpts(3*time.Second, 28*time.Second)
	excerpts := *b.excerpts.Load()
	require.Len(t, excerpts, 3)
	for i, e := range excerpts {
		assert.InDelta(t, 3+float64(i)*25/3, e.from.Seconds(), 0.001)
		assert.InDelta(t, 25.0/3, (e.until - e.from).Seconds(), 0.001)
	}
}
