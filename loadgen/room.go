package loadgen

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A roomRun is one room of the run: the room on the server, the ledger of what was sent
// in it, and the people of the cast who are in it.
type roomRun struct {
	run       *run
	number    int
	client    driver.RoomClient
	ledger    *ledger.Ledger
	speakers  []*person // the cast's speakers and hosts
	listeners []*person // the cast's listeners

	// cast is how many people it has, here or elsewhere, of each kind, and mics how many of
	// them have a mic from the beginning.
	castListeners, castSpeakers, mics int

	mu       sync.Mutex
	reopened int // mics opened since then that nobody had chosen
}

// openRoom opens room number i and brings in its speakers. With an error it returns
// the room, too, if there is one to close.
func (r *run) openRoom(ctx context.Context, i int) (*roomRun, error) {
	room, err := r.enterRoom(ctx, i)
	if err != nil {
		return nil, err
	}
	h := &roomRun{run: r, number: i, client: room, ledger: r.book.NewLedger()}
	if r.marked() {
		h.ledger = r.book.NewMarkedLedger()
	}
	h.ledger.InRoom(i)
	if r.peers != nil {
		h.ledger.Await()
	}
	if r.Scenario.AudioScore {
		h.ledger.Score()
	}
	for g, group := range r.Scenario.Cast {
		for n := range group.Count {
			h.add(g, n)
		}
	}
	return h, nil
}

// enterRoom opens a room, or gets into the one that the coordinator has opened.
func (r *run) enterRoom(ctx context.Context, i int) (driver.RoomClient, error) {
	if r.peers == nil {
		return r.Driver.Open(ctx, i, r.Scenario.Room)
	}
	shared, ok := r.Driver.(driver.Shared)
	if !ok || i >= len(r.tickets) {
		return nil, fmt.Errorf("%w: enter a room that somebody else has opened", driver.ErrUnsupported)
	}
	return shared.Enter(ctx, i, r.tickets[i])
}

// takeStage brings in the room's speakers.
func (h *roomRun) takeStage(ctx context.Context) error {
	if h.run.Scenario.Listeners() == 0 {
		return nil // they arrive themselves
	}
	for _, p := range h.speakers {
		if err := p.takeStage(ctx, h.run.clock.Now()); err != nil {
			return fmt.Errorf("bring %s into room %s: %w", p.name, h.client.Name(), err)
		}
	}
	return nil
}

// add adds person n of a group of the cast, if this process plays them.
func (h *roomRun) add(g, n int) {
	r, clients := h.run, h.run.clients
	group := r.Scenario.Cast[g]
	p := &person{
		room: h, group: g, number: n, place: h.castListeners + h.castSpeakers, mic: -1, role: group.Role,
		name: fmt.Sprintf("%s %d.%d", group.Role, g+1, n+1),
	}
	if group.Role == scenario.Listener {
		number := h.castListeners*r.Scenario.Rooms + h.number // of all rooms
		h.castListeners++
		if !r.share.has(number) {
			return
		}
		p.impairment = clients.emulator.NewImpairment(group.Network, h.number, g, n)
		p.probe = r.share.isProbe(number, r.Scenario.Listeners()*r.Scenario.Rooms)
		p.via = group.Transport.Of(n*r.Scenario.Rooms + h.number)
		if p.probe {
			p.via = network.UDP
		}
		p.account = h.ledger.AddListener(clients.sections(group), record.Labels{Network: group.NetworkName(), Node: group.NodeName(), Transport: transportLabel(p.via), Probe: p.probe})
		h.listeners = append(h.listeners, p)
		return
	}
	number := h.castSpeakers*r.Scenario.Rooms + h.number
	h.castSpeakers++
	if len(r.clips[g]) > 0 {
		p.mic = h.mics
		h.mics++
	}
	if !r.share.has(number) {
		return
	}
	p.impairment = clients.emulator.NewImpairment(group.Network, h.number, g, n)
	p.probe = true
	p.via = group.Transport.Of(n*r.Scenario.Rooms + h.number)
	if clients.capabilities.StageListens {
		p.account = h.ledger.AddListener(clients.sections(group), record.Labels{Role: string(group.Role), Network: group.NetworkName(), Probe: true})
	}
	h.speakers = append(h.speakers, p)
}

// transportLabel is what the figures of those who go by a transport are kept by.
func transportLabel(t network.Transport) string {
	if t == network.UDP {
		return ""
	}
	return string(t)
}

func (h *roomRun) people() []*person { return slices.Concat(h.speakers, h.listeners) }

// addSource adds one more mic to the ledger, of one of the room's people.
func (h *roomRun) addSource(p *person) (*ledger.Source, error) {
	r := h.run
	h.mu.Lock()
	index := p.mic
	if p.mic >= 0 {
		p.mic = -1 // another one is of its own
	} else {
		// Neither an event nor another worker gives it that number.
		index = h.firstMicOf(len(r.Scenario.Timeline)) + h.reopened*max(r.share.Of, 1) + r.share.Number
		h.reopened++
	}
	h.mu.Unlock()
	source, err := h.newSource(index, p.group, p.number, h.ledger.AddSource, h.ledger.AddMarkedSource)
	if err == nil && r.peers != nil {
		r.peers.open(SourceID{h.number, index}, p, source)
	}
	return source, err
}

