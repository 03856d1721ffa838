package ledger

import (
	"slices"
	"testing"
	"time"

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

// A copy saves the frame before alone, and only if the packet that has it comes, and in time.
func TestFECIsCreditedForWhatItCanSave(t *testing.T) {
	never := func(timebase.Bin) bool { return false }
	every := func(n timebase.Bin, at ...timebase.Bin) func(timebase.Bin) bool {
		return func(b timebase.Bin) bool { return slices.Contains(at, b%n) }
	}
	for name, row := range map[string]struct {
		lost   func(timebase.Bin) bool
		copies func(timebase.Bin) bool // which packets hold one
		late   func(timebase.Bin) bool // which come 400 ms late
		// Of the 2,000 frames. Of a burst, the model conceals a frame more or less.
		saved, concealed int
	}{
		"one frame in ten":                          {every(10, 5), every(1, 0), never, 200, 0},
		"its packet has no copy, all others do":     {every(10, 5), func(b timebase.Bin) bool { return b%10 != 6 }, never, 0, 200},
		"only its packet has a copy":                {every(10, 5), every(10, 6), never, 200, 0},
		"only the lost packet has a copy":           {every(10, 5), every(10, 5), never, 0, 200},
		"two in a row: the first stays lost":        {every(10, 5, 6), every(1, 0), never, 200, 200},
		"four in a row: the first three stay lost":  {every(20, 5, 6, 7, 8), every(1, 0), never, 100, 300},
		"two in a row, and one copy is of a sent":   {every(10, 5, 6), func(b timebase.Bin) bool { return b%10 != 7 }, never, 0, 400},
		"a packet with a copy of what came":         {never, every(1, 0), never, 0, 0},
		"its packet comes when it has been played":  {every(500, 5), every(500, 6), every(500, 6), 0, 8},
		"each second packet, so that none is saved": {every(2, 1), every(2, 1), never, 0, 1000},
		"each second packet, and all are saved":     {every(2, 1), every(2, 0), never, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := speechClip(2000)
			for i := range c.Frames {
				c.Frames[i].FEC = row.copies(timebase.Bin(i))
			}
			s := newScene(t)
			m, l := s.source(c, 0, 0), s.listener(1)
			l.Expect(0, 0, 60*time.Second)
			var held []Packet
			for b := range timebase.Bin(2000) {
				for len(held) > 0 && held[0].At <= b.Start() {
					l.Receive(held[0])
					held = held[1:]
				}
				p := s.say(m, b)
				switch {
				case row.lost(b):
				case row.late(b):
					p.At += 400 * time.Millisecond
					held = append(held, p)
				default:
					l.Receive(p)
				}
				if b%50 == 0 {
					s.settle(b.Start())
				}
			}
			totals := s.finish()
			saved := uint64(0)
			if _, credited := totals.Values["recovered{by:fec}"]; credited {
				saved = rate(t, totals, "recovered{by:fec}").Passes
			}
			assert.InDelta(t, row.saved, saved, 3)
			assert.InDelta(t, 100*float64(row.concealed)/2000, trend(t, totals, "concealed").Max, 0.15)
		})
	}
}

// Every tenth packet is lost. A server that makes redundant audio, or passes it on, is
// credited with what is played from it, and with no packet; one that puts something else in
// is not, nor one that strips it.
func TestREDIsCreditedForWhatItSaves(t *testing.T) {
	c := speechClip(1500)
	heard := func(copyOf func(b timebase.Bin) []Copy, fec, asks bool) record.Totals {
		for i := range c.Frames {
			c.Frames[i].FEC = fec
		}
		s := newScene(t)
		m, l := s.source(c, 0, 0), s.listener(1)
		if asks {
			l.AskRedundant()
		}
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
			totals := heard(row.copies, row.fec, false)
			assert.InDelta(t, 10, trend(t, totals, "loss").Max, 0.1, "the packets are lost all the same")
			assert.Zero(t, totals.Values["duplicates"])
			assert.Zero(t, totals.Values["out_of_order"])
			assert.Zero(t, totals.Foreign)
			if !row.recovers {
				assert.InDelta(t, 10, trend(t, totals, "concealed").Max, 1)
				assert.NotContains(t, totals.Values, "recovered{by:red}")
				refused := rate(t, heard(row.copies, row.fec, true), "recovered{by:red}")
				assert.Zero(t, refused.Passes, "one who asked for it was refused it")
				assert.InDelta(t, 100, refused.Total, 10)
				return
			}
			assert.Equal(t, totals.Values["recovered{by:red}"], heard(row.copies, row.fec, true).Values["recovered{by:red}"])
			assert.InDelta(t, 0, trend(t, totals, "concealed").Max, 0.5)
			recovered := rate(t, totals, "recovered{by:red}")
			assert.InDelta(t, 100, recovered.Total, 2)
			assert.Greater(t, recovered.Share(), 0.97)
			assert.NotContains(t, totals.Values, "recovered{by:fec}", "the exact copy is the better one")
		})
	}
}
