package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestListenerCountsEveryPacketWithItsLatency(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 600, 3*time.Millisecond) // loops after 100 frames
	l := s.listener(3)
	for b := range timebase.Bin(900) {
		l.Receive(s.say(m, b))
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 900 - 5, Total: 900 - 5}, rate(t, totals, "delivered"), "all but the turn's first 100 ms")
	assert.Equal(t, metric.Rate{Passes: 0, Total: 900}, rate(t, totals, "unrecognised"))
	latency := trend(t, totals, "latency")
	assert.EqualValues(t, 900, latency.Count)
	assert.InDelta(t, 5, latency.Min, 0.01)
	assert.InDelta(t, 5, latency.Max, 0.01)
	assert.EqualValues(t, 900, totals.Received)
	assert.InDelta(t, 20, trend(t, totals, "audio_gap").Max, 0.01)
	assert.InDelta(t, 0, trend(t, totals, "jitter").Max, 0.001)
}

func TestListenerCountsLossAndDuplicatesOnce(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(205) {
		p := s.say(m, b)
		if b >= 105 && b < 115 {
			continue
		}
		l.Receive(p)
		if b == 50 {
			l.Receive(p)
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 190, Total: 200}, rate(t, totals, "delivered"))
	assert.Equal(t, metric.Counter(2), totals.Values["duplicates"])
	assert.EqualValues(t, 195, totals.Received)
	assert.InDelta(t, 220, trend(t, totals, "audio_gap").Max, 0.01, "ten frames missing make a gap of eleven")
}

func TestListenerCountsReorderedPackets(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := timebase.Bin(0); b < 100; b += 2 {
		first, second := s.say(m, b), s.say(m, b+1)
		l.Receive(second)
		l.Receive(first)
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 95, Total: 95}, rate(t, totals, "delivered"))
	assert.Equal(t, metric.Counter(50), totals.Values["out_of_order"])
	assert.Equal(t, metric.Counter(0), totals.Values["duplicates"])
}

// A server may number a section's packets anew for a new talker. What overtakes after that counts.
func TestNewTalkerOfASectionIsNotOutOfOrder(t *testing.T) {
	s := newScene(t)
	other := speechClip(600)
	for i := range other.Frames {
		other.Frames[i].Payload = fmt.Appendf(nil, "another's frame %d", i)
	}
	first, second := s.source(speechClip(700), 0, 0), s.source(other, 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(first, b)
		p.Sequence += 30_000
		l.Receive(p)
	}
	for b := timebase.Bin(100); b < 200; b += 2 {
		now, next := s.say(second, b), s.say(second, b+1)
		now.Talker, next.Talker = 8, 8
		if b == 150 {
			now, next = next, now
		}
		l.Receive(now)
		l.Receive(next)
	}
	totals := s.finish()
	assert.Equal(t, metric.Counter(1), totals.Values["out_of_order"])
	assert.Equal(t, metric.Counter(0), totals.Values["duplicates"])
}

func TestListenerJoiningInSilenceIsMeasuredOnceSpeechIdentifiesTheFrame(t *testing.T) {
	s := newScene(t)
	m := s.source(withSilence(speechClip(700), 0, 150), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(300) {
		l.Receive(s.say(m, b))
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 295, Total: 295}, rate(t, totals, "delivered"))
	assert.Equal(t, metric.Rate{Passes: 0, Total: 300}, rate(t, totals, "unrecognised"))
	latency := trend(t, totals, "latency")
	assert.EqualValues(t, 300, latency.Count, "the silent frames too")
	assert.InDelta(t, 5, latency.Min, 0.01)
	assert.InDelta(t, 5, latency.Max, 0.01)
}

func TestLongSilenceIsCredited(t *testing.T) {
	s := newScene(t)
	m := s.source(withSilence(speechClip(2000), 0, 600), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(800) {
		l.Receive(s.say(m, b))
		s.settle((b + 1).Start())
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 795, Total: 795}, rate(t, totals, "delivered"))
	assert.Equal(t, metric.Rate{Passes: 0, Total: 800}, rate(t, totals, "unrecognised"))
}

