package nodes

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/room/trunk"
	"github.com/earshot-audio/earshot/signaling/liveroom"
)

const (
	// earPath is what a node asks another to open an ear at.
	earPath = "/node/ears"
	// earWait is how long that may take. After that the ear is opened here.
	earWait = 2 * time.Second
	// settleWait is how long an order may take. A hall that does not answer is given up by
	// then, or falls silent.
	settleWait = 1200 * time.Millisecond
	// suspectFor is how long a node gets no ears that was given up, or refused one.
	suspectFor = cluster.DefaultTTL
	// maxFrames and maxOrders are how many messages may wait for the connection: of what
	// comes then frames, or all, are lost, and halls are silent until they have a snapshot.
	maxFrames, maxOrders = 1024, 65_536

	// The subjects of a trunk: what its stage says, and what its halls say.
	stageSubject, hallsSubject = "es.t.", "es.u."
)

// earRequest asks a node to open an ear for another node's room, or to restart its ICE.
type earRequest struct {
	// Trunk is the trunk that feeds it. Ear and Since are what the stage calls it.
	Trunk      string
	Ear, Since uint64
	Slots      int
	Offer      string
	// Fragment is that of a restart; empty: the ear is to be opened.
	Fragment string
}

// earAnswer is what it answers: an answer to the offer, or a fragment.
type earAnswer struct{ Answer string }

// relay carries the audio of one room of this node to other nodes. It begins with the first
// ear there.
type relay struct {
	nodes *Nodes
	id    string // the room's
	media *rtc.MediaRoom
	hold  atomic.Int64

	mu     sync.Mutex
	closed bool
	trunk  atomic.Pointer[runningTrunk]
	muted  map[uint32]bool
}

// runningTrunk is the trunk of a room that has, or had, ears on other nodes.
type runningTrunk struct {
	id    string
	stage *trunk.Sender
	queue chan []byte
	stop  chan struct{}
	ended sync.WaitGroup
	close func()
}

// Relay implements [liveroom.Cluster].
func (n *Nodes) Relay(id string, media *rtc.MediaRoom, hold time.Duration) liveroom.Relay {
	r := &relay{nodes: n, id: id, media: media, muted: map[uint32]bool{}}
	r.hold.Store(int64(hold))
	return r
}

// OpenEar implements [liveroom.Relay]: while this node has a free seat the ear is here.
func (r *relay) OpenEar(ctx context.Context, offer, wanted string) (liveroom.EarSession, error) {
	n := r.nodes
	node, elsewhere, err := n.placeEar(wanted)
	if err != nil || !elsewhere {
		return nil, err
	}
	ear, err := r.media.NewRemoteEar(offer)
	if err != nil {
		return nil, err
	}
	t, err := r.begin()
	if err != nil {
		ear.Lost()
		n.cfg.Log.Warn("a room's audio can't be carried to other nodes", "error", err)
		return nil, refusedBy(wanted)
	}
	number, since := t.stage.Add(node, 0, trunk.EarEvents{Ended: ear.Lost, Move: ear.Move})
	answer, err := n.askForEar(ctx, node, earRequest{Trunk: t.id, Ear: number, Since: since, Slots: r.media.Slots(), Offer: offer})
	if err != nil {
		t.stage.Close(number)
		ear.Lost()
		n.suspect(node)
		n.metrics.remoteEars.WithLabelValues("failed").Inc()
		n.cfg.Log.Warn("another node did not open an ear", "node", node, "error", err)
		return nil, refusedBy(wanted) // else it is opened here
	}
	n.metrics.remoteEars.WithLabelValues("opened").Inc()
	ear.Answered(answer, rtc.RemoteOrder{
		Close:    func() { t.stage.Close(number) },
		SetOwner: func(talker uint32) { t.stage.SetOwner(number, talker) },
		Restart: func(fragment string) (string, error) {
			return n.askForEar(context.Background(), node, earRequest{Trunk: t.id, Ear: number, Fragment: fragment})
		},
	})
	return ear, nil
}

