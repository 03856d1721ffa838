package nodes

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/room/trunk"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// snapshotWait is how long the first ear of a hall waits until the hall may play. After that
// it is opened all the same.
const snapshotWait = 500 * time.Millisecond

// moveWait is how long a node that stops waits for the next ear to go elsewhere.
const moveWait = 2 * time.Second

var errNoEar = wire.NewError(wire.CodeNotFound, "this server has no such ear")

var errFull = wire.NewError(wire.CodeUnavailable, "this server has no free seat")

// halls are the parts of other nodes' rooms that are on this node.
type halls struct {
	nodes *Nodes
	media *rtc.Engine

	mu      sync.Mutex
	closed  bool
	byTrunk map[string]*nodeHall
	running sync.WaitGroup
}

// nodeHall is a part of a room of another node.
type nodeHall struct {
	*trunk.Receiver
	media       *rtc.MediaRoom
	unsubscribe func()
	stop        chan struct{} // closed when all halls are closed
	opening     int           // ears; the lock of halls guards it
	seen        trunk.ReceiverStats
}

func newHalls(n *Nodes, media *rtc.Engine) *halls {
	return &halls{nodes: n, media: media, byTrunk: map[string]*nodeHall{}}
}

// serveEar serves the request of another node for an ear.
func (h *halls) serveEar(w http.ResponseWriter, r *http.Request) {
	var ask earRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, cluster.MaxBody)).Decode(&ask); err != nil || ask.Trunk == "" {
		apierr.Write(w, h.nodes.cfg.Log, wire.NewError(wire.CodeBadRequest, "this is no request for an ear"))
		return
	}
	open := h.open
	if ask.Fragment != "" {
		open = h.restart
	}
	answer, err := open(r, ask)
	if err != nil {
		apierr.Write(w, h.nodes.cfg.Log, err)
		return
	}
	apierr.WriteJSON(w, http.StatusOK, earAnswer{answer})
}

func (h *halls) open(r *http.Request, ask earRequest) (answer string, err error) {
	if h.nodes.full() || h.nodes.cluster.Self().Draining {
		return "", errFull
	}
	in, err := h.enter(ask)
	if err != nil {
		return "", err
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		in.opening--
	}()
	wait := time.NewTimer(snapshotWait)
	defer wait.Stop()
	select { // else the ear would begin with a gap
	case <-in.Begun():
	case <-wait.C:
	case <-r.Context().Done():
	}
	ear, err := in.media.OpenEar(r.Context(), 0, ask.Offer)
	if err != nil {
		return "", err
	}
	answer = ear.Answer()
	ear.ReleaseAnswer()
	if r.Context().Err() != nil || !in.Add(ask.Ear, ask.Since, 0, ear) {
		_ = ear.Close() // nobody waits for it any more
		return "", errMoving
	}
	return answer, nil
}

// restart restarts the ICE of an ear.
func (h *halls) restart(_ *http.Request, ask earRequest) (fragment string, err error) {
	h.mu.Lock()
	in := h.byTrunk[ask.Trunk]
	h.mu.Unlock()
	if in == nil {
		return "", errNoEar
	}
	ear, ok := in.Ear(ask.Ear).(*rtc.Ear)
	if !ok {
		return "", errNoEar
	}
	return ear.Restart(ask.Fragment)
}

// enter returns the hall of a trunk, and counts an ear as being opened there. It makes the
// hall if there is none.
func (h *halls) enter(ask earRequest) (*nodeHall, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in := h.byTrunk[ask.Trunk]; in != nil {
		in.opening++
		return in, nil
	}
	if h.closed {
		return nil, errDraining
	}
	media, err := h.media.NewRoom(rtc.MediaRoomConfig{Slots: ask.Slots})
	if err != nil {
		return nil, err
	}
	n := h.nodes
	in := &nodeHall{media: media, stop: make(chan struct{}), opening: 1}
	in.Receiver = trunk.NewReceiver(trunk.ReceiverConfig{
		Name: n.cfg.Self.ID, Room: media, Now: time.Now,
		Leaving: func() bool { return n.cluster.Self().Draining },
		Delay:   func(d time.Duration) { n.metrics.trunkDelay.Observe(d.Seconds()) },
		Report: func(r trunk.Report) {
			if data, err := json.Marshal(r); err == nil {
				_ = n.cluster.Publish(hallsSubject+ask.Trunk, data) // it is reported again at the next tick
			}
		},
	})
	in.unsubscribe, err = n.cluster.Subscribe(stageSubject+ask.Trunk, in.Handle)
	if err != nil {
		_ = media.Close()
		return nil, err
	}
	h.byTrunk[ask.Trunk] = in
	h.running.Go(func() { h.run(ask.Trunk, in) })
	in.Tick() // so that the stage says at once what holds
	return in, nil
}

// run keeps a hall until it is of no use any more.
func (h *halls) run(id string, in *nodeHall) {
	tick := time.NewTicker(trunk.TickEvery)
	defer tick.Stop()
	for alive := true; alive; {
		select {
		case <-in.stop:
		case <-tick.C:
		}
		alive = in.Tick()
		h.tally(in)
		h.mu.Lock()
		if alive = (alive || in.opening > 0) && !h.closed; !alive {
			delete(h.byTrunk, id)
		}
		h.mu.Unlock()
	}
	in.unsubscribe()
	in.Close()
	if err := in.media.Close(); err != nil {
		h.nodes.cfg.Log.Debug("closing the media of a hall", "error", err)
	}
}

// tally adds what a hall has counted to the metrics.
func (h *halls) tally(in *nodeHall) {
	now := in.Stats()
	h.nodes.metrics.trunkGaps.Add(float64(now.Gaps - in.seen.Gaps))
	h.nodes.metrics.trunkLate.Add(float64(now.Late - in.seen.Late))
	in.seen = now
}

// ears counts the ears, and count the halls.
func (h *halls) ears() (ears int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range h.byTrunk {
		ears += in.Stats().Ears
	}
	return ears
}

func (h *halls) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byTrunk)
}

// clear waits until no ear is left, while their stages move them elsewhere. It gives up when none has
// gone for moveWait: of players that follow no message, or cannot be moved.
func (h *halls) clear(ctx context.Context) {
	tick := time.NewTicker(trunk.TickEvery)
	defer tick.Stop()
	left, since := h.ears(), time.Now()
	for left > 0 && time.Since(since) < moveWait {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := h.ears(); now < left {
			left, since = now, time.Now()
		}
	}
}

// close closes all halls.
func (h *halls) close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		for _, in := range h.byTrunk {
			close(in.stop)
		}
	}
	h.mu.Unlock()
	h.running.Wait()
}
