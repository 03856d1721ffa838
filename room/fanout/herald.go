package fanout

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	// hush is how long a talker may send nothing and still count as talking:
	// longer than the 400 ms between two packets of Opus in silence (DTX).
	hush = 600 * time.Millisecond
	// heraldEvery is how often talkers who fell silent are looked for.
	heraldEvery = 200 * time.Millisecond
)

// herald tells who has the audience's slots when that changes.
type herald struct {
	hall *Hall
	tell func([]uint32)
	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	// idle is true while nobody talks and the herald waits for the next frame.
	idle atomic.Bool
}

func newHerald(h *Hall, tell func([]uint32)) *herald {
	e := &herald{hall: h, tell: tell, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if tell == nil {
		close(e.done)
		return e
	}
	e.idle.Store(true)
	go e.run()
	return e
}

// heard takes note of a frame in the audience's mix, or of a slot that changed
// hands.
func (e *herald) heard(changed bool) {
	if e.tell == nil || !changed && !e.idle.Load() {
		return
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *herald) run() {
	defer close(e.done)
	ticker := time.NewTicker(heraldEvery)
	defer ticker.Stop()
	ticker.Stop()
	var told []uint32
	for {
		select {
		case <-e.stop:
			return
		case <-e.wake:
		case <-ticker.C:
		}
		talkers, talking := e.hall.talkers()
		if e.idle.Load() == talking {
			e.idle.Store(!talking)
			if talking {
				ticker.Reset(heraldEvery)
			} else {
				ticker.Stop()
			}
		}
		if !slices.Equal(talkers, told) {
			told = talkers
			e.tell(slices.Clone(talkers))
		}
	}
}

func (e *herald) close() {
	if e.tell != nil {
		close(e.stop)
	}
	<-e.done
}

// talkers lists the holders of the audience's slots who sent something lately,
// and says whether there is any.
func (h *Hall) talkers() ([]uint32, bool) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	talkers := []uint32{}
	for i := range h.mixes[0].slots {
		s := &h.mixes[0].slots[i]
		if s.holder != nil && now.Sub(s.last) <= hush {
			talkers = append(talkers, s.holder.talker)
		}
	}
	slices.Sort(talkers)
	return talkers, len(talkers) > 0
}
