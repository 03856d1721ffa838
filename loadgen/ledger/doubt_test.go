package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func bestTrend(t *testing.T, totals record.Totals, name string) metric.Summary {
	t.Helper()
	v, ok := totals.Best[name].(*metric.Trend)
	require.True(t, ok, "%s is not in doubt", name)
	return v.Summary()
}

// play has a listener receive n frames of a source, each after the same time; of each

// frame change may say how late the source sent it, and whether it is lost.

func (s *scene) play(m *Source, l *Listener, n timebase.Bin, change func(timebase.Bin) (late time.Duration, lost bool)) {
	for b := range n {
		p := s.say(m, b)
		late, lost := change(b)
		m.Sent(b, late)
		p.At += late
		if !lost {
			l.Receive(p)
		}
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
}

func onTime(timebase.Bin) (time.Duration, bool) { return 0, false }

func TestDoubtNothingIsInDoubtWithoutReason(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	s.play(m, s.listener(1), 600, onTime)
	assert.Empty(t, s.finish().Best)
}

func TestDoubtAFrameSentLate(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.play(m, l, 300, onTime)
	var held []Packet // by a stall of 200 ms, after which all goes out at once
	for b := timebase.Bin(300); b < 310; b++ {
		p, late := s.say(m, b), time.Duration(310-b)*timebase.BinLength
		m.Sent(b, late)
		p.At += late
		held = append(held, p)
	}
	for _, p := range held {
		l.Receive(p)
	}
	for b := timebase.Bin(310); b < 600; b++ {
		l.Receive(s.say(m, b))
	}
	totals := s.finish()
	assert.InDelta(t, 200, trend(t, totals, "latency").Max, 25)
	assert.Less(t, bestTrend(t, totals, "latency").Max, 25.0, "the server was not late")
	assert.Greater(t, trend(t, totals, "audio_gap").Max, 150.0)
	assert.Less(t, bestTrend(t, totals, "audio_gap").Max, 60.0)
	assert.Less(t, bestTrend(t, totals, "jitter").Max, trend(t, totals, "jitter").Max)
	assert.Greater(t, trend(t, totals, "concealed").Max, bestTrend(t, totals, "concealed").Max)
	assert.NotContains(t, totals.Best, "delivered", "each frame came")
	assert.NotContains(t, totals.Best, "loss")
	d := s.aggregator.Doubted()
	assert.EqualValues(t, 10, d.LateFrames)
	assert.Equal(t, 200*time.Millisecond, d.Latest)
}

func TestDoubtALateServerStaysLate(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(600) {
		p := s.say(m, b)
		late := time.Duration(0)
		if b%100 < 5 {
			late = 50 * time.Millisecond
		}
		m.Sent(b, late)
		p.At += late + 300*time.Millisecond
		l.Receive(p)
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
	totals := s.finish()
	assert.Greater(t, bestTrend(t, totals, "latency").Med, 290.0)
	assert.Greater(t, bestTrend(t, totals, "latency").P99, 290.0)
}

func TestDoubtContentionExcusesWhatHappenedMeanwhile(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.aggregator.Doubt(doubt.Contended, 0, 20*time.Second)
	s.aggregator.Deprive(0, 20*time.Second, record.Lateness)
	s.play(m, l, 605, func(b timebase.Bin) (time.Duration, bool) { return 0, b%10 == 9 })
	totals := s.finish()
	assert.Less(t, rate(t, totals, "delivered").Share(), 0.95)
	assert.InDelta(t, 1, totals.Best["delivered"].(metric.Rate).Share(), 1e-9)
	assert.Less(t, bestTrend(t, totals, "latency").P99, 0.1, "the fastest of them may have waited, too")
	assert.Greater(t, bestTrend(t, totals, "mos").Min, 4.0)
	assert.Zero(t, bestTrend(t, totals, "loss").Max)
}

// How fast the fastest packet was is known only where it was not held up itself.
func TestDoubtLatencyOfARunThatWasHeldUpAllTheTime(t *testing.T) {
	const all = 20 * time.Second
	for _, c := range []struct {
		sentence string
		from     time.Duration
		book     func(a *record.Aggregator, from time.Duration)
		best     float64 // p(50) at best, in ms
	}{
		{"nothing held it up", 0, func(*record.Aggregator, time.Duration) {}, 300},
		{"the server waited for a core all the time", 0, func(a *record.Aggregator, from time.Duration) { a.Deprive(from, all, time.Second) }, 0},
		{"it waited from the fifth second on: it had been no faster before", 5 * time.Second, func(a *record.Aggregator, from time.Duration) { a.Deprive(from, all, time.Second) }, 300},
		{"it waited for less than the packets took", 0, func(a *record.Aggregator, from time.Duration) { a.Deprive(from, all, 100*time.Millisecond) }, 200},
		{"a hypervisor took the cores all the time", 0, func(a *record.Aggregator, from time.Duration) { a.Steal(from, all, all, 0) }, 0},
		{"a hypervisor took them for a part of the time: not all packets waited", 0, func(a *record.Aggregator, from time.Duration) { a.Steal(from, all, time.Second, 0.5) }, 300},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			c.book(s.aggregator, c.from)
			for b := range timebase.Bin(605) {
				p := s.say(m, b)
				m.Sent(b, 0)
				p.At += 300*time.Millisecond - 5*time.Millisecond
				l.Receive(p)
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			best := totals.Best["latency"]
			if best == nil {
				best = totals.Values["latency"]
			}
			assert.InDelta(t, c.best, best.(*metric.Trend).Summary().Med, 1)
		})
	}
}

func TestDoubtWaitingForACoreExcusesNoMoreThanItTook(t *testing.T) {
	for _, c := range []struct {
		sentence string
		wait     time.Duration
		latency  float64 // at best, in ms
		lost     bool    // at best
	}{
		{"a server that waited for 50 ms was not 300 ms late for it, and lost nothing for it", 50 * time.Millisecond, 255, true},
		{"one that waited for 150 ms may have lost packets for it", 150 * time.Millisecond, 155, false},
		{"one that waited for a second may be as fast as ever", time.Second, 5, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(1000), 0, 0)
			l := s.listener(1)
			s.aggregator.Deprive(5*time.Second, 20*time.Second, c.wait)
			for b := range timebase.Bin(805) {
				p := s.say(m, b)
				m.Sent(b, 0)
				if b > 250 {
					p.At += 300 * time.Millisecond
				}
				if b%10 != 9 || b < 250 {
					l.Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			assert.InDelta(t, c.latency, bestTrend(t, totals, "latency").P99, 1)
			if c.lost {
				assert.NotContains(t, totals.Best, "delivered")
			} else {
				assert.InDelta(t, 1, totals.Best["delivered"].(metric.Rate).Share(), 1e-9)
			}
		})
	}
}

func TestDoubtSilenceIsExcusedWhereItIsInDoubt(t *testing.T) {
	for _, c := range []struct {
		sentence    string
		from, until time.Duration // of the doubt
		excused     bool
	}{
		{"nothing came while others took the cores", 0, 20 * time.Second, true},
		{"nothing came, and others took the cores long after", 10 * time.Second, 20 * time.Second, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(1000), 0, 0)
			l := s.listener(1)
			s.aggregator.Doubt(doubt.Contended, c.from, c.until)
			s.play(m, l, 800, func(b timebase.Bin) (time.Duration, bool) { return 0, b < 250 })
			totals := s.finish()
			assert.Less(t, trend(t, totals, "mos").Min, 3.0)
			if c.excused {
				assert.Greater(t, bestTrend(t, totals, "mos").Min, 4.0)
				assert.Zero(t, bestTrend(t, totals, "concealed").Max)
			} else {
				assert.NotContains(t, totals.Best, "mos")
			}
		})
	}
}

