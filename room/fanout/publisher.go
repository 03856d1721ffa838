package fanout

// Publisher is the mic of one talker. Push is to be called by one goroutine at a
// time; Restart and Close may be called from any.
type Publisher struct {
	router *Router
	talker uint32

	// The router's lock guards the rest.
	gone   bool
	epoch  uint32
	loud   loudness
	recent ring[*Frame]
}

// Push routes one frame, which must not be changed afterwards. It never blocks on
// an ear. Frames of a muted talker or a closed publisher are dropped.
func (p *Publisher) Push(f Frame) {
	f.Talker = p.talker
	r := p.router
	if r.speaks != nil && !r.speaks() {
		return
	}
	if f.Arrived.IsZero() {
		f.Arrived = r.now()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.gone || r.closed {
		return
	}
	r.stats.pushed++
	if r.muted[p.talker] {
		r.stats.muted++
		return
	}
	f.Source = p.epoch
	p.loud.add(f.Level, f.Arrived)
	frame := &f
	p.recent.add(frame)
	for _, x := range r.mixes {
		r.distribute(x, p, frame)
	}
}

// Restart announces that the next frame comes from another source of the same
// talker (a new SSRC): its sequence numbers are unrelated to those before.
func (p *Publisher) Restart() {
	p.router.mu.Lock()
	defer p.router.mu.Unlock()
	p.epoch = p.router.newEpoch()
	p.recent = ring[*Frame]{}
}

// Close removes the publisher and frees its slots at once. It may be called more
// than once.
func (p *Publisher) Close() {
	r := p.router
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(p)
}
