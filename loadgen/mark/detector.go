package mark

import (
	"fmt"

	"github.com/thesyncim/gopus"
)

const (
	// history is how many hops a detector looks back on when it has found a code: 1.28 s.
	history = 64
	// searched is how many hops it searches with: 320 ms.
	searched = 16
	// every is how many hops pass until it searches again for a code that it lacks, at
	// first, and everywhere how many searches until it tries all places. Each time it does
	// it takes twice as many hops to the next, up to 1.28 s.
	every, everywhere, seldom = 8, 4, 3
	// near is how many places are tried first: as late as most servers are.
	near = sampleRate * 3 / 4

	// sure is from which score on a hop alone has the mark. Chance brings one without it
	// there once in a thousand times; but a frame that is missing is mostly parts of two
	// hops, and half of the mark is enough in one that is strong. Around is from which score
	// on a hop and its neighbours together have it.
	sure, around = 0.25, 0.15
	// lost is after how many hops without it a code is searched for again.
	lost = 10
	// drifts is how far a clock may have drifted since the last hop, in samples.
	drifts = 2
	// loud is from which power on a hop has sound: -50 dB of full scale.
	loud = 1e-5
)

// A Presence says whether a hop has the mark of a code.
type Presence int

const (
	// Absent means that it has not.
	Absent Presence = iota
	// Unsure means that those around it have, and that it alone does not tell: the codec
	// may have left out the mark, or the server the frame.
	Unsure
	// Present means that it has.
	Present
)

// A Finding is the mark of a code in a hop.
type Finding struct {
	// Hop is the number of the hop, from 0, and Code that of the code.
	Hop  int
	Code int
	// Frame is which frame of the code's clip the hop holds the most of, and Offset by how
	// many samples the hop begins later than the frame, or earlier.
	Frame, Offset int
	Presence      Presence
}

// A Detector finds marks in a stream of Opus packets.
type Detector struct {
	decoder *gopus.Decoder
	codes   []*Code
	tracks  []track
	found   func(Finding)

	pcm    []float32 // the last samples: pcm[0] is number first of the stream
	first  int
	next   int // the next hop to look at
	hops   [history]*whiteHop
	missed [history]int // numbers of hops of which something did not come, plus 1
	loud   [history]bool
	one    []float32
}

// A track is where a code is in the stream.
type track struct {
	locked bool
	place  int // where in the code the stream's sample 0 would be
	misses int
	tries  int
	until  int // the hop that is judged next
	// judged is the hop before which all have been judged once. Those that lacked the mark before
	// the code was lost are judged again where it is found next.
	judged int
}

// NewDetector makes a detector that reports what it finds of the codes, in the order of
// each code's hops.
func NewDetector(found func(Finding)) (*Detector, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, fmt.Errorf("make an Opus decoder: %w", err)
	}
	return &Detector{decoder: decoder, found: found, pcm: make([]float32, Hop), first: -Hop, one: make([]float32, longest)}, nil
}

// Codes sets which codes are searched for; more may be added to those that there are.
func (d *Detector) Codes(all []*Code) {
	for len(d.tracks) < len(all) {
		d.tracks = append(d.tracks, track{until: max(0, d.next-history/2)})
	}
	d.codes = all
}

// Received is how many samples have come so far.
func (d *Detector) Received() int { return d.first + len(d.pcm) }

// Loud reports whether a hop that has been looked at lately had sound.
func (d *Detector) Loud(hop int) bool { return d.loud[hop%history] }

// An Expected says of a code which of its samples is sent at present, and whether any is.
type Expected func(code int) (place int, sends bool)

// Packet takes the next packet.
func (d *Detector) Packet(payload []byte, expected Expected) error {
	n, err := d.decoder.Decode(payload, d.one)
	if err != nil {
		return err
	}
	d.pcm = append(d.pcm, d.one[:n]...)
	d.look(expected)
	return nil
}

// Missing tells that so many samples did not come.
func (d *Detector) Missing(samples int, expected Expected) {
	for samples > 0 {
		n := min(samples, Hop)
		from := d.Received()
		d.pcm = append(d.pcm, make([]float32, n)...)
		for h := max(0, from/Hop); h <= (from+n-1)/Hop; h++ {
			d.missed[h%history] = h + 1
		}
		d.look(expected)
		samples -= n
	}
}

