package loadgen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// A roomRun is one room of the run: the room on the server, the ledger of what was sent
// in it, and the people of the cast who are in it.
type roomRun struct {
	run       *run
	number    int
	client    driver.RoomClient
	ledger    *measure.Ledger
	speakers  []*person // the cast's speakers and hosts
	listeners []*person // the cast's listeners

	mu      sync.Mutex
	sources int // mics opened so far, which number their seeds
}

// openRoom opens room number i and brings in its speakers. With an error it returns
// the room, too, if there is one to close.
func (r *run) openRoom(ctx context.Context, i int) (*roomRun, error) {
	room, err := r.Driver.Open(ctx, i, r.Scenario.Room)
	if err != nil {
		return nil, err
	}
	h := &roomRun{run: r, number: i, client: room, ledger: measure.NewLedger(r.aggregator)}
	if r.marked() {
		h.ledger = measure.NewMarkedLedger(r.aggregator)
	}
	if r.Scenario.AudioScore {
		h.ledger.Score()
	}
	for g, group := range r.Scenario.Cast {
		for n := range group.Count {
			h.add(g, n)
		}
	}
	if r.Scenario.Listeners() == 0 {
		return h, nil
	}
	for _, p := range h.speakers {
		if err := p.takeStage(ctx, r.clock.Now()); err != nil {
			return h, fmt.Errorf("bring %s into room %s: %w", p.name, room.Name(), err)
		}
	}
	return h, nil
}

// add adds person n of a group of the cast.
func (h *roomRun) add(g, n int) {
	clients := h.run.clients
	group := h.run.Scenario.Cast[g]
	p := &person{
		room: h, group: g, number: n, role: group.Role,
		name:       fmt.Sprintf("%s %d.%d", group.Role, g+1, n+1),
		impairment: clients.emulator.NewImpairment(group.Network, h.number, g, n),
	}
	if group.Role == scenario.Listener {
		p.probe = clients.isProbe(len(h.listeners)*h.run.Scenario.Rooms + h.number)
		p.account = h.ledger.AddListener(clients.sections(group), measure.Labels{Network: group.NetworkName(), Probe: p.probe})
		h.listeners = append(h.listeners, p)
		return
	}
	p.probe = true
	if clients.capabilities.Moderation {
		p.account = h.ledger.AddListener(clients.sections(group), measure.Labels{Role: string(group.Role), Network: group.NetworkName(), Probe: true})
	}
	h.speakers = append(h.speakers, p)
}

func (h *roomRun) people() []*person { return slices.Concat(h.speakers, h.listeners) }

// addSource adds one more mic to the ledger. It starts at a seeded frame of one of the
// files, and at a seeded offset within 20 ms.
func (h *roomRun) addSource(files []*speech.Clip, number int) (*measure.Source, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seed := rand.New(rand.NewPCG(uint64(h.run.Scenario.Seed), uint64(h.number)<<32|uint64(h.sources)))
	h.sources++
	clip := files[number%len(files)]
	first, offset := seed.IntN(len(clip.Frames)), time.Duration(seed.Int64N(int64(measure.BinLength)))
	if !h.run.marked() {
		return h.ledger.AddSource(clip, first, offset)
	}
	// No other mic of the run has the same mark.
	code := mark.NewCode(uint64(h.number)<<32 | uint64(h.sources))
	marked, err := code.Mark(clip, first)
	if err != nil {
		return nil, err
	}
	return h.ledger.AddMarkedSource(marked, code, offset)
}

// marked reports whether the audio is marked.
func (r *run) marked() bool { return r.Scenario.AudioCheck == scenario.CheckMarker }

// rooms are a run's rooms; a room that could not be opened is nil.
type rooms []*roomRun

// opened returns the rooms that were opened.
func (rs rooms) opened() rooms {
	return slices.DeleteFunc(slices.Clone(rs), func(h *roomRun) bool { return h == nil })
}

// listeners returns how many listeners the cast of all rooms has.
func (rs rooms) listeners() (n int) {
	for _, h := range rs.opened() {
		n += len(h.listeners)
	}
	return n
}

// speakers returns how many speakers and hosts the cast of all rooms has.
func (rs rooms) speakers() (n int) {
	for _, h := range rs.opened() {
		n += len(h.speakers)
	}
	return n
}

// mics returns how many of the cast of all rooms have a mic.
func (rs rooms) mics() (n int) {
	for _, h := range rs.opened() {
		for _, p := range h.speakers {
			if len(h.run.clips[p.group]) > 0 {
				n++
			}
		}
	}
	return n
}

// noShows returns how many guests the server has reported to the hosts as not coming.
func (rs rooms) noShows() (n uint64) {
	for _, h := range rs {
		n += h.client.NoShows()
	}
	return n
}

// losses returns how many packets people's own sockets dropped, and for how many
// packets the receive time was lost.
func (rs rooms) losses() (dropped, unstamped uint64) {
	for _, h := range rs {
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
