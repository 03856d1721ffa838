package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A frame that goes out late excuses what was heard by those who hear its mic, and not a room of fifty.
func TestLateFrameExcusesThoseWhoHearItsMic(t *testing.T) {
	const mics = 50
	for _, c := range []struct {
		sentence string
		late     int                                // the mic whose frames are late
		hears    func(b timebase.Bin) (x, y, z int) // whom the server passes on
		decided  bool
	}{
		{"nobody's is", -1, func(timebase.Bin) (int, int, int) { return 0, 1, 2 }, true},
		{"a mic's is that the server passes on to nobody", 40, func(timebase.Bin) (int, int, int) { return 0, 1, 2 }, true},
		{"one's that it passes on", 1, func(timebase.Bin) (int, int, int) { return 0, 1, 2 }, false},
		{"one's that had its slot until then", 1, func(b timebase.Bin) (int, int, int) {
			if b%200 < 80 {
				return 0, 3, 2
			}
			return 0, 1, 2
		}, false},
		{"one's that gets a slot soon after", 49, func(b timebase.Bin) (int, int, int) {
			if b%200 >= 10 && b%200 < 20 {
				return 0, 49, 2
			}
			return 0, 1, 2
		}, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			thresholds := s.asks([2]string{"mos", "min > 3"}, [2]string{"mos", "min > 3 over 4s"}, [2]string{"concealed", "max < 10"})
			var all []*Source
			for i := range mics {
				c := speechClip(900)
				for n := range c.Frames {
					c.Frames[n].Payload = fmt.Appendf(nil, "mic %d, frame %d", i, n)
				}
				all = append(all, s.source(c, 0, 0))
			}
			l := s.listener(3)
			for b := range timebase.Bin(20 * 50) {
				packets := s.sayAll(all, b, c.late)
				x, y, z := c.hears(b)
				for section, i := range []int{x, y, z} {
					// The server loses a fifth of what it passes on.
					if p := packets[i]; (int(b)+section)%5 != 0 {
						p.Section = section
						l.Receive(p)
					}
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			s.failsOr(!c.decided, thresholds)
		})
	}
}

// sayAll enters the frames of a bin. One of the sources is late with every two hundredth.
func (s *scene) sayAll(all []*Source, b timebase.Bin, late int) (packets []Packet) {
	for i, m := range all {
		p := s.say(m, b)
		p.Talker = uint32(i)
		packets = append(packets, p)
		by := time.Duration(0)
		if i == late && b%200 == 0 {
			by = 60 * time.Millisecond
		}
		m.Sent(b, by)
	}
	return packets
}