func TestLatencyAroundLoopedSilence(t *testing.T) {
	s := newScene(t)
	m := s.source(withSilence(speechClip(400), 100, 350), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(1200) {
		p := s.say(m, b)
		p.At += 300 * time.Millisecond // far more than a frame of silence
		l.Receive(p)
		s.settle((b + 1).Start())
	}
	latency := trend(t, s.finish(), "latency")
	assert.EqualValues(t, 1200, latency.Count)
	assert.InDelta(t, 305, latency.Min, 0.5)
	assert.InDelta(t, 305, latency.Max, 0.5)
}

func TestSilenceAloneHasNoLatency(t *testing.T) {
	s := newScene(t)
	m := s.source(withSilence(speechClip(400), 0, 400), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(600) {
		p := s.say(m, b)
		if b >= 100 { // any of the frames before may be meant
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 500, Total: 500}, rate(t, totals, "unrecognised"))
	assert.Zero(t, trend(t, totals, "latency").Count)
	assert.Zero(t, rate(t, totals, "delivered").Passes)
}

func TestClipShorterThanLatenessIsAmbiguous(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(100), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(300) {
		p := s.say(m, b)
		if b >= 200 { // two loops may be meant
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 100, Total: 100}, rate(t, totals, "unrecognised"))
}

func TestSourcesWithTheSameSilenceAreSeparatedByTalker(t *testing.T) {
	s := newScene(t)
	silent := withSilence(speechClip(700), 100, 200)
	first, second := s.source(silent, 0, 0), s.source(silent, 20, 10*time.Millisecond)
	l := s.listener(1)
	for b := range timebase.Bin(300) {
		one, other := s.say(first, b), s.say(second, b)
		other.Talker = 8
		if b < 150 {
			l.Receive(one)
		} else {
			l.Receive(other) // the same payload, on the same timeline
		}
	}
	latency := trend(t, s.finish(), "latency")
	assert.EqualValues(t, 300, latency.Count)
	assert.InDelta(t, 5, latency.Min, 0.01)
	assert.InDelta(t, 5, latency.Max, 0.01)
}

func TestUnknownPayloadIsUnrecognised(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(m, b)
		if b == 50 {
			p.Payload = []byte("forged")
		}
		l.Receive(p)
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 1, Total: 100}, rate(t, totals, "unrecognised"))
	assert.Equal(t, metric.Rate{Passes: 94, Total: 95}, rate(t, totals, "delivered"))
}

// Forwarding servers put in silence where a track begins, is muted or ends.
func TestSilenceOfAServerIsForeignOnlyInThePlaceOfSpeech(t *testing.T) {
	blank := append([]byte{0xf8, 0xff, 0xfe}, make([]byte, 77)...)
	for _, c := range []struct {
		sentence string
		silent   func(b timebase.Bin) bool // the server sends silence
		says     func(b timebase.Bin) bool // the mic sends
		foreign  uint64
	}{
		{"silence before the first word is no other audio",
			func(b timebase.Bin) bool { return b < 50 }, func(b timebase.Bin) bool { return b >= 50 }, 0},
		{"nor is a second of it after the last",
			func(b timebase.Bin) bool { return b >= 220 && b < 270 }, func(b timebase.Bin) bool { return b < 200 }, 0},
		{"nor after each of several mutes",
			func(b timebase.Bin) bool { return b%200 >= 120 && b%200 < 170 }, func(b timebase.Bin) bool { return b%200 < 100 }, 0},
		{"what is said and replaced by silence is, but for what a mute may take",
			func(b timebase.Bin) bool { return b >= 100 && b < 140 }, func(timebase.Bin) bool { return true }, 40 - maxReplaced},
		{"silence for ever is, but for its first one and a half seconds",
			func(b timebase.Bin) bool { return b >= 120 }, func(b timebase.Bin) bool { return b < 100 }, 400 - 120 - maxSilent},
		{"silence in place of everything is, too",
			func(timebase.Bin) bool { return true }, func(timebase.Bin) bool { return true }, 400 - maxSilent},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(400) {
				p := Packet{Sequence: uint16(b), Timestamp: uint32(b) * SamplesPerBin, Talker: 7, At: b.Start() + 5*time.Millisecond}
				says := c.says(b)
				if says {
					p = s.say(m, b)
				}
				if c.silent(b) {
					p.Payload = blank
				} else if !says {
					continue
				}
				l.Receive(p)
			}
			assert.Equal(t, c.foreign, s.finish().Foreign)
		})
	}
	for _, payload := range [][]byte{{0xf8, 0xff, 0xfe}, {0xf8}, {0xf8, 0x01}, {}} {
		assert.True(t, isSilence(payload), "%x", payload)
	}
	for _, payload := range [][]byte{{0xf8, 0xff, 0xfe, 1}, {0xf8, 0xff, 0xff}, []byte("audio")} {
		assert.False(t, isSilence(payload), "%x", payload)
	}
}