func TestDoubtBestCaseIsNoMoreSilentThanTheWorst(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1000), 0, 0)
	l := s.listener(1)
	var onTheWay []Packet
	for b := range timebase.Bin(500) {
		p := s.say(m, b)
		m.Sent(b, 0)
		p.At += 300 * time.Millisecond // so that what is owed before the doubt is played in it
		onTheWay = append(onTheWay, p)
		for len(onTheWay) > 0 && onTheWay[0].At <= b.Start() {
			l.Receive(onTheWay[0])
			onTheWay = onTheWay[1:]
		}
		if b == 310 {
			s.aggregator.Doubt(doubt.Stalled, b.Start(), b.Start()+timebase.BinLength)
		}
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
	for _, p := range onTheWay {
		l.Receive(p)
	}
	totals := s.finish()
	assert.GreaterOrEqual(t, bestOf(totals, "mos").Min, trend(t, totals, "mos").Min)
	assert.LessOrEqual(t, bestOf(totals, "concealed").Max, trend(t, totals, "concealed").Max)
}

// assertKeptOut asserts what the figures of a single listener are at best who was not in by

// its deadline.

// bestOf is a trend at best, in doubt or not.

func bestOf(totals record.Totals, name string) metric.Summary {
	v, ok := totals.Best[name].(*metric.Trend)
	if !ok {
		v = totals.Values[name].(*metric.Trend)
	}
	return v.Summary()
}