// replica adds the mic of another worker to its room's ledger.
func (r *run) replica(o OpenedSource) (*ledger.Source, error) {
	if o.Room < 0 || o.Room >= len(r.rooms) || r.rooms[o.Room] == nil || o.Group < 0 || o.Group >= len(r.clips) || o.Number < 0 || o.Index < 0 {
		return nil, fmt.Errorf("there is no room %d with a group %d", o.Room, o.Group)
	}
	h := r.rooms[o.Room]
	return h.newSource(o.Index, o.Group, o.Number, func(c *speech.Clip, first int, offset time.Duration) (*ledger.Source, error) {
		return h.ledger.AddReplica(c, nil, first, offset)
	}, func(c *speech.Clip, code *mark.Code, offset time.Duration) (*ledger.Source, error) {
		return h.ledger.AddReplica(c, code, 0, offset)
	})
}

// newSource adds the room's mic of some number, of a person of the cast. It starts at a
// seeded frame of one of the files, and at a seeded offset within 20 ms.
func (h *roomRun) newSource(index, group, number int, add func(*speech.Clip, int, time.Duration) (*ledger.Source, error),
	addMarked func(*speech.Clip, *mark.Code, time.Duration) (*ledger.Source, error),
) (*ledger.Source, error) {
	files := h.run.clips[group]
	if len(files) == 0 {
		files = h.run.allClips // a promoted listener without audio speaks with the cast's
	}
	seed := rand.New(rand.NewPCG(uint64(h.run.Scenario.Seed), uint64(h.number)<<32|uint64(index)))
	clip := files[number%len(files)]
	first, offset := firstFrame(h.run.Scenario.Seed, h.number, index, len(clip.Frames)), time.Duration(seed.Int64N(int64(timebase.BinLength)))
	if !h.run.marked() {
		return add(clip, first, offset)
	}
	// No other mic of the run has the same mark.
	code := mark.NewCode(uint64(h.number)<<32 | uint64(index+1))
	marked, err := code.Mark(clip, first)
	if err != nil {
		return nil, err
	}
	return addMarked(marked, code, offset)
}

// firstFrame is with which of a clip's frames the mic of some number in a room begins. Mics may
// have the same clip; if one said within [record.Lateness] what another does, it would not be
// known whose a packet is. So they begin the golden section of the clip apart: that keeps any
// number of them as far from one another as can be.
func firstFrame(seed int64, room, index, frames int) int {
	start := rand.New(rand.NewPCG(uint64(seed), uint64(room))).Float64()
	_, part := math.Modf(start + float64(index)*(math.Phi-1))
	return int(part * float64(frames))
}

// rooms are a run's rooms; a room that could not be opened is nil.
type rooms []*roomRun

// opened returns the rooms that were opened.
func (rs rooms) opened() rooms {
	return slices.DeleteFunc(slices.Clone(rs), func(h *roomRun) bool { return h == nil })
}

// losses returns how many packets people's own sockets dropped, and for how many
// packets the receive time was lost. A run that can't open its rooms asks, too.
func (rs rooms) losses() (dropped, unstamped uint64) {
	for _, h := range rs.opened() {
		for _, p := range h.people() {
			d, u := p.losses()
			dropped += d
			unstamped += u
		}
	}
	return dropped, unstamped
}

// release enters what has become of the mics that are still open.
func (rs rooms) release() {
	for _, h := range rs {
		for _, p := range h.people() {
			p.mu.Lock()
			sender := p.sender
			p.mu.Unlock()
			if sender != nil {
				sender.release()
			}
		}
	}
}

// A scheduledPerson is a person, and how long after the start of a phase they arrive or
// leave.
type scheduledPerson struct {
	after  time.Duration
	person *person
}

// arrivals returns everybody's arrival, in order.
func (rs rooms) arrivals(s *scenario.Scenario) []scheduledPerson {
	return rs.schedule(s, 0, func(g scenario.Group) *scenario.Arrivals { return &g.Arrive })
}

// departures returns who leaves after the hold, in order.
func (rs rooms) departures(s *scenario.Scenario) []scheduledPerson {
	return rs.schedule(s, 1000, func(g scenario.Group) *scenario.Arrivals { return g.Depart })
}

// schedule returns the times of the people of each group that has times: of listeners, or of
// those on stage where nobody is cast to listen. They are spread over all rooms: the groups of
// N rooms arrive like one group N times as large.
func (rs rooms) schedule(s *scenario.Scenario, seed int64, times func(scenario.Group) *scenario.Arrivals) []scheduledPerson {
	var all []scheduledPerson
	listen := s.Listeners() > 0
	for g, group := range s.Cast {
		shape := times(group)
		if (group.Role == scenario.Listener) != listen || shape == nil {
			continue
		}
		after := shape.Times(group.Count*len(rs), s.Seed+seed+int64(g))
		for i, h := range rs {
			for _, p := range h.people() {
				if p.group == g {
					all = append(all, scheduledPerson{after[p.number*len(rs)+i], p})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scheduledPerson) int { return int(a.after - b.after) })
	return all
}
