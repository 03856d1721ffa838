package ledger

import (
	"bytes"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// creditCopies gives the section's jitter buffer the copies of earlier frames that came with
// one, if they are what the source said then. They are no packets: what was lost is lost,
// and they only save it from being concealed.
func (l *Listener) creditCopies(sources []*Source, s *section, p place, copies []Copy) {
	for _, c := range copies {
		source, back := sources[p.source], timebase.Bin(c.Offset/SamplesPerBin)
		if c.Offset%SamplesPerBin != 0 || back < 1 || back > p.bin || s.source != p.source {
			continue
		}
		if bytes.Equal(source.Frame(p.bin-back).Payload, c.Payload) {
			l.copied, l.redundant = true, true
			s.buffer.ArriveCopy(int64(p.bin-back), true)
		}
	}
}

// fec is that of in-band forward error correction.
func (l *Listener) fec() record.CopiedRate { return l.copiedRate(l.played.copies - l.played.redundant) }

// refusedAfter is how many packets without a copy tell that a server has none for a listener.
const refusedAfter = 100

// red is that of redundant audio: nothing for a listener to whom none came, unless they asked for it.
func (l *Listener) red() record.CopiedRate {
	refused := !l.redundant && l.asksRED && l.received.packets >= refusedAfter
	if !l.redundant && !refused {
		return record.CopiedRate{}
	}
	r := l.copiedRate(l.played.redundant)
	r.Refused = refused
	return r
}

func (l *Listener) copiedRate(passes uint64) (r record.CopiedRate) {
	missed := func(p played) uint64 { return uint64(p.concealed / timebase.BinLength) }
	r.Worst = metric.Rate{Passes: passes, Total: l.played.copies + missed(l.played)}
	r.Best = r.Worst
	r.Best.Total -= min(missed(l.excused), missed(l.played))
	return r
}
