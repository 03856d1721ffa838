package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestMuteSilenceCountsEachPacketOnceAndOwesNone(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	one, other := s.listener(1), s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(m, b)
		one.Receive(p)
		other.Receive(p)
	}
	m.ExpectSilence(m.Intended(101))
	for b := timebase.Bin(100); b < 150; b++ {
		p := s.say(m, b)
		m.SendIgnored(b, 0)
		if b < 105 {
			one.Receive(p)
			other.Receive(p)
		}
	}
	assert.Equal(t, 1, m.HeardInSilence(m.Intended(103)), "104")
	assert.Equal(t, 3, m.HeardInSilence(0), "102, 103 and 104, which two heard; 101 is not after it")
	m.EndSilence()
	for b := timebase.Bin(150); b < 200; b++ {
		p := s.say(m, b)
		one.Receive(p)
		other.Receive(p)
	}
	assert.Zero(t, m.HeardInSilence(0), "what is said after it is no matter")
	delivered := rate(t, s.finish(), "delivered")
	// 100 and 50 bins, each less 100 ms of a turn's beginning or none, of two.
	assert.Equal(t, delivered.Total, delivered.Passes)
	assert.NotZero(t, delivered.Total)
}

func TestKickSilenceCountsWhatARemovedPersonReceives(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l, stays := s.listener(1), s.listener(1)
	for b := range timebase.Bin(100) {
		p := s.say(m, b)
		stays.Receive(p)
		if b == 50 {
			l.Left(m.Intended(b))
			l.ExpectSilence(m.Intended(b))
		}
		if b <= 53 {
			l.Receive(p)
		}
	}
	assert.Equal(t, 3, l.HeardInSilence(0))
	assert.Zero(t, stays.HeardInSilence(0))
	assert.Equal(t, metric.Rate{Passes: 45 + 95, Total: 45 + 95}, rate(t, s.finish(), "delivered"))
}

func TestSourceFirstHeard(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	select {
	case <-m.Reached():
		t.Fatal("nobody has heard it")
	default:
	}
	for b := range timebase.Bin(20) {
		p := s.say(m, b)
		if b >= 10 {
			l.Receive(p)
		}
	}
	<-m.Reached()
	assert.Equal(t, s.say(m, 20).At-10*timebase.BinLength, m.FirstHeard())
}
