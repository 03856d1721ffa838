package loadgen

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// A hall is one room of the run as the generator sees it: the room on the
// server, the ledger of what was sent in it, and the part of the cast that is
// in it.
type roomRun struct {
	run       *run
	number    int
	client    driver.RoomClient
	ledger    *measure.Ledger
	speakers  []*person // the cast's speakers and hosts
	listeners []*person // the cast's listeners

	mu      sync.Mutex
	sources int // mics ever opened, for their seeds
}

// newHall makes room number i, and brings in its speakers.
func (r *run) openRoom(ctx context.Context, i int) (*roomRun, error) {
	room, err := r.Driver.Open(ctx, i, r.Scenario.Room)
	if err != nil {
		return nil, err
	}
	h := &roomRun{run: r, number: i, client: room, ledger: measure.NewLedger(r.tally)}
	for g, group := range r.Scenario.Cast {
		for n := range group.Count {
			p := &person{room: h, group: g, number: n, role: group.Role, name: fmt.Sprintf("%s %d.%d", group.Role, g+1, n+1)}
			p.impairment = r.emulator.NewImpairment(group.Network, i, g, n)
			if group.Role == scenario.Listener {
				p.probe = r.isProbe(len(h.listeners)*r.Scenario.Rooms + i)
				p.account = h.ledger.AddListener(r.sections(group), measure.Labels{Network: group.NetworkName(), Probe: p.probe})
				h.listeners = append(h.listeners, p)
			} else {
				if r.Driver.Capabilities().Moderation {
					p.account = h.ledger.AddListener(r.sections(group), measure.Labels{Role: string(group.Role), Network: group.NetworkName(), Probe: true})
				}
				h.speakers = append(h.speakers, p)
			}
		}
	}
	for _, p := range h.speakers {
		if err := p.takeStage(ctx); err != nil {
			return h, fmt.Errorf("bring %s into room %s: %w", p.name, room.Name(), err)
		}
	}
	return h, nil
}

// sections is how many voices a group's ears have room for.
func (r *run) sections(g scenario.Group) int {
	return cmp.Or(g.Sections, r.Driver.Capabilities().Sections, r.Scenario.Room.Slots)
}

// Of the listeners, one in a hundred is a probe, and two at least.
const (
	listenersPerProbe = 100
	minProbes         = 2
)

// probing tells whether listener number i of the run, over all rooms, is a
// probe: they are spread evenly.
func (r *run) isProbe(i int) bool {
	all := r.Scenario.Listeners() * r.Scenario.Rooms
	every := all / max(minProbes, all/listenersPerProbe)
	return every == 0 || i%every == 0
}

// newEar makes a person's client.
func (r *run) newSubscriber(p *person, hear client.PacketFunc) (client.Subscriber, error) {
	sections := r.sections(r.Scenario.Cast[p.group])
	if p.probe || r.Scenario.Cast[p.group].Role != scenario.Listener {
		return r.pion.NewProbe(sections, p.impairment, hear)
	}
	return r.crowd.NewClient(sections, p.impairment, p.account), nil
}

func (h *roomRun) people() []*person { return slices.Concat(h.speakers, h.listeners) }

// newMic enters one more mic into the ledger, at a seeded place in one of the
// files and in the 20 ms.
func (h *roomRun) addSource(files []*speech.Clip, number int) (*measure.Source, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seed := rand.New(rand.NewPCG(uint64(h.run.Scenario.Seed), uint64(h.number)<<32|uint64(h.sources)))
	h.sources++
	clip := files[number%len(files)]
	return h.ledger.AddSource(clip, seed.IntN(len(clip.Frames)), time.Duration(seed.Int64N(int64(measure.BinLength))))
}

// A coming is a listener and how long after the start of a phase it comes, or
// leaves.
type scheduledListener struct {
	after    time.Duration
	listener *person
}

// schedule is everybody's arrival, in order.
func (r *run) schedule() []scheduledListener {
	return r.timesOf(0, func(g scenario.Group) *scenario.Arrivals { return &g.Arrive })
}

// departures is the leaving of those who leave after the hold, in order.
func (r *run) departures() []scheduledListener {
	return r.timesOf(1000, func(g scenario.Group) *scenario.Arrivals { return g.Depart })
}

// spread gives the listeners of each group their times, if it has any. They are
// spread over all rooms: the groups of N rooms come like one group N times as
// large.
func (r *run) timesOf(seed int64, times func(scenario.Group) *scenario.Arrivals) []scheduledListener {
	var all []scheduledListener
	for g, group := range r.Scenario.Cast {
		shape := times(group)
		if group.Role != scenario.Listener || shape == nil {
			continue
		}
		after := shape.Times(group.Count*len(r.rooms), r.Scenario.Seed+seed+int64(g))
		for i, h := range r.rooms {
			for _, p := range h.listeners {
				if p.group == g {
					all = append(all, scheduledListener{after[p.number*len(r.rooms)+i], p})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scheduledListener) int { return int(a.after - b.after) })
	return all
}
