package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A server that stamps anew by when packets come stamps those wrong that the generator sent late, or
// that waited with it for a core. One that can't count stamps all of them wrong.
func TestStampsThatDoNotFollowAreInDoubtAsFarAsTheGeneratorExplainsThem(t *testing.T) {
	const seconds = 12
	all := func(timebase.Bin) uint32 { return 7 }
	restamped := func(b timebase.Bin) uint32 { // five packets a second, 20 ms late
		stamp := uint32(b) * SamplesPerBin
		if b%10 == 3 {
			stamp += SamplesPerBin
		}
		return stamp
	}
	right := func(b timebase.Bin) uint32 { return uint32(b) * SamplesPerBin }
	for _, c := range []struct {
		sentence         string
		stamp            func(timebase.Bin) uint32
		late             time.Duration // of each frame, in the generator
		waited           time.Duration // of each second, by the server
		mistimed, either [2]float64    // share of all packets: surely, and at most
	}{
		{"right ones", right, 0, 0, [2]float64{0, 0}, [2]float64{0, 0}},
		{"right ones, whatever is in doubt", right, 20 * time.Millisecond, time.Second, [2]float64{0, 0}, [2]float64{0, 0}},
		{"one for all", all, 0, 0, [2]float64{0.9, 1}, [2]float64{0.9, 1}},
		{"one for all, and a server that waited a little", all, 0, 10 * time.Millisecond, [2]float64{0.8, 0.97}, [2]float64{0.9, 1}},
		{"one for all, and a server that waited for long", all, 0, time.Second, [2]float64{0, 0.05}, [2]float64{0.9, 1}},
		{"one for all, and a generator that is always late", all, 20 * time.Millisecond, 0, [2]float64{0, 0.05}, [2]float64{0.9, 1}},
		{"new ones of a server that did not wait", restamped, 0, 0, [2]float64{0.15, 0.25}, [2]float64{0.15, 0.25}},
		{"new ones of a server that waited for as long", restamped, 0, 100 * time.Millisecond, [2]float64{0, 0.02}, [2]float64{0.15, 0.25}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m, l := s.source(speechClip(700), 0, 0), s.listener(1)
			for b := range timebase.Bin(seconds * 50) {
				p := s.say(m, b)
				m.Sent(b, c.late)
				p.Timestamp = c.stamp(b)
				p.At += c.late
				l.Receive(p)
				if b%50 == 49 {
					now := (b + 1).Start()
					if c.waited > 0 {
						s.aggregator.Deprive(now-time.Second, now-1, c.waited)
					}
					s.settle(now)
				}
			}
			totals := s.finish()
			certain, either := float64(totals.Mistimed)/(seconds*50), float64(totals.Mistimed+totals.PerhapsMistimed)/(seconds*50)
			assert.GreaterOrEqual(t, certain, c.mistimed[0])
			assert.LessOrEqual(t, certain, c.mistimed[1])
			assert.GreaterOrEqual(t, either, c.either[0])
			assert.LessOrEqual(t, either, c.either[1])
		})
	}
}
