package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestMOSFallsWithLossAndDelay(t *testing.T) {
	played := func(concealed, runs uint64, delay time.Duration) float64 {
		return quality{codec: emodel.Usual, owed: 1000, bins: 1000, concealed: float64(concealed), runs: runs, delay: delay}.mos()
	}
	for _, c := range []struct {
		name      string
		concealed uint64
		runs      uint64
		delay     time.Duration
		score     float64
	}{
		{"all is well", 0, 0, 25 * time.Millisecond, 4.24},
		{"1 % is lost by chance", 10, 10, 25 * time.Millisecond, 4.03},
		{"5 % are lost by chance", 50, 48, 25 * time.Millisecond, 3.26},
		{"5 % are lost in two pieces", 50, 2, 25 * time.Millisecond, 2.42},
		{"half is lost", 500, 250, 25 * time.Millisecond, 1.41},
		{"all is lost", 1000, 1, 0, 1},
		{"it comes half a second late", 0, 0, 500 * time.Millisecond, 2.8},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.InDelta(t, c.score, played(c.concealed, c.runs, c.delay), 0.01)
		})
	}
}

// listened is what a listener's hearing comes to of a minute of speech: change
// says what becomes of each packet, and whether it comes at all.
func listened(t *testing.T, change func(timebase.Bin, *Packet) bool) record.Totals {
	s := newScene(t)
	m := s.source(speechClip(1500), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(3005) {
		p := s.say(m, b)
		if change(b, &p) {
			l.Receive(p)
		}
		if b%50 == 0 {
			s.settle(b.Start())
		}
	}
	return s.finish()
}

func TestConcealedFramesAndGaps(t *testing.T) {
	for _, c := range []struct {
		name                  string
		change                func(timebase.Bin, *Packet) bool
		loss, concealed, gaps float64
	}{
		{"all comes", func(timebase.Bin, *Packet) bool { return true }, 0, 0, 0},
		{"nothing comes", func(timebase.Bin, *Packet) bool { return false }, 100, 100, 1},
		{"a frame in a hundred is lost, which is no gap", func(b timebase.Bin, _ *Packet) bool { return b%100 != 50 }, 1, 1, 0},
		{"three frames in a row are, which is one", func(b timebase.Bin, _ *Packet) bool { return b%100 < 50 || b%100 > 52 }, 3, 3, 30},
		{"a gap from one word into the next", func(b timebase.Bin, _ *Packet) bool { return b < 126 || b > 130 }, 100 * 5.0 / 3000, 100 * 5.0 / 3000, 1},
		{"some are too late to be played, and lost though they came", func(b timebase.Bin, p *Packet) bool {
			if b%1000 == 500 {
				p.At += 300 * time.Millisecond
			}
			return true
		}, 0, 0.1, 0},
		{"all are late alike, which a buffer does not mind", func(_ timebase.Bin, p *Packet) bool {
			p.At += 300 * time.Millisecond
			return true
		}, 0, 0, 0},
		{"each is late by another delay, which it learns to wait for", func(b timebase.Bin, p *Packet) bool {
			p.At += time.Duration(b*37%100) * time.Millisecond
			return true
		}, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			totals := listened(t, c.change)
			assert.InDelta(t, c.loss, trend(t, totals, "loss").Max, 0.002)
			assert.InDelta(t, c.concealed, trend(t, totals, "concealed").Max, 0.25*c.concealed+0.35, "a few more until the buffer has learnt")
			if c.concealed == 0 {
				assert.Less(t, trend(t, totals, "concealed").Max, 0.9)
			}
			assert.InDelta(t, c.gaps, trend(t, totals, "gaps_per_minute").Max, 0.01)
			assert.LessOrEqual(t, trend(t, totals, "mos").Max, 4.25)
		})
	}
}

func TestConcealedCountsOneMissingVoiceAmongSeveral(t *testing.T) {
	s := newScene(t)
	one, other := s.source(speechClip(700), 0, 0), s.source(speechClip(700), 300, 0)
	third := s.source(speechClip(700), 500, 0)
	l := s.listener(2)
	for b := range timebase.Bin(205) {
		p, q := s.say(one, b), s.say(other, b)
		s.say(third, b) // more than there are sections
		q.Section, q.Talker = 1, 8
		l.Receive(p)
		if b < 100 || b >= 110 {
			l.Receive(q)
		}
	}
	totals := s.finish()
	assert.InDelta(t, 2.5, trend(t, totals, "concealed").Max, 0.01, "10 of 400")
	assert.InDelta(t, 1/(200*0.02/60), trend(t, totals, "gaps_per_minute").Max, 0.01)
}