func TestDoubtAClockStepLeavesNoLatencyCertain(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.aggregator.Doubt(doubt.Stepped, 0, 20*time.Second)
	s.play(m, l, 600, onTime)
	totals := s.finish()
	assert.Zero(t, bestTrend(t, totals, "latency").Max)
	assert.InDelta(t, metric.InMilliseconds(record.Lateness), trend(t, totals, "latency").P99, 10)
	assert.NotContains(t, totals.Best, "delivered")
}

func TestDoubtPacketsOlderThanTheLedgerAreLate(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(900) {
		p := s.say(m, b)
		p.At += 6 * time.Second
		if b < 600 {
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.GreaterOrEqual(t, trend(t, totals, "latency").P99, metric.InMilliseconds(record.Lateness))
	assert.Zero(t, totals.Foreign)
}

func TestDoubtAudioThatNobodySentIsForeign(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(200) {
		p := s.say(m, b)
		p.Payload = []byte("something else")
		l.Receive(p)
	}
	totals := s.finish()
	assert.EqualValues(t, 200, totals.Foreign)
	assert.Zero(t, totals.Elsewhere)
	assert.NotContains(t, totals.Best, "delivered", "that is no doubt")
}

func TestApartTakesListenersAsTheUnit(t *testing.T) {
	same := func(n int, v float64) (all []float64) {
		for range n {
			all = append(all, v)
		}
		return all
	}
	assert.False(t, record.Apart(same(198, 1), same(2, 1)), "no difference")
	assert.False(t, record.Apart(append(same(178, 1), same(20, 0.8)...), same(2, 1)), "two probes that a fault spared")
	assert.False(t, record.Apart(append(same(179, 1), same(19, 0.8)...), append(same(1, 1), same(1, 0.8)...)), "one that it struck")
	assert.True(t, record.Apart(same(190, 1), same(10, 0.99)), "all of them")
	assert.False(t, record.Apart(same(5, 1), same(1, 0)), "one alone says nothing")
}

// A frame that went out late says nothing of what a server loses in another room.

func TestDoubtOfALateFrameStaysInItsRoom(t *testing.T) {
	for _, c := range []struct {
		sentence string
		own      bool // the frames went out late in the listener's own room
	}{
		{"a late frame of another room excuses nothing", false},
		{"one of their own room may have made the buffer conceal", true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			elsewhere := &scene{t: t, aggregator: s.aggregator, book: s.book, ledger: s.book.NewLedger()}
			clip := speechClip(700)
			m, l := s.source(clip, 0, 0), s.listener(1)
			other, there := elsewhere.source(clip, 0, 0), elsewhere.listener(1)
			for b := range timebase.Bin(600) {
				late, lost := time.Duration(0), b%10 == 3
				if b%50 == 20 {
					late = 10 * time.Millisecond
				}
				own, others := time.Duration(0), late
				if c.own {
					own, others = late, 0
				}
				p, q := s.say(m, b), elsewhere.say(other, b)
				m.Sent(b, own)
				other.Sent(b, others)
				p.At, q.At = p.At+own, q.At+others
				if there.Receive(q); !lost {
					l.Receive(p)
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drain(now, min(s.ledger.Settle(now), elsewhere.ledger.Settle(now)))
				}
			}
			elsewhere.ledger.Stop(s.end.Start())
			elsewhere.ledger.Finish(s.end.Start() + time.Second)
			totals := s.finish()
			assert.Greater(t, trend(t, totals, "concealed").Max, 8.0)
			if best, ok := totals.Best["concealed"].(*metric.Trend); c.own {
				assert.True(t, ok)
			} else if ok {
				assert.Greater(t, best.Summary().Max, 8.0)
			}
		})
	}
}
