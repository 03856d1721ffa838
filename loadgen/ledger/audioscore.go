package ledger

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/score"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Score has the probes of the room scored for what they hear. It is called before there
// are listeners.
func (r *Ledger) Score() { r.scored, r.said, r.delays = true, said{}, map[int64]time.Duration{} }

// ScoreProbes enters what the probes' audio scores, so many at a time, unless stop says that
// it is not wanted any more. It is called after Finish, by one goroutine at a time.
func (r *Ledger) ScoreProbes(atOnce int, stop func() bool) error {
	excerpts := r.book.excerpts.Load()
	if !r.scored || excerpts == nil {
		return nil
	}
	r.mu.Lock()
	patches := map[*Listener]*scores{}
	for _, l := range r.listeners {
		if l.listening != nil && l.own < 0 {
			patches[l] = &scores{}
		}
	}
	r.mu.Unlock()
	for _, e := range *excerpts {
		voices, err := r.voices(e)
		if err != nil {
			return err
		}
		var group errgroup.Group
		group.SetLimit(atOnce)
		for l, into := range patches {
			group.Go(func() error {
				if stop() {
					return nil
				}
				return l.score(e, voices, into)
			})
		}
		if err := group.Wait(); err != nil || stop() {
			return err
		}
	}
	for l, s := range patches {
		if s.patches > 0 {
			l.cell.Scored(score.Opinion(s.worst/s.patches), score.Opinion(s.best/s.patches))
		}
	}
	return nil
}

// scores are the sums of a listener's patches.
type scores struct{ patches, worst, best float64 }

// voices is what was said in an excerpt, by all together.
func (r *Ledger) voices(e *excerpt) ([]float64, error) {
	all := make([]float64, score.SamplesIn(e.until-e.from))
	first := timebase.BinAt(max(0, e.from-runIn))
	for i, m := range r.list() {
		d, err := score.NewDecoder()
		if err != nil {
			return nil, fmt.Errorf("decode what was said: %w", err)
		}
		for b := first; b <= timebase.BinAt(e.until); b++ {
			w := r.said[e][int64(b/timebase.WordBins)]
			if i >= len(w.speech) || w.speech[i]>>uint(b%timebase.WordBins)&1 == 0 {
				continue
			}
			at := score.SamplesIn(m.Intended(b) - e.from)
			for j, v := range d.Frame(m.Frame(b).Payload) {
				if at+j >= 0 && at+j < len(all) {
					all[at+j] += v
				}
			}
		}
	}
	return all, nil
}

// score adds the patches of an excerpt to a listener's.
func (l *Listener) score(e *excerpt, voices []float64, into *scores) error {
	l.mu.Lock()
	packets, lost, heldUp := l.listening.taken[e], l.lostJoin, l.heldUp(l.deadline)
	joinedAt, from, until := timebase.BinAt(l.firstAt), l.from, l.until
	if !l.joined {
		joinedAt = timebase.Never
	}
	if !l.counting {
		until = 0 // it is owed nothing
	}
	l.mu.Unlock()
	heard, err := score.Play(packets, e.from, e.until+record.Lateness)
	if err != nil {
		return fmt.Errorf("decode what was heard: %w", err)
	}
	bins := func(from, until int) (timebase.Bin, timebase.Bin) {
		at := func(sample int) time.Duration { return e.from + time.Duration(sample)*time.Second/score.SampleRate }
		return timebase.BinAt(at(from)) - 1, timebase.BinAt(at(until)) + 1 // sources send within their bins
	}
	said := l.ledger.said[e]
	usable := func(patch, after int) bool {
		first, end := bins(patch, after)
		if first < from || end > until {
			return false
		}
		for b := first; b < end; b++ {
			if !l.ledger.inSteady(b) || !said[int64(b/timebase.WordBins)].hasSpeech(b, l.capacity) {
				return false
			}
		}
		return true
	}
	compare := func(heard []float64) []score.Patch {
		return score.Compare(voices, heard, score.SamplesIn(record.Lateness), usable)
	}
	// A server that mixes makes up for what comes late to it, and one that stamps anew leaves gaps: that is not undone by
	// what comes from it sooner.
	undone := !l.ledger.marked && !score.Restamped(packets, l.ledger.delay)
	doubtful := func(b timebase.Bin) bool {
		w := said[int64(b/timebase.WordBins)]
		return w.doubtful || !undone && w.disturbed
	}
	excused := func(p score.Patch) bool {
		first, end := bins(p.From, p.From+score.PatchLength)
		return lost || heldUp && first < joinedAt || doubtful(first) || doubtful(end)
	}
	patches := compare(heard)
	var sooner []score.Patch
	if undone && !allOf(patches, excused) {
		if moved := score.Sooner(packets, l.ledger.delay); moved != nil {
			if heard, err = score.Play(moved, e.from, e.until+record.Lateness); err != nil {
				return fmt.Errorf("decode what would have been heard: %w", err)
			}
			sooner = compare(heard)
		}
	}
	for i, p := range patches {
		best := p.Similarity
		if sooner != nil {
			best = score.AtBest(p, sooner[i])
		}
		if excused(p) {
			best = 1
		}
		into.patches++
		into.worst += p.Similarity
		into.best += best
	}
	return nil
}

// allOf reports whether all patches are so.
func allOf(patches []score.Patch, are func(score.Patch) bool) bool {
	return !slices.ContainsFunc(patches, func(p score.Patch) bool { return !are(p) })
}

// hasSpeech reports whether a listener with room for so many voices was to hear all who
// spoke in a bin of the word, and somebody did, past the beginnings of their turns.
func (w saidWord) hasSpeech(b timebase.Bin, capacity int) bool {
	voices, bit := 0, uint64(1)<<uint(b%timebase.WordBins)
	for i := range w.speech {
		if w.onset[i]&bit != 0 {
			return false
		}
		if w.speech[i]&bit != 0 {
			voices++
		}
	}
	return voices > 0 && voices <= capacity
}