// look judges the hops that have all of their surroundings.
func (d *Detector) look(expected Expected) {
	for (d.next+1)*Hop+Hop/2 <= d.Received() {
		from := d.next*Hop - d.first
		h := whiten(d.pcm, from)
		power := 0.0
		for _, v := range d.pcm[from : from+Hop] {
			power += float64(v) * float64(v)
		}
		d.hops[d.next%history], d.loud[d.next%history] = h, power > loud*Hop
		d.next++
		for i := range d.tracks {
			d.follow(i, expected)
		}
	}
	if spare := d.next*Hop - Hop - d.first; spare > history*Hop {
		d.pcm = append(d.pcm[:0], d.pcm[spare:]...)
		d.first += spare
	}
}

// follow judges what there is of a code.
func (d *Detector) follow(code int, expected Expected) {
	t := &d.tracks[code]
	if !t.locked && !d.search(code, t, expected) {
		return
	}
	// The neighbours of a hop have to be there.
	for t.until = max(t.until, d.next-history+2); t.until < d.next-1; t.until++ {
		d.judge(code, t)
		if !t.locked {
			return
		}
	}
}

// search searches for a code in the last hops.
func (d *Detector) search(code int, t *track, expected Expected) bool {
	interval := every << min(t.tries/everywhere, seldom)
	if d.next < searched || d.next%interval != code%interval {
		return false
	}
	place, sends := expected(code)
	if !sends {
		t.tries = 0
		return false
	}
	var hops []*whiteHop
	for h := d.next - searched; h < d.next; h++ {
		hops = append(hops, d.hops[h%history])
	}
	// What is sent now is near the end of the code that has come.
	newest := place - searched*Hop
	from, places := newest-near, near+Hop
	if t.tries++; t.tries%everywhere == 0 {
		from, places = 0, period
	}
	at, found := find(hops, d.codes[code], from, places)
	if found {
		t.locked, t.misses, t.tries, t.place = true, 0, 0, wrap(at-(d.next-searched)*Hop)
	}
	return found
}

// judge judges the next hop of a code.
func (d *Detector) judge(code int, t *track) {
	hop := t.until
	c, own := d.codes[code], 0.0
	var product, most float64
	for _, h := range []int{hop - 1, hop, hop + 1} {
		w := d.hops[(h+history)%history]
		if h < 0 || w == nil {
			continue
		}
		p, m := w.score(c, t.place+h*Hop)
		product, most = product+p/m, most+1
		if h == hop {
			own = p / m
		}
	}
	f := Finding{Hop: hop, Code: code}
	switch {
	case d.missed[hop%history] == hop+1:
	case own >= sure:
		f.Presence = Present
	case product >= around*most:
		f.Presence = Unsure
	}
	if f.Presence == Absent {
		d.miss(t, hop)
		return
	}
	t.misses = 0
	d.adjust(c, t, hop, own)
	// Decoded speech is later than what was encoded.
	at := wrap(t.place + hop*Hop + codecDelay)
	f.Frame = (at + Hop/2) / Hop
	f.Offset = at - f.Frame*Hop
	f.Frame %= Frames
	d.found(f)
}

// miss enters a hop that lacks the mark. After a while it is not that frames are missing, but that all
// that comes is later or earlier than before: the server's buffer ran empty or was too full. So hops are
// judged again at the code's next place, but once.
func (d *Detector) miss(t *track, hop int) {
	if hop < t.judged {
		return
	}
	if t.misses++; t.misses > lost {
		t.locked, t.judged, t.until = false, hop+1, hop-lost
	}
}

// adjust follows a clock that drifts.
func (d *Detector) adjust(c *Code, t *track, hop int, own float64) {
	if own < 3*sure || hop%every != 0 {
		return
	}
	h, best, at := d.hops[hop%history], own, 0
	for by := -drifts; by <= drifts; by++ {
		if p, m := h.score(c, t.place+hop*Hop+by); p/m > best {
			best, at = p/m, by
		}
	}
	t.place = wrap(t.place + at)
}
