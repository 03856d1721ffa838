package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

func bestTrend(t *testing.T, totals Totals, name string) metric.Summary {
	t.Helper()
	v, ok := totals.Best[name].(*metric.Trend)
	require.True(t, ok, "%s is not in doubt", name)
	return v.Summary()
}

// play has a listener receive n frames of a source, each after the same time; of each
// frame change may say how late the source sent it, and whether it is lost.
func (s *scene) play(m *Source, l *Listener, n Bin, change func(Bin) (late time.Duration, lost bool)) {
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

func onTime(Bin) (time.Duration, bool) { return 0, false }

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
	for b := Bin(300); b < 310; b++ {
		p, late := s.say(m, b), time.Duration(310-b)*BinLength
		m.Sent(b, late)
		p.At += late
		held = append(held, p)
	}
	for _, p := range held {
		l.Receive(p)
	}
	for b := Bin(310); b < 600; b++ {
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
	d := s.aggregator.Doubts()
	assert.EqualValues(t, 10, d.LateFrames)
	assert.Equal(t, 200*time.Millisecond, d.Latest)
}

func TestDoubtALateServerStaysLate(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range Bin(600) {
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

func TestDoubtDropsExcuseAsManyPacketsAsWereDropped(t *testing.T) {
	for _, c := range []struct {
		sentence string
		dropped  uint64
		passes   uint64
	}{
		{"all that is missing may have been dropped", 30, 600},
		{"a server that loses more than was dropped is not excused", 10, 580},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			s.aggregator.Drop(c.dropped, 6*time.Second, 7*time.Second-BinLength)
			s.play(m, l, 605, func(b Bin) (time.Duration, bool) { return 0, b >= 310 && b < 340 })
			totals := s.finish()
			worst := rate(t, totals, "delivered")
			best, ok := totals.Best["delivered"].(metric.Rate)
			require.True(t, ok)
			assert.EqualValues(t, 570, worst.Passes)
			assert.Equal(t, c.passes, best.Passes)
			assert.Equal(t, worst.Total, best.Total)
			assert.Less(t, bestTrend(t, totals, "loss").Max, trend(t, totals, "loss").Max)
		})
	}
}

func TestDoubtContentionExcusesWhatHappenedMeanwhile(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.aggregator.Doubt(Contended, 0, 20*time.Second)
	s.aggregator.Deprive(0, 20*time.Second, Lateness)
	s.play(m, l, 605, func(b Bin) (time.Duration, bool) { return 0, b%10 == 9 })
	totals := s.finish()
	assert.Less(t, rate(t, totals, "delivered").Share(), 0.95)
	assert.InDelta(t, 1, totals.Best["delivered"].(metric.Rate).Share(), 1e-9)
	assert.NotContains(t, totals.Best, "latency", "all of them were as fast as the fastest")
	assert.Greater(t, bestTrend(t, totals, "mos").Min, 4.0)
	assert.Zero(t, bestTrend(t, totals, "loss").Max)
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
			for b := range Bin(805) {
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
			s.aggregator.Doubt(Contended, c.from, c.until)
			s.play(m, l, 800, func(b Bin) (time.Duration, bool) { return 0, b < 250 })
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
	for b := range Bin(500) {
		p := s.say(m, b)
		m.Sent(b, 0)
		p.At += 300 * time.Millisecond // so that what is owed before the doubt is played in it
		onTheWay = append(onTheWay, p)
		for len(onTheWay) > 0 && onTheWay[0].At <= b.Start() {
			l.Receive(onTheWay[0])
			onTheWay = onTheWay[1:]
		}
		if b == 310 {
			s.aggregator.Doubt(Stalled, b.Start(), b.Start()+BinLength)
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

func TestDoubtAListenerWhomTheGeneratorKeptOut(t *testing.T) {
	const deadline = 2 * time.Second
	stall := func(until time.Duration) func(*Aggregator) {
		return func(a *Aggregator) { a.Doubt(Stalled, 0, until) }
	}
	// Each second up to the deadline is as told.
	seconds := func(book func(a *Aggregator, from, until time.Duration)) func(*Aggregator) {
		return func(a *Aggregator) {
			for s := range deadline / time.Second {
				book(a, s*time.Second, (s+1)*time.Second)
			}
		}
	}
	for _, c := range []struct {
		sentence string
		happens  func(*Aggregator)
		refused  bool
		ends     Bin // when the join is given up; 0 is just before the deadline
		first    Bin // the first packet that comes; 0 is never
		joined   uint64
		excused  bool // what was lost, at best
	}{
		{"the generator hardly ran until the deadline", stall(1500 * time.Millisecond), false, 0, 0, 1, true},
		{"the generator did not run for a moment", stall(190 * time.Millisecond), false, 0, 0, 0, false},
		{"the server said no, however slow the generator was", stall(1500 * time.Millisecond), true, 0, 0, 0, false},
		{"it came in after the deadline", stall(1500 * time.Millisecond), false, 0, 150, 1, true},
		{"a quota kept it from running half of the time", seconds(func(a *Aggregator, from, until time.Duration) {
			a.Throttle(from, until, 500*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"it waited for cores in moments too short for a stall, on a machine that was not all taken", seconds(func(a *Aggregator, from, until time.Duration) {
			a.Starve(from, until, 600*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"a quota kept it from running for a third of the time, and for another it waited for cores", seconds(func(a *Aggregator, from, until time.Duration) {
			a.Throttle(from, until, 300*time.Millisecond)
			a.Starve(from, until, 300*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"what it waited at last was known after the deadline", func(a *Aggregator) {
			a.Starve(time.Second, 2*time.Second, 300*time.Millisecond)
			a.Starve(2*time.Second, 3*time.Second, 900*time.Millisecond)
		}, false, 0, 0, 1, true},
		{"its threads waited now and then", seconds(func(a *Aggregator, from, until time.Duration) {
			a.Starve(from, until, 200*time.Millisecond)
		}), false, 0, 0, 0, false},
		{"it waited after the deadline only", func(a *Aggregator) { a.Starve(4*time.Second, 6*time.Second, 2*time.Second) }, false, 0, 0, 0, false},
		{"something ran out long before the deadline, by when the generator had hardly run", stall(900 * time.Millisecond), false, 60, 0, 1, true},
		{"what failed at once was not too slow, though the generator did not run meanwhile", stall(40 * time.Millisecond), false, 2, 0, 0, false},
		{"its machine dropped packets most of the time", func(a *Aggregator) { a.Drop(3, 0, 1500*time.Millisecond) }, false, 0, 0, 1, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, Labels{})
			l.Expect(0, 0, deadline)
			l.StepBegan(StepSignaling, 0)
			end := (*Listener).Failed
			if c.refused {
				end = (*Listener).Refused
			}
			c.happens(s.aggregator)
			s.steady(0)
			for b := range Bin(600) {
				p := s.say(m, b)
				m.Sent(b, 0)
				if b == c.ends && b > 0 || b == 99 {
					end(l, b.Start())
				}
				if c.first > 0 && b >= c.first {
					l.Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			assertKeptOut(t, s.finish(), c.joined, c.excused, c.first == 0)
		})
	}
}

// assertKeptOut asserts what the figures of a single listener are at best who was not in by
// its deadline.
func assertKeptOut(t *testing.T, totals Totals, joined uint64, excused, never bool) {
	t.Helper()
	best, doubted := totals.Best["joined"].(metric.Rate)
	if !doubted {
		best = rate(t, totals, "joined")
	}
	assert.Equal(t, metric.Rate{Passes: joined, Total: 1}, best)
	heard, doubted := totals.Best["delivered"].(metric.Rate)
	assert.Equal(t, excused, doubted && heard.Passes == heard.Total)
	if never {
		assert.Equal(t, excused, bestOf(totals, "mos").Min > 4, "%v", bestOf(totals, "mos"))
		assert.Equal(t, excused, bestOf(totals, "join_duration").Max <= 1000, "%v", bestOf(totals, "join_duration"))
		assert.Equal(t, excused, bestOf(totals, "join_step").Max <= 1000, "%v", bestOf(totals, "join_step"))
	}
}

func TestDoubtAJoinWhileTheGeneratorWaitedForCores(t *testing.T) {
	for _, c := range []struct {
		sentence string
		waited   time.Duration
		best     float64
	}{
		{"for much of the time, on all its threads", 800 * time.Millisecond, 200},
		{"for less than half of it", 400 * time.Millisecond, 1000},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.Connected(985 * time.Millisecond)
			s.steady(0)
			s.aggregator.Starve(0, time.Second, c.waited)
			for b := range Bin(300) {
				if p := s.say(m, b); p.At >= time.Second {
					p.At = max(p.At, time.Second)
					l.Receive(p)
				}
			}
			assert.InDelta(t, c.best, bestOf(s.finish(), "join_duration").Max, 10)
		})
	}
}

func TestAtBestWhatFailedTookAsLongAsItHadUnlessTheGeneratorMayBeToBlame(t *testing.T) {
	const had = 10 * time.Second
	for _, c := range []struct {
		sentence      string
		stalled, best time.Duration
		failed        time.Duration
	}{
		{"the generator ran", 0, had, had},
		{"it did not for a while", 2 * time.Second, had, had},
		{"it hardly ran", 8 * time.Second, 2 * time.Second, had},
		{"it hardly ran until a timeout", 2 * time.Second, time.Second, 3 * time.Second},
		{"it did not run, but the server said no at once", 10 * time.Millisecond, had, 10 * time.Millisecond},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := NewAggregator()
			a.Doubt(Stalled, time.Second, time.Second+c.stalled)
			assert.Equal(t, c.best, a.AtBest(time.Second, time.Second+c.failed, had))
		})
	}
}

func TestDoubtWhoWasRefusedIsOwedAllThatIsSent(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l, refused := s.listener(1), s.ledger.AddListener(1, Labels{})
	refused.Expect(0, 0, 10*time.Second)
	refused.Refused(0)
	s.aggregator.Doubt(Contended, 0, 20*time.Second)
	s.aggregator.Deprive(0, 20*time.Second, Lateness)
	s.play(m, l, 605, func(b Bin) (time.Duration, bool) { return 0, b%10 == 9 })
	totals := s.finish()
	assert.InDelta(t, 0.5, totals.Best["delivered"].(metric.Rate).Share(), 1e-9, "contention may have cost the other one its packets")
	assert.InDelta(t, 1, bestOf(totals, "mos").Min, 1e-9)
	assert.InDelta(t, 100, bestOf(totals, "loss").Max, 1e-9)
	assert.NotContains(t, totals.Best, "joined")
}

// bestOf is a trend at best, in doubt or not.
func bestOf(totals Totals, name string) metric.Summary {
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
	s.aggregator.Doubt(Stepped, 0, 20*time.Second)
	s.play(m, l, 600, onTime)
	totals := s.finish()
	assert.Zero(t, bestTrend(t, totals, "latency").Max)
	assert.InDelta(t, ms(Lateness), trend(t, totals, "latency").P99, 10)
	assert.NotContains(t, totals.Best, "delivered")
}

func TestDoubtALateJoin(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.ledger.AddListener(1, Labels{})
	l.Expect(0, 150*time.Millisecond, 10*time.Second)
	s.aggregator.Doubt(Stalled, 200*time.Millisecond, 300*time.Millisecond)
	l.Connected(400 * time.Millisecond)
	s.steady(0)
	s.play(m, l, 600, func(b Bin) (time.Duration, bool) { return 0, b < 25 })
	totals := s.finish()
	worst, best := trend(t, totals, "join_duration").Max, bestTrend(t, totals, "join_duration").Max
	assert.InDelta(t, 500, worst, 25)
	assert.InDelta(t, worst-250, best, 1, "150 ms to begin, and a stall of 100 ms")
}

func TestDoubtAJoinThatWaitedForTheGenerator(t *testing.T) {
	for _, c := range []struct {
		name        string
		from, until time.Duration // that it waited
		stalled     time.Duration // of it, from its beginning, the process did not run
		doubt       time.Duration
	}{
		{"it waited for its turn", at(100), at(300), 0, at(200)},
		{"so short a time that nobody looks", at(100), at(100) + 50*time.Microsecond, 0, 0},
		{"what is booked otherwise counts once", at(100), at(300), at(50), at(200)},
		{"after the first packet it is no wait of the join", at(600), at(900), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.StepBegan(StepSignaling, 0)
			l.HeldUp(c.from, c.until)
			l.StepEnded(StepSignaling, at(400))
			if c.stalled > 0 {
				s.aggregator.Doubt(Stalled, c.from, c.from+c.stalled)
			}
			l.Connected(at(400))
			s.steady(0)
			s.play(m, l, 600, func(b Bin) (time.Duration, bool) { return 0, b < 25 })
			totals := s.finish()
			worst := trend(t, totals, "join_duration").Max
			assert.InDelta(t, 500, worst, 25, "at worst all of it was the server's doing")
			assert.InDelta(t, worst-ms(c.doubt), bestOf(totals, "join_duration").Max, 1)
			took, _ := step(t, totals.Values, "signaling")
			assert.InDelta(t, 400, took, 1)
			if best, ok := step(t, totals.Best, "signaling"); ok {
				took = best
			}
			assert.InDelta(t, 400-ms(c.doubt), took, 1)
		})
	}
}

func TestDoubtAJoinThatWaitedForTheGeneratorMostOfItsTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		waited time.Duration
		best   uint64
	}{
		{"for more than half of its time: the generator may be to blame", 6 * time.Second, 1},
		{"for less: the server is", 4 * time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.HeldUp(time.Second, time.Second+c.waited)
			l.Failed(10 * time.Second)
			s.steady(0)
			s.play(m, l, 600, func(Bin) (time.Duration, bool) { return 0, true })
			totals := s.finish()
			assert.Equal(t, metric.Rate{Total: 1}, totals.Values["joined"])
			if c.best == 0 {
				assert.NotContains(t, totals.Best, "joined")
				return
			}
			assert.Equal(t, metric.Rate{Passes: c.best, Total: 1}, totals.Best["joined"])
		})
	}
}

func TestDoubtAJoinThatTheGeneratorHeldUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  DoubtKind
		until time.Duration
		from  time.Duration // what the listener is owed
		best  uint64
	}{
		{"dropped packets for half of the time: the handshake may have been among them", Dropped, 5 * time.Second, 10 * time.Second, 1},
		{"no core for half of the time", Contended, 5 * time.Second, 10 * time.Second, 1},
		{"a short stall of the generator explains no failed join", Stalled, time.Second, 10 * time.Second, 0},
		{"the server refused it", Contended, 10 * time.Second, time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, Labels{})
			l.Expect(0, 0, 10*time.Second)
			s.aggregator.Doubt(c.kind, 0, c.until)
			l.Connected(c.from)
			s.steady(0)
			s.play(m, l, 600, func(Bin) (time.Duration, bool) { return 0, true })
			totals := s.finish()
			assert.Equal(t, metric.Rate{Total: 1}, totals.Values["joined"])
			if c.best == 0 {
				assert.NotContains(t, totals.Best, "joined")
				return
			}
			assert.Equal(t, metric.Rate{Passes: 1, Total: 1}, totals.Best["joined"])
			assert.EqualValues(t, 1, s.aggregator.Doubts().LostJoins)
		})
	}
}

func TestDoubtPacketsOlderThanTheLedgerAreLate(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range Bin(900) {
		p := s.say(m, b)
		p.At += 6 * time.Second
		if b < 600 {
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.GreaterOrEqual(t, trend(t, totals, "latency").P99, ms(Lateness))
	assert.Zero(t, totals.Foreign)
}

func TestDoubtAudioThatNobodySentIsForeign(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range Bin(200) {
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
	assert.False(t, Apart(same(198, 1), same(2, 1)), "no difference")
	assert.False(t, Apart(append(same(178, 1), same(20, 0.8)...), same(2, 1)), "two probes that a fault spared")
	assert.False(t, Apart(append(same(179, 1), same(19, 0.8)...), append(same(1, 1), same(1, 0.8)...)), "one that it struck")
	assert.True(t, Apart(same(190, 1), same(10, 0.99)), "all of them")
	assert.False(t, Apart(same(5, 1), same(1, 0)), "one alone says nothing")
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
			elsewhere := &scene{t: t, aggregator: s.aggregator, ledger: NewLedger(s.aggregator)}
			clip := speechClip(700)
			m, l := s.source(clip, 0, 0), s.listener(1)
			other, there := elsewhere.source(clip, 0, 0), elsewhere.listener(1)
			for b := range Bin(600) {
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
