package fanout

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// talkTimeout is how long a talker may send nothing and still count as talking:
	// longer than the 400 ms between two packets of Opus in silence (DTX).
	talkTimeout = 600 * time.Millisecond
	// talkCheckInterval is how often talkers who fell silent are looked for.
	talkCheckInterval = 200 * time.Millisecond
)

// activeSpeakerNotifier calls notify when the active speakers change: the talkers
// who have the audience's slots.
type activeSpeakerNotifier struct {
	router *Router
	notify func([]uint32) // nil: nobody wants to know
	wake   chan struct{}
	stop   chan struct{}
	ending sync.Once // closes stop
	done   chan struct{}
	// idle is true while nobody talks and the notifier waits for the next frame.
	idle atomic.Bool
}

func newActiveSpeakerNotifier(r *Router, notify func([]uint32)) *activeSpeakerNotifier {
	n := &activeSpeakerNotifier{router: r, notify: notify, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if notify == nil {
		close(n.done)
		return n
	}
	n.idle.Store(true)
	go n.run()
	return n
}

// wakeUp is called for a frame in the audience's mix. changed says that a slot has
// another holder.
func (n *activeSpeakerNotifier) wakeUp(changed bool) {
	if n.notify == nil || !changed && !n.idle.Load() {
		return
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *activeSpeakerNotifier) run() {
	defer close(n.done)
	ticker := time.NewTicker(talkCheckInterval)
	defer ticker.Stop()
	ticker.Stop()
	var last []uint32
	for {
		select {
		case <-n.stop:
			return
		case <-n.wake:
		case <-ticker.C:
		}
		speakers := n.router.ActiveSpeakers()
		talking := len(speakers) > 0
		if n.idle.Load() == talking {
			n.idle.Store(!talking)
			if talking {
				ticker.Reset(talkCheckInterval)
			} else {
				ticker.Stop()
			}
		}
		if !slices.Equal(speakers, last) {
			last = speakers
			n.notify(slices.Clone(speakers))
		}
	}
}

func (n *activeSpeakerNotifier) close() {
	if n.notify != nil {
		n.ending.Do(func() { close(n.stop) })
	}
	<-n.done
}

// ActiveSpeakers lists the holders of the audience's slots who sent something
// lately, in ascending order.
func (r *Router) ActiveSpeakers() []uint32 {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	speakers := []uint32{}
	for i := range r.mixes[0].slots {
		s := &r.mixes[0].slots[i]
		if s.holder != nil && now.Sub(s.last) <= talkTimeout {
			speakers = append(speakers, s.holder.talker)
		}
	}
	slices.Sort(speakers)
	return speakers
}
