package srtp

const (
	// replayWords is how many words of 64 packets a replayWindow has.
	replayWords = 8
	// ReplayWindow is how many sequence numbers a packet may at least be behind the highest that an
	// [Opener] has opened. RFC 3711, section 3.3.2, has 64 as the least, which is 1.28 s of 20 ms
	// frames: a server that holds one packet back for longer and sends the next at once would
	// seem to lose it, and to send another twice. libwebrtc has 1,024.
	ReplayWindow = (replayWords - 1) * 64
)

// A replayWindow remembers which of the last indices of received RTP were seen, by words of 64 that are
// used in turn (RFC 6479). The zero value has seen nothing.
type replayWindow struct {
	highest uint64 // its bit is set unless nothing was seen
	seen    [replayWords]uint64
}

func (w *replayWindow) empty() bool { return *w.word(w.highest) == 0 }

func (w *replayWindow) word(index uint64) *uint64 { return &w.seen[index/64%replayWords] }

// fresh reports whether index was not seen, and is not too old to tell.
func (w *replayWindow) fresh(index uint64) bool {
	if w.empty() || index > w.highest {
		return true
	}
	return w.highest/64-index/64 < replayWords && *w.word(index)&(1<<(index%64)) == 0
}

// mark remembers a fresh index.
func (w *replayWindow) mark(index uint64) {
	switch {
	case w.empty():
		w.highest = index
	case index > w.highest:
		for n := range min(index/64-w.highest/64, replayWords) {
			*w.word(index - 64*n) = 0
		}
		w.highest = index
	}
	*w.word(index) |= 1 << (index % 64)
}

// extend gives the 48-bit index of a sequence number, like that of a window.
func (w *replayWindow) extend(seq uint16) (index uint64, ok bool) {
	if w.empty() {
		return uint64(seq), true
	}
	return nearest(w.highest, seq)
}