// refusedBy is the refusal of somebody who wants an ear on a node that does not open it; nil:
// they want it anywhere.
func refusedBy(wanted string) error {
	if wanted == "" {
		return nil
	}
	return errNotThere
}

// askForEar has a node open an ear, or restart its ICE.
func (n *Nodes) askForEar(ctx context.Context, node string, ask earRequest) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, earWait)
	defer cancel()
	var a earAnswer
	err = n.askNode(ctx, node, earPath, ask, &a)
	return a.Answer, err
}

// askNode asks a node something on this node's own behalf.
func (n *Nodes) askNode(ctx context.Context, node, path string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set(askHeader, "1")
	said, err := n.cluster.Pass(ctx, node, r)
	if err != nil {
		return err
	}
	if err := refusalOf(said); err != nil {
		return err
	}
	return json.Unmarshal(said.Body, answer)
}

// begin returns the room's trunk. It begins one if there is none.
func (r *relay) begin() (*runningTrunk, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.trunk.Load(); t != nil {
		return t, nil
	}
	if r.closed {
		return nil, rtc.ErrClosed
	}
	n := r.nodes
	t := &runningTrunk{id: rand.Text(), queue: make(chan []byte, maxOrders), stop: make(chan struct{})}
	t.stage = trunk.NewSender(trunk.SenderConfig{Send: t.send, Now: time.Now, Hold: time.Duration(r.hold.Load())})
	for talker := range r.muted {
		t.stage.Mute(talker, true)
	}
	unsubscribe, err := n.cluster.Subscribe(hallsSubject+t.id, func(data []byte) {
		var report trunk.Report
		if json.Unmarshal(data, &report) == nil {
			t.stage.Heard(report)
		}
	})
	if err != nil {
		return nil, err
	}
	tap, err := r.media.Relay(t.stage)
	if err != nil {
		unsubscribe()
		return nil, err
	}
	t.close = func() {
		tap.Close()
		t.stage.End()
		unsubscribe()
		close(t.stop)
		t.ended.Wait()
	}
	t.ended.Go(func() { n.carry(t) })
	t.ended.Go(func() { n.watchHalls(t) })
	r.trunk.Store(t)
	return t, nil
}

// send queues a message, or drops it.
func (t *runningTrunk) send(data []byte, order bool) {
	if !order && len(t.queue) > maxFrames {
		return
	}
	select {
	case t.queue <- data:
	default:
	}
}

// carry publishes what is queued, until the trunk is closed, and then what is left.
func (n *Nodes) carry(t *runningTrunk) {
	publish := func(data []byte) { _ = n.cluster.Publish(stageSubject+t.id, data) } // a hall that misses it falls silent
	for {
		select {
		case data := <-t.queue:
			publish(data)
		case <-t.stop:
			for len(t.queue) > 0 {
				publish(<-t.queue)
			}
			return
		}
	}
}

// watchHalls gives up halls that say nothing, until the trunk is closed.
func (n *Nodes) watchHalls(t *runningTrunk) {
	tick := time.NewTicker(trunk.TickEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		if !n.cluster.Speaks() {
			continue // halls fall silent, too
		}
		for _, node := range t.stage.Tick() {
			n.suspect(node)
			n.metrics.hallsGone.Inc()
			n.cfg.Log.Warn("a node with a part of a room's audience says nothing: its listeners have to come again", "node", node)
		}
	}
}

// Mute implements [liveroom.Relay].
func (r *relay) Mute(talker uint32, muted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if muted {
		r.muted[talker] = true
	} else {
		delete(r.muted, talker)
	}
	if t := r.trunk.Load(); t != nil {
		t.stage.Mute(talker, muted)
	}
}

// SetAudienceHold implements [liveroom.Relay].
func (r *relay) SetAudienceHold(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold.Store(int64(d))
	if t := r.trunk.Load(); t != nil {
		t.stage.SetHold(d)
	}
}