func TestSilenceOfTheServersOwnIsNoAudio(t *testing.T) {
	padded := append([]byte{0xf8, 0xff, 0xfe}, make([]byte, 77)...)
	for name, c := range map[string]struct {
		clip    *speech.Clip
		payload []byte
		unknown uint64
		passes  uint64 // of 95 that are owed
	}{
		"it is neither audio nor unrecognised":   {speechClip(700), padded, 0, 75},
		"without padding, too":                   {speechClip(700), padded[:3], 0, 75},
		"what only begins like it is audio":      {speechClip(700), append(padded[:80:80], 1), 20, 75},
		"where people send it, one out of place": {withSilence(speechClip(700), 300, 301), padded[:3], 20, 75},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(c.clip, 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(100) {
				p := s.say(m, b)
				if b >= 50 && b < 70 { // the server mutes the speaker
					p.Payload = c.payload
				}
				l.Receive(p)
			}
			totals := s.finish()
			assert.Equal(t, metric.Rate{Passes: c.unknown, Total: 80 + c.unknown}, rate(t, totals, "unrecognised"))
			assert.Equal(t, metric.Rate{Passes: c.passes, Total: 95}, rate(t, totals, "delivered"))
		})
	}
}

func TestVoicesAreTheSourcesThatHaveSentAndStillMay(t *testing.T) {
	s := newScene(t)
	assert.Zero(t, s.ledger.Voices())
	speaks, silent := s.source(speechClip(700), 0, 0), s.source(speechClip(700), 0, 0)
	speaks.Decided(0)
	silent.Decided(0)
	assert.Zero(t, s.ledger.Voices(), "nobody has said anything")
	s.say(speaks, 1)
	assert.Equal(t, 1, s.ledger.Voices())
	s.say(silent, 2)
	assert.Equal(t, 2, s.ledger.Voices())
	speaks.Decided(timebase.Never)
	assert.Equal(t, 1, s.ledger.Voices(), "one has left")
}

func TestFrameFromTheFutureIsUnrecognised(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.say(m, 0)
	l.Receive(Packet{Payload: m.Frame(30).Payload, At: time.Millisecond})
	s.say(m, 1)
	assert.Equal(t, metric.Rate{Passes: 1, Total: 1}, rate(t, s.finish(), "unrecognised"))
}

func TestSilentListenerIsLossFromItsDeadline(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.ledger.AddListener(1, record.Labels{})
	l.Expect(0, 0, 0+10*time.Second)
	l.Connected(timebase.Bin(50).Start())
	s.steady(0)
	for b := range timebase.Bin(600) {
		s.say(m, b)
		s.settle((b + 1).Start())
	}
	totals := s.finish()
	assert.Equal(t, metric.Rate{Passes: 0, Total: 550}, rate(t, totals, "delivered"))
	assert.Equal(t, metric.Rate{Passes: 0, Total: 1}, rate(t, totals, "joined"))
	assert.EqualValues(t, 1, trend(t, totals, "join_duration").Count, "they wait at least as long")
	assert.InDelta(t, 10_000, trend(t, totals, "join_duration").Max, 1)
	assert.InDelta(t, 550*20, trend(t, totals, "audio_gap").Max, 20)
	assert.InDelta(t, 1, trend(t, totals, "mos").Max, 0.2)
}

func TestListenerCountsPacketsBeforeConnected(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.ledger.AddListener(1, record.Labels{})
	s.steady(0)
	for b := range timebase.Bin(100) {
		l.Receive(s.say(m, b))
	}
	l.Connected(timebase.Bin(10).Start())
	assert.Equal(t, metric.Rate{Passes: 90, Total: 90}, rate(t, s.finish(), "delivered"))
}

func TestListenerStopsCountingWhenItLeaves(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(200) {
		p := s.say(m, b)
		if b == 100 {
			l.Left(b.Start())
		}
		if b < 100 {
			l.Receive(p)
		}
	}
	assert.Equal(t, metric.Rate{Passes: 95, Total: 95}, rate(t, s.finish(), "delivered"))
}

func TestLatencyIsOfTheMeasuredWindowOnly(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.ledger.AddListener(1, record.Labels{})
	l.Connected(0)
	for b := range timebase.Bin(100) {
		if b == 40 {
			s.steady(b.Start())
		}
		l.Receive(s.say(m, b))
	}
	totals := s.finish()
	assert.EqualValues(t, 60, trend(t, totals, "latency").Count)
	assert.EqualValues(t, 60, totals.Received)
	assert.Equal(t, metric.Rate{Passes: 95, Total: 95}, rate(t, totals, "delivered"), "delivery counts from the join")
}
