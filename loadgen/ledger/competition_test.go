package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// serve plays 12 s whose packets the server sends late or loses, and books in each 100 ms by how much it
// is behind for others.
func (s *scene) serve(do func(timebase.Bin) (behind, late time.Duration, lost bool)) {
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(600) {
		p := s.say(m, b)
		behind, late, lost := do(b)
		p.At += late
		if !lost {
			l.Receive(p)
		}
		if b%5 == 4 {
			s.aggregator.Compete((b - 4).Start(), (b + 1).Start(), behind, behind, true)
		}
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
}

// A server that waits for a core while the generator runs on it is late for that, and loses nothing.
func TestCompetitionMakesAServerLateAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		sentence  string
		behind    time.Duration // while the packets are late
		late      time.Duration
		lost      bool // every fifth packet
		undecided bool
		threshold [2]string
	}{
		{"the packets may be late for it", 60 * time.Millisecond, 50 * time.Millisecond, false, true, [2]string{"latency", "max < 20ms"}},
		{"so are they for whoever hears them", 60 * time.Millisecond, 50 * time.Millisecond, false, true, [2]string{"latency_listener", "max < 20ms"}},
		{"and for the window that they are in", 60 * time.Millisecond, 50 * time.Millisecond, false, true, [2]string{"latency", "p(99) < 20ms over 1s"}},
		{"the gaps between them are longer", 60 * time.Millisecond, 50 * time.Millisecond, false, true, [2]string{"audio_gap", "max < 30ms"}},
		{"and their jitter is", 60 * time.Millisecond, 50 * time.Millisecond, false, true, [2]string{"jitter", "max < 0.05ms"}},
		{"a jitter buffer may conceal them for it", 210 * time.Millisecond, 200 * time.Millisecond, false, true, [2]string{"concealed", "max < 0.1"}},
		{"it waited for less than they are late", 20 * time.Millisecond, 50 * time.Millisecond, false, false, [2]string{"latency", "max < 20ms"}},
		{"it did not wait", 0, 50 * time.Millisecond, false, false, [2]string{"latency", "max < 20ms"}},
		{"what it loses it would have lost anyway", 60 * time.Millisecond, 0, true, false, [2]string{"delivered", "rate > 0.95"}},
		{"what it loses while its buffers may be full is a part of that", 150 * time.Millisecond, 0, true, false, [2]string{"delivered", "rate > 0.95"}},
		{"and the listeners miss it", 60 * time.Millisecond, 0, true, false, [2]string{"loss", "max < 5"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			thresholds := s.asks(c.threshold)
			s.serve(func(b timebase.Bin) (behind, late time.Duration, lost bool) {
				if b >= 300 && b < 325 {
					behind, late = c.behind, c.late
				}
				return behind, late, c.lost && b%5 == 0
			})
			s.failsOr(c.undecided, thresholds)
		})
	}
}

// Who is behind now and then has packets that did not wait; no packet was faster than the fastest of these.
func TestCompetitionLeavesTheFastestPacket(t *testing.T) {
	for _, c := range []struct {
		sentence string
		always   bool
		best     float64 // ms
	}{
		{"it is behind for half of each second", false, 5},
		{"it is behind all the time, and how fast it would be is not known", true, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			s.serve(func(b timebase.Bin) (behind, late time.Duration, lost bool) {
				if c.always || b%50 >= 25 {
					behind, late = 400*time.Millisecond, 30*time.Millisecond
				}
				return behind, late, false
			})
			totals := s.finish()
			for _, name := range []string{"latency", "latency_listener"} {
				assert.InDelta(t, c.best, totals.Best[name].(*metric.Trend).Summary().Min, 0.01, name)
			}
		})
	}
}