// Settle implements [liveroom.Relay].
func (r *relay) Settle() {
	t := r.trunk.Load()
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleWait)
	defer cancel()
	if !t.stage.Settled(ctx) {
		r.nodes.cfg.Log.Warn("a node has not said that it carried out an order: it falls silent, or drops what is late")
	}
}

// Close implements [liveroom.Relay].
func (r *relay) Close() {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	t := r.trunk.Load()
	r.mu.Unlock()
	if t != nil && first {
		t.close()
	}
}

// load is how full this node is. It is read at each new ear.
type load struct {
	mu            sync.Mutex
	at            time.Time
	people, rooms int
	suspects      map[string]time.Time
}

// loadEvery is how often a node counts its people at most.
// It counts them each time while fewer than loadMargin seats are free, or missing: more do not
// come in between.
const (
	loadEvery  = 100 * time.Millisecond
	loadMargin = 1000
)

// suspect notes that a node is to get no ears for a while.
func (n *Nodes) suspect(node string) {
	n.load.mu.Lock()
	defer n.load.mu.Unlock()
	if n.load.suspects == nil {
		n.load.suspects = map[string]time.Time{}
	}
	n.load.suspects[node] = n.cfg.Clock().Add(suspectFor)
}

// EarsElsewhere returns how many ears a room of this node has on others, and on how many of them.
func (n *Nodes) EarsElsewhere(l *liveroom.LiveRoom) (ears, halls int) {
	if r, ok := l.Media.Relay().(*relay); ok {
		if t := r.trunk.Load(); t != nil {
			return t.stage.Ears()
		}
	}
	return 0, 0
}

// earsElsewhere counts the ears of this node's rooms that are on others, and the rooms that have some.
func (n *Nodes) earsElsewhere() (ears, trunks int) {
	for _, l := range n.rooms.List() {
		if e, _ := n.EarsElsewhere(l); e > 0 {
			ears += e
			trunks++
		}
	}
	return ears, trunks
}

// loadNow returns what is on this node.
func (n *Nodes) loadNow() (l cluster.Load) {
	l.Taken, l.Rooms = n.people()
	l.Halls = n.halls.count()
	_, l.Trunks = n.earsElsewhere()
	return l
}

// people returns how many people this node serves, and rooms: those of its rooms, but for
// ears that are elsewhere, and the ears of others' rooms.
func (n *Nodes) people() (people, rooms int) {
	n.load.mu.Lock()
	defer n.load.mu.Unlock()
	near := (n.load.people - n.cfg.Self.Seats) / loadMargin
	if now := n.cfg.Clock(); near == 0 || now.Sub(n.load.at).Abs() > loadEvery {
		n.load.people, n.load.rooms = n.rooms.Load()
		elsewhere, _ := n.earsElsewhere()
		n.load.people += n.halls.ears() - elsewhere
		n.load.at = now
	}
	return max(n.load.people, 0), n.load.rooms
}

// full reports whether this node has no free seat.
func (n *Nodes) full() bool {
	people, _ := n.people()
	return people >= n.cfg.Self.Seats
}

// placeEar returns the node for another ear of a room of this one, which may be wanted on a
// certain one; false: it is this one.
func (n *Nodes) placeEar(wanted string) (node string, elsewhere bool, err error) {
	if wanted != "" && n.joined() {
		if _, there := n.cluster.Find(wanted); !there {
			return "", false, errNoNode
		}
		return wanted, wanted != n.cfg.Self.ID, nil
	}
	if !n.joined() || n.cluster.CutOff() || !n.full() {
		return "", false, refusedBy(wanted)
	}
	now := n.cfg.Clock()
	n.load.mu.Lock()
	defer n.load.mu.Unlock()
	open := slices.DeleteFunc(n.heard(), func(o cluster.Node) bool {
		return o.ID == n.cfg.Self.ID || o.Draining || o.Taken >= o.Seats || now.Before(n.load.suspects[o.ID])
	})
	best, ok := cluster.Place(open, n.cfg.Self.Zone)
	return best.ID, ok, nil
}
