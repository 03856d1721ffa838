package fanout

// Mic is one person's way into a hall. Push is to be called by one goroutine at
// a time; Restart and Close may be called from any.
type Mic struct {
	hall   *Hall
	talker uint32

	// The hall's lock guards the rest.
	gone   bool
	epoch  uint32
	loud   loudness
	recent ring[*Frame]
}

// Push gives the hall one frame, which must not be changed afterwards. It never
// blocks on an ear. Frames of a muted or closed mic are dropped.
func (m *Mic) Push(f Frame) {
	f.Talker = m.talker
	h := m.hall
	if f.Arrived.IsZero() {
		f.Arrived = h.now()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.gone || h.closed {
		return
	}
	h.stats.pushed++
	if h.muted[m.talker] {
		h.stats.muted++
		return
	}
	m.loud.add(f.Level, f.Arrived)
	frame := &f
	m.recent.add(frame)
	for _, x := range h.mixes {
		h.distribute(x, m, frame)
	}
}

// Restart says that the next frame comes from another source of the same
// person (a new SSRC): its numbers have nothing to do with those before.
func (m *Mic) Restart() {
	m.hall.mu.Lock()
	defer m.hall.mu.Unlock()
	m.epoch++
	m.recent = ring[*Frame]{}
}

// Close takes the mic out of the hall and frees its slot at once. It may be
// called more than once.
func (m *Mic) Close() {
	h := m.hall
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(m)
}
