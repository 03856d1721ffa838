package srtp

// window remembers which of the last 64 indices were sealed, or opened as RTCP (RFC 3711, section
// 3.3.2). The zero value has seen nothing.
type window struct {
	highest uint64
	seen    uint64 // bit i: highest-i was seen
}

// fresh reports whether index was not seen, and is not too old to tell.
func (w *window) fresh(index uint64) bool {
	if w.seen == 0 || index > w.highest {
		return true
	}
	age := w.highest - index
	return age < 64 && w.seen&(1<<age) == 0
}

// had reports whether index was seen and is remembered.
func (w *window) had(index uint64) bool {
	if w.seen == 0 || index > w.highest {
		return false
	}
	age := w.highest - index
	return age < 64 && w.seen&(1<<age) != 0
}

// mark remembers a fresh index.
func (w *window) mark(index uint64) {
	switch {
	case w.seen == 0:
		w.highest, w.seen = index, 1
	case index > w.highest:
		if ahead := index - w.highest; ahead < 64 {
			w.seen = w.seen<<ahead | 1
		} else {
			w.seen = 1
		}
		w.highest = index
	default:
		w.seen |= 1 << (w.highest - index)
	}
}

// extend gives the 48-bit index of a sequence number: the one nearest to the
// highest index seen. Before anything was seen the rollover count is zero. It gives
// false if the index would lie before zero or past 48 bits.
func (w *window) extend(seq uint16) (index uint64, ok bool) {
	if w.seen == 0 {
		return uint64(seq), true
	}
	return nearest(w.highest, seq)
}

// nearest gives the index of a sequence number that is nearest to another (RFC 3711, appendix A), and
// false if it would lie before zero or past 48 bits.
func nearest(highest uint64, seq uint16) (index uint64, ok bool) {
	index = highest + uint64(int64(int16(seq-uint16(highest))))
	return index, index < 1<<48
}
