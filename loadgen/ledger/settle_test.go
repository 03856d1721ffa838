package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestDeliveredOwesAsManyVoicesAsSections(t *testing.T) {
	for _, c := range []struct {
		name            string
		sections, heard int
		owed            uint64
	}{
		{"three talk, one section, the one is heard", 1, 1, 100},
		{"three talk, two sections, both are heard", 2, 2, 200},
		{"three talk, three sections, all are heard", 3, 3, 300},
		{"three talk, five sections, all are heard", 5, 3, 300},
		{"three talk, three sections, one is heard", 3, 1, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			var sources []*Source
			for i := range 3 {
				sources = append(sources, s.source(speechClip(700), 200*i, 0))
			}
			l := s.listener(c.sections)
			for b := range timebase.Bin(105) {
				for i, m := range sources {
					p := s.say(m, b)
					p.Section = i
					if i < c.heard {
						l.Receive(p)
					}
				}
			}
			r := rate(t, s.finish(), "delivered")
			assert.Equal(t, c.owed, r.Total)
			assert.Equal(t, uint64(c.heard)*100, r.Passes)
		})
	}
}

func TestOnsetClipHasTheStartOfATurn(t *testing.T) {
	for _, c := range []struct {
		name   string
		missed timebase.Bin
		clip   float64
		loss   uint64
	}{
		{"nothing is missed", 0, 0, 0},
		{"two frames are missed", 2, 40, 0},
		{"all 100 ms are missed", 5, 100, 0},
		{"more is missed, which is loss", 8, 100, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			for b := timebase.Bin(60); b < 160; b++ { // the turn begins in one word and goes on in the next
				p := s.say(m, b)
				if b >= 60+c.missed {
					l.Receive(p)
				}
			}
			totals := s.finish()
			clip := trend(t, totals, "onset_clip")
			require.EqualValues(t, 1, clip.Count)
			assert.InDelta(t, c.clip, clip.Max, 0.01)
			assert.Equal(t, metric.Rate{Passes: 95 - c.loss, Total: 95}, rate(t, totals, "delivered"))
		})
	}
}

func TestDeliveredAllowsANewTalkerToTakeASection(t *testing.T) {
	s := newScene(t)
	old, young := s.source(speechClip(700), 0, 0), s.source(speechClip(700), 300, 0)
	l := s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(old, b)
		if b < 50 {
			l.Receive(p)
			continue
		}
		q := s.say(young, b)
		q.Talker = 9
		l.Receive(q)
	}
	assert.Equal(t, metric.Rate{Passes: 90, Total: 90}, rate(t, s.finish(), "delivered"))
}

func TestAudioGapIgnoresSilence(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(2000) {
		if b%400 < 100 { // speaks 2 s of every 8
			l.Receive(s.say(m, b))
		}
		s.settle((b + 1).Start())
	}
	totals := s.finish()
	assert.InDelta(t, 20, trend(t, totals, "audio_gap").Max, 41, "a frame, and the two bins at the ends of the pause")
	assert.Equal(t, uint64(5*95), rate(t, totals, "delivered").Total)
	assert.EqualValues(t, 5, trend(t, totals, "onset_clip").Count)
}

func TestDeliveredOwesNoWithdrawnFrames(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(m, b)
		if b < 97 {
			l.Receive(p)
		}
	}
	m.Withdraw(3)
	s.end = 200
	assert.Equal(t, metric.Rate{Passes: 92, Total: 92}, rate(t, s.finish(), "delivered"))
}

func TestDeliveredOwesNothingOfOnesOwn(t *testing.T) {
	s := newScene(t)
	other, own := s.source(speechClip(700), 0, 0), s.source(speechClip(700), 300, 0)
	l := s.listener(3)
	l.Speaks(own)
	for b := range timebase.Bin(105) {
		s.say(own, b)
		l.Receive(s.say(other, b))
	}
	assert.Equal(t, metric.Rate{Passes: 100, Total: 100}, rate(t, s.finish(), "delivered"))
}

// A turnTaker is a source that talks and pauses by chance, and what a plain count makes
// of what it says.
type turnTaker struct {
	source   *Source
	number   int
	speaking bool
	since    timebase.Bin // when the turn began
}

// spokenBin is what was said in a bin, and received of it.
type spokenBin struct {
	speech, onsets, heard int
	received              uint64
	held                  []Packet // to come a bin late
}

// say has the source say a bin to a listener, by chance lost, late or twice.
func (k *turnTaker) say(rt *rapid.T, s *scene, l *Listener, b timebase.Bin, into *spokenBin) {
	if rapid.IntRange(0, 49).Draw(rt, "switch") == 0 || b == 0 {
		k.speaking, k.since = !k.speaking, b
	}
	if !k.speaking {
		return
	}
	p := s.say(k.source, b)
	p.Section, p.Talker = k.number, uint32(k.number+1)
	onset := b < k.since+onsetBins
	if onset {
		into.onsets++
	} else {
		into.speech++
	}
	if rapid.IntRange(0, 19).Draw(rt, "lost") == 0 {
		return
	}
	into.received++
	if !onset {
		into.heard++
	}
	switch rapid.IntRange(0, 9).Draw(rt, "how") {
	case 0:
		p.At += timebase.BinLength
		into.held = append(into.held, p)
	case 1:
		l.Receive(p)
		l.Receive(p)
	default:
		l.Receive(p)
	}
}

