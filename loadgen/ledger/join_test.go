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

func TestDoubtAListenerWhomTheGeneratorKeptOut(t *testing.T) {
	const deadline = 2 * time.Second
	stall := func(until time.Duration) func(*record.Aggregator) {
		return func(a *record.Aggregator) { a.Doubt(doubt.Stalled, 0, until) }
	}
	// Each second up to the deadline is as told.
	seconds := func(book func(a *record.Aggregator, from, until time.Duration)) func(*record.Aggregator) {
		return func(a *record.Aggregator) {
			for s := range deadline / time.Second {
				book(a, s*time.Second, (s+1)*time.Second)
			}
		}
	}
	for _, c := range []struct {
		sentence string
		happens  func(*record.Aggregator)
		refused  bool
		ends     timebase.Bin // when the join is given up; 0 is just before the deadline
		first    timebase.Bin // the first packet that comes; 0 is never
		joined   uint64
		excused  bool // what was lost, at best
	}{
		{"the generator hardly ran until the deadline", stall(1500 * time.Millisecond), false, 0, 0, 1, true},
		{"the generator did not run for a moment", stall(190 * time.Millisecond), false, 0, 0, 0, false},
		{"the server said no, however slow the generator was", stall(1500 * time.Millisecond), true, 0, 0, 0, false},
		{"it came in after the deadline", stall(1500 * time.Millisecond), false, 0, 150, 1, true},
		{"a quota kept it from running half of the time", seconds(func(a *record.Aggregator, from, until time.Duration) {
			a.Doubts.Throttle(from, until, 500*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"it waited for cores in moments too short for a stall, on a machine that was not all taken", seconds(func(a *record.Aggregator, from, until time.Duration) {
			a.Doubts.Starve(from, until, 600*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"a quota kept it from running for a third of the time, and for another it waited for cores", seconds(func(a *record.Aggregator, from, until time.Duration) {
			a.Doubts.Throttle(from, until, 300*time.Millisecond)
			a.Doubts.Starve(from, until, 300*time.Millisecond)
		}), false, 0, 0, 1, true},
		{"what it waited at last was known after the deadline", func(a *record.Aggregator) {
			a.Doubts.Starve(time.Second, 2*time.Second, 300*time.Millisecond)
			a.Doubts.Starve(2*time.Second, 3*time.Second, 900*time.Millisecond)
		}, false, 0, 0, 1, true},
		{"its threads waited now and then", seconds(func(a *record.Aggregator, from, until time.Duration) {
			a.Doubts.Starve(from, until, 200*time.Millisecond)
		}), false, 0, 0, 0, false},
		{"it waited after the deadline only", func(a *record.Aggregator) { a.Doubts.Starve(4*time.Second, 6*time.Second, 2*time.Second) }, false, 0, 0, 0, false},
		{"something ran out long before the deadline, by when the generator had hardly run", stall(900 * time.Millisecond), false, 60, 0, 1, true},
		{"what failed at once was not too slow, though the generator did not run meanwhile", stall(40 * time.Millisecond), false, 2, 0, 0, false},
		{"its machine dropped packets most of the time", func(a *record.Aggregator) { a.Drop(3, 0, 1500*time.Millisecond) }, false, 0, 0, 1, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, deadline)
			l.StepBegan(record.StepSignaling, 0)
			end := (*Listener).Failed
			if c.refused {
				end = (*Listener).Refused
			}
			c.happens(s.aggregator)
			s.steady(0)
			for b := range timebase.Bin(600) {
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

func assertKeptOut(t *testing.T, totals record.Totals, joined uint64, excused, never bool) {
	t.Helper()
	assert.Equal(t, metric.Rate{Passes: joined, Total: 1}, rateAtBest(t, totals, "joined"))
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
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.Connected(985 * time.Millisecond)
			s.steady(0)
			s.aggregator.Doubts.Starve(0, time.Second, c.waited)
			for b := range timebase.Bin(300) {
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
			a := record.NewAggregator()
			a.Doubt(doubt.Stalled, time.Second, time.Second+c.stalled)
			assert.Equal(t, c.best, a.Doubts.AtBest(time.Second, time.Second+c.failed, had))
		})
	}
}

func TestDoubtWhoWasRefusedIsOwedAllThatIsSent(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l, refused := s.listener(1), s.ledger.AddListener(1, record.Labels{})
	refused.Expect(0, 0, 10*time.Second)
	refused.Refused(0)
	s.aggregator.Doubt(doubt.Contended, 0, 20*time.Second)
	s.aggregator.Deprive(0, 20*time.Second, record.Lateness)
	s.play(m, l, 605, func(b timebase.Bin) (time.Duration, bool) { return 0, b%10 == 9 })
	totals := s.finish()
	assert.InDelta(t, 0.5, totals.Best["delivered"].(metric.Rate).Share(), 1e-9, "contention may have cost the other one its packets")
	assert.InDelta(t, 1, bestOf(totals, "mos").Min, 1e-9)
	assert.InDelta(t, 100, bestOf(totals, "loss").Max, 1e-9)
	assert.NotContains(t, totals.Best, "joined")
}

func TestDoubtALateJoin(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.ledger.AddListener(1, record.Labels{})
	l.Expect(0, 150*time.Millisecond, 10*time.Second)
	s.aggregator.Doubt(doubt.Stalled, 200*time.Millisecond, 300*time.Millisecond)
	l.Connected(400 * time.Millisecond)
	s.steady(0)
	s.play(m, l, 600, func(b timebase.Bin) (time.Duration, bool) { return 0, b < 25 })
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
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.StepBegan(record.StepSignaling, 0)
			l.HeldUp(c.from, c.until)
			l.StepEnded(record.StepSignaling, at(400))
			if c.stalled > 0 {
				s.aggregator.Doubt(doubt.Stalled, c.from, c.from+c.stalled)
			}
			l.Connected(at(400))
			s.steady(0)
			s.play(m, l, 600, func(b timebase.Bin) (time.Duration, bool) { return 0, b < 25 })
			totals := s.finish()
			worst := trend(t, totals, "join_duration").Max
			assert.InDelta(t, 500, worst, 25, "at worst all of it was the server's doing")
			assert.InDelta(t, worst-metric.InMilliseconds(c.doubt), bestOf(totals, "join_duration").Max, 1)
			took, _ := step(t, totals.Values, "signaling")
			assert.InDelta(t, 400, took, 1)
			if best, ok := step(t, totals.Best, "signaling"); ok {
				took = best
			}
			assert.InDelta(t, 400-metric.InMilliseconds(c.doubt), took, 1)
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
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, 10*time.Second)
			l.HeldUp(time.Second, time.Second+c.waited)
			l.Failed(10 * time.Second)
			s.steady(0)
			s.play(m, l, 600, func(timebase.Bin) (time.Duration, bool) { return 0, true })
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
		kind  doubt.Kind
		until time.Duration
		from  time.Duration // what the listener is owed
		best  uint64
	}{
		{"dropped packets for half of the time: the handshake may have been among them", doubt.Dropped, 5 * time.Second, 10 * time.Second, 1},
		{"no core for half of the time", doubt.Contended, 5 * time.Second, 10 * time.Second, 1},
		{"a short stall of the generator explains no failed join", doubt.Stalled, time.Second, 10 * time.Second, 0},
		{"the server refused it", doubt.Contended, 10 * time.Second, time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, 10*time.Second)
			s.aggregator.Doubt(c.kind, 0, c.until)
			l.Connected(c.from)
			s.steady(0)
			s.play(m, l, 600, func(timebase.Bin) (time.Duration, bool) { return 0, true })
			totals := s.finish()
			assert.Equal(t, metric.Rate{Total: 1}, totals.Values["joined"])
			if c.best == 0 {
				assert.NotContains(t, totals.Best, "joined")
				return
			}
			assert.Equal(t, metric.Rate{Passes: 1, Total: 1}, totals.Best["joined"])
			assert.EqualValues(t, 1, s.aggregator.Doubted().LostJoins)
		})
	}
}

// At a limit of the generator those may not get in who were not refused. What they would have heard is
// in doubt, and what others lose is not.
func TestLimitOfTheGeneratorExcusesWhomItKeptOut(t *testing.T) {
	const people = 4 // the last of them gets in
	for _, c := range []struct {
		sentence  string
		limited   bool
		refused   int
		joined    uint64 // at best
		delivered float64
	}{
		{"three had no file left", true, 0, 4, 0.95},
		{"the server refused one of them", true, 1, 3, 0.70},
		{"there was no limit", false, 0, 1, 0.2},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			var all []*Listener
			for range people {
				l := s.ledger.AddListener(1, record.Labels{})
				l.Expect(0, 0, 2*time.Second)
				all = append(all, l)
			}
			s.steady(0)
			if c.limited {
				s.book.Limited()
			}
			for _, l := range all[:c.refused] {
				l.Refused(0)
			}
			for _, l := range all[c.refused : people-1] {
				l.Failed(0)
			}
			all[people-1].Connected(0)
			for b := range timebase.Bin(500) {
				if p := s.say(m, b); b%5 != 0 {
					all[people-1].Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			assert.Equal(t, metric.Rate{Passes: 1, Total: people}, rate(t, totals, "joined"))
			assert.InDelta(t, 0.2, rate(t, totals, "delivered").Share(), 0.01)
			assert.Equal(t, c.joined, rateAtBest(t, totals, "joined").Passes)
			assert.InDelta(t, c.delivered, rateAtBest(t, totals, "delivered").Share(), 0.01, "what the one lost who got in is the server's")
		})
	}
}

// rateAtBest is a rate at best.
func rateAtBest(t *testing.T, totals record.Totals, name string) metric.Rate {
	if best, doubted := totals.Best[name].(metric.Rate); doubted {
		return best
	}
	return rate(t, totals, name)
}
