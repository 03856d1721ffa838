package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestLateFrameIsNotTheServersDoing(t *testing.T) {
	const late = 84 * time.Second
	for _, c := range []struct {
		sentence string
		send     func(m *Source, b timebase.Bin)
	}{
		{"it was begun to be sent more than a minute late", func(m *Source, b timebase.Bin) { m.Sending(b, late); m.Sent(b, late) }},
		{"the process stopped while it was sent", func(m *Source, b timebase.Bin) { m.Sending(b, 0); m.Sent(b, late) }},
		{"it was heard before the sender knew when it had gone out", func(m *Source, b timebase.Bin) { m.Sending(b, 0) }},
		{"its place in the ledger has been taken by a later one", func(m *Source, b timebase.Bin) {
			m.Sending(b, late)
			m.Sent(b, late)
			m.Sending(b+ringBins, 0)
			m.Sent(b+ringBins, 0)
			m.sent.set(b)
		}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(10) {
				l.Receive(s.say(m, b))
			}
			p := s.packet(m, 10)
			p.At += late
			sources := s.ledger.list()
			c.send(m, 10)
			l.mu.Lock()
			l.sections[0].timestamp = p.Timestamp
			l.credit(sources, &l.sections[0], place{0, 10}, p.At, false)
			l.mu.Unlock()
			totals := s.finish()
			assert.Greater(t, trend(t, totals, "latency").Max, 60_000.0)
			assert.Less(t, bestTrend(t, totals, "latency").Max, 25.0)
			assert.Less(t, bestTrend(t, totals, "jitter").Max, 25.0)
		})
	}
}

// A generator that is late reads a packet when it has sent the same payload again. It is not
// that of the second time, which had not gone out when the packet came.
func TestSearchFindsNoFrameThatHadNotBeenSent(t *testing.T) {
	const length, late = 300, 1500 * time.Millisecond // longer than Lateness
	s := newScene(t)
	m := s.source(speechClip(length), 0, 0)
	l := s.listener(1)
	first := s.say(m, 0)
	first.At = m.Intended(length) + 100*time.Millisecond
	m.Sending(length, late)
	m.Sent(length, late)
	l.Receive(first)
	second := s.packet(m, length)
	second.At += late
	l.Receive(second)
	s.end = length + 100
	totals := s.finish()
	assert.EqualValues(t, 0, totals.Values["duplicates"])
	assert.InDelta(t, 5, bestTrend(t, totals, "latency").Min, 1, "that of the second")
	assert.InDelta(t, 3500, bestTrend(t, totals, "latency").Max, 1, "the first is more than 5 s old, 1.5 s of it by the generator's doing")
	assert.EqualValues(t, 1, rate(t, totals, "unrecognised").Passes)
}

// A frame that was sent late is looked for among those that are as much older: another that fits is not
// taken for it only since it is younger.
func TestSearchFindsWhatWasSentLateBesidesWhatFitsToo(t *testing.T) {
	const length, late = 290, 6 * time.Second
	s := newScene(t)
	clip := speechClip(length)
	m, other := s.source(clip, 0, 0), s.source(clip, 0, 0)
	l := s.listener(1)
	m.Sending(0, late)
	m.Sent(0, late)
	first := s.packet(m, 0)
	first.At += late
	again := s.say(other, length)
	again.Talker = 9
	l.Receive(first)
	assert.EqualValues(t, 1, s.ledger.UnplacedSince(Unplaced{}), "it fits both")
	l.Receive(again)
	l.Receive(s.say(other, length+1))
	s.end = length + 100
	assert.EqualValues(t, 0, s.finish().Values["duplicates"])
}

func TestTellSaysWhenALateFrameMayHaveGoneOut(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	m.Sending(0, 0)
	m.Sent(0, 0)
	m.Sending(1, 30*time.Millisecond)
	m.Sent(1, 30*time.Millisecond)
	m.Sending(2, 10*time.Millisecond)
	m.Sent(2, 90*time.Millisecond)
	m.Sending(3, 10*time.Millisecond)
	told, news := m.Tell()
	assert.True(t, news)
	assert.Equal(t, []ToldFrame{{1, 30_000, 0}, {2, 90_000, 80_000}}, told.Late, "of frame 3 it is not known yet")

	there := newScene(t)
	there.ledger.Await()
	replica, err := there.ledger.AddReplica(speechClip(700), nil, 0, 0)
	assert.NoError(t, err)
	assert.NoError(t, replica.Hear(told, 0))
	assert.Equal(t, 90*time.Millisecond, replica.late(2))
	assert.False(t, replica.sentBy(2, replica.Intended(2)+8*time.Millisecond))
	assert.True(t, replica.sentBy(2, replica.Intended(2)+10*time.Millisecond))
	for _, wrong := range []ToldFrame{{2, -1, 0}, {2, 5, 6}, {2, 5, -1}} {
		assert.ErrorContains(t, replica.Hear(Told{Last: 3, Late: []ToldFrame{wrong}}, 0), "µs")
	}
	m.Sent(3, 10*time.Millisecond)
	told, _ = m.Tell()
	assert.Equal(t, []ToldFrame{{3, 10_000, 0}}, told.Late)
}

// What the generator sends late is owed when the epoch in which it was to be sent has ended.
func TestDoubtQualityOfFramesSentAfterTheEpochTheyBelongTo(t *testing.T) {
	const late = 1200 * time.Millisecond
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.aggregator.Doubt(doubt.Stalled, 0, 400*time.Millisecond)
	for b := range timebase.Bin(400) {
		at := b.Start() // of the generator, which sends late from the second second on
		if b%50 == 0 {
			s.settle(at)
		}
		sending := b
		if b >= 100 {
			sending = b - timebase.Bin(late/timebase.BinLength)
		}
		if b >= 100 && b < 100+timebase.Bin(late/timebase.BinLength) {
			continue // stalled
		}
		p := s.packet(m, sending)
		m.Sending(sending, at-m.Intended(sending))
		m.Sent(sending, at-m.Intended(sending))
		p.At += at - m.Intended(sending)
		if b >= 20 && sending%3 > 0 { // the server may well have dropped what was so late
			l.Receive(p)
		}
	}
	s.end = 400
	totals := s.finish()
	assert.Less(t, trend(t, totals, "mos").Min, 2.0)
	assert.Greater(t, bestTrend(t, totals, "mos").Min, 4.0)
	assert.Zero(t, bestTrend(t, totals, "concealed").Max)
}
