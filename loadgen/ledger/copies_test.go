package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// clipOf has frames of so many bytes.
func clipOf(lengths ...int) *speech.Clip {
	c := &speech.Clip{}
	for _, n := range lengths {
		c.Frames = append(c.Frames, speech.Frame{Payload: make([]byte, n)})
	}
	return c
}

func TestLedgerMixesTheFactorsOfItsRecordings(t *testing.T) {
	s := newScene(t)
	assert.Equal(t, emodel.Usual, s.ledger.factors(), "before there are any")
	s.source(clipOf(60, 65), 0, 0)
	s.source(clipOf(100, 101), 0, 0)
	assert.InDelta(t, (20.209+10.666)/2, s.ledger.factors().Impairment, 0.01)
}

// Every tenth packet is lost; all packets have a copy of the frame before, or none has.
func TestFECIsCreditedWhereTheStreamHasIt(t *testing.T) {
	heard := func(fec bool) record.Totals {
		c := speechClip(1500)
		for i := range c.Frames {
			c.Frames[i].FEC = fec
		}
		s := newScene(t)
		m, l := s.source(c, 0, 0), s.listener(1)
		for b := range timebase.Bin(1000) {
			if p := s.say(m, b); b%10 != 5 {
				l.Receive(p)
			}
			if b%50 == 0 {
				s.settle(b.Start())
			}
		}
		return s.finish()
	}
	with, without := heard(true), heard(false)
	assert.InDelta(t, 10, trend(t, without, "concealed").Max, 1)
	assert.InDelta(t, 0, trend(t, with, "concealed").Max, 0.5)
	assert.InDelta(t, 10, trend(t, with, "loss").Max, 0.1, "the packets are lost all the same")
	assert.Greater(t, trend(t, with, "mos").Min, trend(t, without, "mos").Min+0.5)
	assert.NotContains(t, without.Values, "recovered{by:fec}")
	recovered := rate(t, with, "recovered{by:fec}")
	assert.InDelta(t, 100, recovered.Total, 2)
	assert.Greater(t, recovered.Share(), 0.97)
}

// Every tenth packet is lost. A server that makes redundant audio, or passes it on, is
// credited with what is played from it, and with no packet; one that puts something else in
// is not, nor one that strips it.
func TestREDIsCreditedForWhatItSaves(t *testing.T) {
	c := speechClip(1500)
	heard := func(copyOf func(b timebase.Bin) []Copy, fec bool) record.Totals {
		for i := range c.Frames {
			c.Frames[i].FEC = fec
		}
		s := newScene(t)
		m, l := s.source(c, 0, 0), s.listener(1)
		for b := range timebase.Bin(1000) {
			p := s.say(m, b)
			if b > 1 {
				p.Copies = copyOf(b)
			}
			if b%10 != 5 {
				l.Receive(p)
			}
			if b%50 == 0 {
				s.settle(b.Start())
			}
		}
		return s.finish()
	}
	payload := func(b timebase.Bin) []byte { return c.Frames[b].Payload }
	before := func(b timebase.Bin) []Copy { return []Copy{{960, payload(b - 1)}} }
	for name, row := range map[string]struct {
		copies   func(b timebase.Bin) []Copy
		fec      bool
		recovers bool
	}{
		"the frame before":          {before, false, true},
		"the two before":            {func(b timebase.Bin) []Copy { return []Copy{{1920, payload(b - 2)}, {960, payload(b - 1)}} }, false, true},
		"the frame before, and FEC": {before, true, true},
		"nothing":                   {func(timebase.Bin) []Copy { return nil }, false, false},
		"noise":                     {func(timebase.Bin) []Copy { return []Copy{{960, []byte("noise")}} }, false, false},
		"the frame before that":     {func(b timebase.Bin) []Copy { return []Copy{{960, payload(b - 2)}} }, false, false},
		"times that are no frame's": {func(b timebase.Bin) []Copy {
			return []Copy{{500, payload(b - 1)}, {0, payload(b)}, {16320, payload(b)}}
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			totals := heard(row.copies, row.fec)
			assert.InDelta(t, 10, trend(t, totals, "loss").Max, 0.1, "the packets are lost all the same")
			assert.Zero(t, totals.Values["duplicates"])
			assert.Zero(t, totals.Values["out_of_order"])
			assert.Zero(t, totals.Foreign)
			if !row.recovers {
				assert.InDelta(t, 10, trend(t, totals, "concealed").Max, 1)
				assert.NotContains(t, totals.Values, "recovered{by:red}")
				return
			}
			assert.InDelta(t, 0, trend(t, totals, "concealed").Max, 0.5)
			recovered := rate(t, totals, "recovered{by:red}")
			assert.InDelta(t, 100, recovered.Total, 2)
			assert.Greater(t, recovered.Share(), 0.97)
			assert.NotContains(t, totals.Values, "recovered{by:fec}", "the exact copy is the better one")
		})
	}
}
