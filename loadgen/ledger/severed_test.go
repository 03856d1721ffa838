package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A server may end the sessions of a generator that is stopped for long (RFC 7675).
func TestDoubtASessionThatALongStopMayHaveEnded(t *testing.T) {
	const resumed, end = timebase.Bin(2200), timebase.Bin(3200)
	for _, c := range []struct {
		sentence         string
		stopped          time.Duration
		lostFrom, lostTo timebase.Bin
		excused          bool
	}{
		{"what is lost after a stop of 30 s may be the generator's doing", 30 * time.Second, resumed, end, true},
		{"so may it after the least stop that ends sessions", doubt.LongStop, resumed, end, true},
		{"so may what is lost long after it", 30 * time.Second, resumed + 500, end, true},
		{"after a shorter stop it is the server's", doubt.LongStop - time.Second, resumed, end, false},
		{"before the stop it is the server's", 30 * time.Second, 100, 200, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(4000), 0, 0)
			l := s.listener(1)
			play := func(from, until timebase.Bin) {
				for b := from; b < until; b++ {
					if p := s.say(m, b); b < c.lostFrom || b >= c.lostTo {
						l.Receive(p)
					}
					if b%50 == 49 {
						s.settle((b + 1).Start())
					}
				}
			}
			play(0, resumed-timebase.BinAt(c.stopped))
			s.aggregator.Doubt(doubt.Stalled, resumed.Start()-c.stopped, resumed.Start())
			play(resumed, end)
			totals := s.finish()
			worst := rate(t, totals, "delivered")
			assert.Less(t, worst.Passes, worst.Total)
			best, ok := totals.Best["delivered"].(metric.Rate)
			if c.excused {
				assert.True(t, ok)
				assert.Equal(t, best.Total, best.Passes)
				assert.Zero(t, bestTrend(t, totals, "loss").Max)
				assert.Zero(t, bestTrend(t, totals, "concealed").Max)
				assert.Greater(t, bestTrend(t, totals, "mos").Min, 4.0)
			} else {
				if ok {
					assert.GreaterOrEqual(t, best.Total-best.Passes, uint64(min(c.lostTo-c.lostFrom, 700)))
				}
			}
		})
	}
}

// Who was heard when a long stop was over still has a session, and what is lost then is the server's.
func TestDoubtSessionsThatOutlivedALongStop(t *testing.T) {
	const resumed, over, end = timebase.Bin(1000), timebase.Bin(2500), timebase.Bin(4000)
	for _, c := range []struct {
		sentence string
		lost     func(b timebase.Bin, second bool) bool // whether a frame is, of the second mic
		excused  [2]uint64                              // at least and at most
	}{
		{"a server that is sound at first and loses later has lost it", func(b timebase.Bin, _ bool) bool { return b >= over+500 && b%5 == 0 }, [2]uint64{0, 0}},
		{"one that loses a fifth all the time has lost what was lost later", func(b timebase.Bin, _ bool) bool { return b >= resumed && b%5 == 0 }, [2]uint64{600, 640}},
		{"a session that does not come back may have ended by the stop", func(b timebase.Bin, _ bool) bool { return b >= resumed }, [2]uint64{5900, 6000}},
		{"so may one that ends soon after it", func(b timebase.Bin, _ bool) bool { return b >= over-500 }, [2]uint64{3900, 4000}},
		{"a mic's session may have ended, and the listener's not", func(b timebase.Bin, second bool) bool { return second && b >= resumed }, [2]uint64{2950, 3000}},
		{"a mic is lost that was heard when the stop was over", func(b timebase.Bin, second bool) bool { return second && b >= over+500 }, [2]uint64{0, 0}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			first, second := s.source(speechClip(4100), 0, 0), s.source(speechClip(4100), 2000, 0)
			l := s.listener(2)
			play := func(from, until timebase.Bin) {
				for b := from; b < until; b++ {
					p, q := s.say(first, b), s.say(second, b)
					q.Section, q.Talker = 1, 8
					if !c.lost(b, false) {
						l.Receive(p)
					}
					if !c.lost(b, true) {
						l.Receive(q)
					}
					if b%50 == 49 {
						s.settle((b + 1).Start())
					}
				}
			}
			play(0, resumed-500)
			s.aggregator.Doubt(doubt.Stalled, resumed.Start()-10*time.Second, resumed.Start())
			play(resumed, end)
			totals := s.finish()
			worst := rate(t, totals, "delivered")
			best, ok := totals.Best["delivered"].(metric.Rate)
			if !ok {
				best = worst
			}
			assert.GreaterOrEqual(t, best.Passes-worst.Passes, c.excused[0])
			assert.LessOrEqual(t, best.Passes-worst.Passes, c.excused[1])
			if c.excused[1] == 0 {
				assert.Positive(t, trend(t, totals, "concealed").Max)
				assert.NotContains(t, totals.Best, "concealed", "what was concealed was the server's, too")
			}
		})
	}
}

// New listeners connect after the stop, and the server has no mics for them any more.
func TestDoubtNobodyIsHeardAfterALongStop(t *testing.T) {
	for _, c := range []struct {
		sentence string
		enter    func(l *Listener, at time.Duration)
		best     uint64
	}{
		{"who connects may be heard nothing by the generator's doing", (*Listener).Connected, 1},
		{"who is refused may not", (*Listener).Refused, 0},
		{"nor who can't connect", (*Listener).Failed, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(4000), 0, 0)
			s.steady(0)
			s.aggregator.Doubt(doubt.Stalled, 0, 30*time.Second)
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(40*time.Second, 40*time.Second, 45*time.Second)
			c.enter(l, 41*time.Second)
			for b := timebase.Bin(2000); b < 3000; b++ {
				s.say(m, b)
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			assert.Zero(t, rate(t, totals, "joined").Passes)
			assert.Zero(t, rate(t, totals, "delivered").Passes)
			joined, _ := totals.Best["joined"].(metric.Rate)
			assert.Equal(t, c.best, joined.Passes)
			delivered, _ := totals.Best["delivered"].(metric.Rate)
			assert.Equal(t, c.best == 1, delivered.Passes > 0, "%v", delivered)
		})
	}
}