// receiveHeld receives the packets that come in bin b, and returns the others.
func receiveHeld(l *Listener, held []Packet, b timebase.Bin) (waiting []Packet) {
	for _, p := range held {
		if timebase.BinAt(p.At) <= b {
			l.Receive(p)
		} else {
			waiting = append(waiting, p)
		}
	}
	return waiting
}

// Whatever is lost, late, doubled or reordered, and however the sources take
// turns, the account is that of a plain count.
func TestDeliveredEqualsAPlainCount(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScene(t)
		sources := rapid.IntRange(1, 4).Draw(rt, "sources")
		sections := rapid.IntRange(1, 4).Draw(rt, "sections")
		length := timebase.Bin(rapid.IntRange(100, 700).Draw(rt, "bins"))
		var all []*turnTaker
		for i := range sources {
			all = append(all, &turnTaker{source: s.source(speechClip(900), i*150, time.Duration(i)*time.Millisecond), number: i})
		}
		l := s.listener(sections)
		var held []Packet
		var passes, total, received uint64
		for b := range length {
			var said spokenBin
			for _, k := range all {
				k.say(rt, s, l, b, &said)
			}
			owed := min(said.speech, max(sections-said.onsets, 0))
			total += uint64(owed)
			passes += uint64(min(said.heard, owed))
			received += said.received
			held = receiveHeld(l, append(held, said.held...), b)
			if b%50 == 0 {
				s.settle(b.Start())
			}
		}
		for _, p := range held {
			l.Receive(p)
		}
		s.end = length
		totals := s.finish()
		require.Equal(rt, metric.Rate{Passes: passes, Total: total}, rate(t, totals, "delivered"))
		require.Equal(rt, uint64(0), rate(t, totals, "unrecognised").Passes)
		require.Equal(rt, received, totals.Received)
	})
}

func TestAudioGapLongerThanTheLedgerCountsSpeechOnly(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(3000) { // a minute, in which the source speaks 2 s of every 8
		if b%400 < 100 {
			if p := s.say(m, b); b < 50 {
				l.Receive(p)
			}
		}
		if b%50 == 0 {
			s.settle(b.Start())
		}
	}
	// 1 s of the first turn and 7 turns of 2 s.
	assert.InDelta(t, 15_000, trend(t, s.finish(), "audio_gap").Max, 41)
}

// Mics that share a recording, too close to one another: a server is not to blame for what can't be told apart.
func TestDoubtPacketsThatAreAlike(t *testing.T) {
	for _, c := range []struct {
		sentence  string
		alike     bool
		lost      timebase.Bin // one of so many packets; 0: none
		undecided bool
	}{
		{"most packets are alike, and whether they came is not known", true, 0, true},
		{"they are alike, and the server loses some: that is not known either", true, 3, true},
		{"packets can be told apart, and the server loses them", false, 3, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			rows := [][2]string{{"loss", "max < 5"}, {"concealed", "max < 5"}, {"gaps_per_minute", "max < 1"}, {"frozen_time", "max < 100ms"},
				{"mos", "min > 3.5"}, {"mos", "min > 3.5 over 4s"}, {"mos_worst", "min > 3.5"}, {"audio_gap", "max < 50ms"}}
			if !c.alike || c.lost == 0 { // what the server did not send at all is lost in any case
				rows = append(rows, [2]string{"delivered", "rate > 0.9"}, [2]string{"delivered", "rate > 0.9 over 4s"})
			}
			thresholds := s.asks(rows...)
			clip := speechClip(900)
			m, twin := s.source(clip, 0, 0), s.source(clip, 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(800) {
				p := s.say(m, b)
				if c.alike && b >= 150 {
					s.say(twin, b)
					p.Talker = 8 // whoever that is
				}
				if c.lost == 0 || b/4%c.lost != 0 { // four at a time make gaps
					l.Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			s.failsOr(c.undecided, thresholds)
		})
	}
}

// A server may send a voice on another section from one packet to the next, as when a listener has been on
// stage. What played it before misses nothing.
func TestQualityOfAVoiceThatMovesToAnotherSection(t *testing.T) {
	for _, c := range []struct {
		sentence string
		sections []int // of a second each
		lost     bool  // from the first move on
	}{
		{"it moves once", []int{1, 1, 1, 0, 0, 0, 0, 0}, false},
		{"it moves there and back", []int{0, 0, 1, 1, 0, 0, 1, 1}, false},
		{"it is heard no more after it has moved", []int{0, 0, 0, 1, 1, 1, 1, 1}, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(900), 0, 0)
			l := s.listener(2)
			for b := range timebase.Bin(400) {
				p := s.say(m, b)
				if p.Section = c.sections[b/50]; !c.lost || b < 200 {
					l.Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			if c.lost {
				assert.Greater(t, trend(t, totals, "concealed").Max, 40.0)
				return
			}
			assert.Less(t, trend(t, totals, "concealed").Max, 1.0)
			assert.Greater(t, trend(t, totals, "mos").Min, 4.0)
			assert.Zero(t, trend(t, totals, "frozen_time").Max)
		})
	}
}
