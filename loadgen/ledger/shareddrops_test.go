package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// turn is the packets of a bin for so many listeners, if somebody speaks: for most of each second.
func (s *scene) turn(m *Source, b timebase.Bin, listeners int) []Packet {
	if b%50 >= 42 {
		return nil
	}
	return slices.Repeat([]Packet{s.say(m, b)}, listeners)
}

// A packet that was dropped is one listener's, in whichever metric it counts: a server that does
// the same to all listeners is not excused by a few drops.
func TestDropsAreSharedInEveryMetricOfListeners(t *testing.T) {
	for _, c := range []struct {
		sentence string
		dropped  uint64 // a second
		fails    bool
	}{
		{"the generator drops nothing", 0, true},
		{"it drops one packet a second, and the server fails 20 listeners", 1, true},
		{"it drops so many that they may be all that is missing", 100, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			thresholds := s.asks([2]string{"mos", "p(50) > 4 over 4s"}, [2]string{"mos_worst", "p(50) > 4"},
				[2]string{"onset_clip", "p(50) < 20ms"}, [2]string{"loss", "p(50) < 5"}, [2]string{"audio_gap", "p(50) < 30ms"})
			m := s.source(speechClip(900), 0, 0)
			var all []*Listener
			for range 20 {
				l := s.ledger.AddListener(1, record.Labels{})
				l.Expect(0, 0, 10*time.Second)
				l.Connected(0)
				all = append(all, l)
			}
			s.steady(0)
			for b := range timebase.Bin(16 * 50) {
				for i, p := range s.turn(m, b, len(all)) {
					// Of each turn the first three frames are missing, and a tenth of the rest.
					if b%50 >= 3 && (int(b)+i)%10 != 0 {
						all[i].Receive(p)
					}
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drop(c.dropped, max(0, now-2*time.Second), now)
					s.settle(now)
				}
			}
			s.failsOr(!c.fails, thresholds)
		})
	}
}

// Who asks again for what was dropped gets it late. A packet that was dropped is one listener's
// even so, and one label's: a server that is late with all is not excused by a few drops.
func TestDropsAreSharedByThoseWhoAskAgain(t *testing.T) {
	for _, c := range []struct {
		sentence string
		dropped  uint64 // a second
		fails    bool
	}{
		{"the generator drops nothing", 0, true},
		{"it drops one packet a second, and the server is late with fifty", 1, true},
		{"it drops so many that they may be all that was late", 200, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			thresholds := s.asks([2]string{"latency", "p(97) < 100ms"}, [2]string{"latency{network:1}", "p(97) < 100ms"},
				[2]string{"latency{phase:steady}", "p(97) < 100ms"}, [2]string{"latency", "p(97) < 100ms over 4s"},
				[2]string{"latency_listener", "p(50) < 100ms"}, [2]string{"jitter", "p(50) < 5ms"})
			m := s.source(speechClip(900), 0, 0)
			var all []*Listener
			for i := range 20 {
				l := s.ledger.AddListener(1, record.Labels{Network: fmt.Sprint(i / 2)})
				l.Expect(0, 0, 10*time.Second)
				l.Connected(0)
				all = append(all, l)
			}
			s.steady(0)
			for b := range timebase.Bin(16 * 50) {
				for i, p := range slices.Repeat([]Packet{s.say(m, b)}, len(all)) {
					if (int(b)+i)%20 == 0 {
						p.At += 300 * time.Millisecond
					}
					all[i].Receive(p)
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drop(c.dropped, max(0, now-2*time.Second), now)
					s.settle(now)
				}
			}
			s.failsOr(!c.fails, thresholds)
		})
	}
}
