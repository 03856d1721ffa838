package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Another ear has sequence numbers and time stamps of its own. What it brings counts, what was
// missed before is lost, and nothing looks reordered.
func TestReopenedEarGoesOnWithTheAccount(t *testing.T) {
	for _, c := range []struct {
		name  string
		quiet bool // from bin 120 to 140 nobody speaks
		took  time.Duration
	}{
		{"somebody speaks all the time", false, 51 * timebase.BinLength},
		{"nobody is missed while nobody speaks", true, 31 * timebase.BinLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(100) {
				l.Receive(s.say(m, b))
			}
			lost := uint64(0)
			var other Reopening
			for b := timebase.Bin(100); b < 200; b++ {
				if c.quiet && b >= 120 && b < 140 {
					s.end = b + 1
					continue
				}
				p := s.say(m, b)
				switch {
				case b == 110:
					other = l.Reopen(p.At)
					assert.False(t, other.Over())
				case b == 145:
					other = l.Reopen(p.At) // the first one came to nothing
				}
				if b < 150 {
					if !c.quiet || b < 120 || b >= 145 { // the beginning of a turn is for onset_clip
						lost++
					}
					continue
				}
				p.Sequence, p.Timestamp = 30_000-1+uint16(b), p.Timestamp+77_777
				l.Receive(p)
			}
			require.True(t, other.Over())
			<-other.Heard()
			from, until, quiet := other.Times(0)
			assert.Equal(t, c.took, until-from-quiet)
			totals := s.finish()
			delivered := rate(t, totals, "delivered")
			assert.Equal(t, lost, delivered.Total-delivered.Passes, "what was sent meanwhile is lost, and nothing else")
			assert.Equal(t, metric.Counter(0), totals.Values["out_of_order"])
			assert.Zero(t, rate(t, totals, "unrecognised").Passes)
		})
	}
}

// An ear that replaces one that is still heard may be later than it, and bring some of its frames once more.
func TestReopenedEarRepeatsWhatTheOtherHadBrought(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	other := func(p Packet) Packet {
		p.Sequence, p.Timestamp = p.Sequence+30_000, p.Timestamp+77_777
		return p
	}
	for b := range timebase.Bin(110) {
		l.Receive(s.say(m, b))
	}
	l.Reopen(s.packet(m, 109).At)
	for b := timebase.Bin(105); b < 110; b++ {
		p := other(s.packet(m, b))
		p.At += 100 * time.Millisecond
		l.Receive(p)
	}
	for b := timebase.Bin(110); b < 200; b++ {
		p := other(s.say(m, b))
		p.At += 100 * time.Millisecond
		l.Receive(p)
		if b == 150 {
			p.Sequence++ // the server sends it twice
			l.Receive(p)
		}
	}
	totals := s.finish()
	assert.Equal(t, metric.Counter(1), totals.Values["duplicates"])
	assert.EqualValues(t, 195, rate(t, totals, "delivered").Passes, "all but the first 100 ms")
}

// People on stage are not owed what they say themselves, and may wait for others for long.
func TestReopenedEarOnStageMissesOnlyOthers(t *testing.T) {
	s := newScene(t)
	own, other := s.source(speechClip(700), 0, 0), s.source(speechClip(600), 0, 0)
	l := s.listener(1)
	l.Speaks(own)
	for b := range timebase.Bin(400) {
		s.say(own, b)
		if b < 50 || b >= 300 {
			p := s.say(other, b)
			p.Sequence = uint16(b)
			if b < 50 {
				l.Receive(p)
			}
		}
	}
	opened := l.Reopen(own.Intended(200))
	from, until, quiet := opened.Times(own.Intended(350))
	assert.Equal(t, 150*timebase.BinLength, until-from)
	assert.InDelta(t, 100*timebase.BinLength, quiet, float64(2*timebase.BinLength), "until bin 300 nobody else speaks")
}
