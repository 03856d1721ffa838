package cast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A roomRun is one room of the run: the room on the server, the ledger of what was sent
// in it, and the people of the cast who are in it.
type roomRun struct {
	cast      *Cast
	number    int
	client    driver.RoomClient
	ledger    *ledger.Ledger
	speakers  []*person // the cast's speakers and hosts
	listeners []*person // the cast's listeners

	// cast is how many people it has, here or elsewhere, of each kind, and mics how many of
	// them have a mic from the beginning.
	castListeners, castSpeakers, mics int

	// acting is held for reading while the server is asked for what the timeline does to somebody, and
	// for writing while the room ends.
	acting    sync.RWMutex
	moderator moderator

	// unanswered means that a mic failed without a word from the server, before there were listeners.
	unanswered bool

	mu       sync.Mutex
	reopened int // mics opened since then that nobody had chosen
}

// openRoom opens room number i and brings in its speakers. With an error it returns
// the room, too, if there is one to close.
func (c *Cast) openRoom(ctx context.Context, i int) (*roomRun, error) {
	room, err := c.enterRoom(ctx, i)
	if err != nil {
		return nil, err
	}
	h := &roomRun{cast: c, number: i, client: room, ledger: c.Book.NewLedger()}
	if err := c.clients.check(); err != nil {
		return h, err
	}
	if c.marked() {
		h.ledger = c.Book.NewMarkedLedger()
	}
	h.ledger.InRoom(i)
	if c.others != nil {
		h.ledger.Await()
	}
	if c.Scenario.AudioScore {
		h.ledger.Score()
	}
	for g, group := range c.Scenario.Cast {
		for n := range group.Count {
			h.add(g, n)
		}
	}
	return h, nil
}

// enterRoom opens a room, or gets into the one that the coordinator has opened.
func (c *Cast) enterRoom(ctx context.Context, i int) (driver.RoomClient, error) {
	if c.others == nil {
		return c.Driver.Open(ctx, i, c.Scenario.Room)
	}
	shared, ok := c.Driver.(driver.Shared)
	if !ok || i >= len(c.tickets) {
		return nil, fmt.Errorf("%w: enter a room that somebody else has opened", driver.ErrUnsupported)
	}
	return shared.Enter(ctx, i, c.tickets[i])
}

// takeStage brings in the room's speakers.
func (h *roomRun) takeStage(ctx context.Context) error {
	if h.cast.Scenario.Listeners() == 0 {
		return nil // they arrive themselves
	}
	for _, p := range h.speakers {
		from := h.cast.Clock.Now()
		err := p.takeStage(ctx, from)
		if err == nil {
			continue
		}
		if !p.isUnheard(ctx, err) {
			return fmt.Errorf("bring %s into room %s: %w", p.name, h.client.Name(), err)
		}
		h.cast.Problems.Add(problem.Publishing, fmt.Errorf("room %s: %w", h.client.Name(), err))
		if !driver.Refused(err) {
			h.unanswered = true
			h.ledger.Unanswered(from, h.cast.Clock.Now())
		}
	}
	return nil
}

// isUnheard reports whether an error means that the server did not take a mic before there were
// listeners: a matter of the run's verdict. Otherwise the run can't be played: it was interrupted, the target is not
// there, a TURN server was not, the generator could not do its part, or whether it did is not known to the workers whose people listen.
func (p *person) isUnheard(ctx context.Context, err error) bool {
	c := p.room.cast
	var own ownFault
	var relay client.RelayError
	switch {
	case ctx.Err() != nil, len(c.clips[p.group]) == 0, problem.AtLimit(err), errors.Is(err, driver.ErrUnsupported), errors.As(err, &own), errors.As(err, &relay):
		return false
	case errors.Is(err, driver.ErrUnreachable):
		_, open := c.Uplinks.Counts()
		return open > 0 && c.others == nil // it was there
	}
	return driver.Refused(err) || c.others == nil
}

// add adds person n of a group of the cast, if this process plays them.
func (h *roomRun) add(g, n int) {
	c, clients := h.cast, h.cast.clients
	group := c.Scenario.Cast[g]
	p := &person{
		room: h, group: g, number: n, place: h.castListeners + h.castSpeakers, mic: -1, role: group.Role,
		name: fmt.Sprintf("%s %d.%d", group.Role, g+1, n+1),
	}
	if group.Role == scenario.Listener {
		number := h.castListeners*c.Scenario.Rooms + h.number // of all rooms
		h.castListeners++
		if !c.Share.Has(number) {
			return
		}
		p.impairment = clients.emulator.NewImpairment(group.Network, h.number, g, n)
		p.probe = c.Share.IsProbe(number, c.Scenario.Listeners()*c.Scenario.Rooms)
		p.via = group.Transport.Of(n*c.Scenario.Rooms + h.number)
		if p.probe {
			p.via = network.UDP
		}
		p.account = h.ledger.AddListener(clients.sections(group), record.Labels{Network: group.NetworkName(), Node: group.NodeName(), Transport: transportLabel(p.via), Probe: p.probe})
		if clients.whole() {
			p.account.Unchecked()
		}
		if group.RepairedBy().RED() && everybodySendsRED(c) {
			p.account.AskRedundant()
		}
		h.listeners = append(h.listeners, p)
		return
	}
	number := h.castSpeakers*c.Scenario.Rooms + h.number
	h.castSpeakers++
	if len(c.clips[g]) > 0 {
		p.mic = h.mics
		h.mics++
	}
	if !c.Share.Has(number) {
		return
	}
	p.impairment = clients.emulator.NewImpairment(group.Network, h.number, g, n)
	p.probe = true
	p.via = group.Transport.Of(n*c.Scenario.Rooms + h.number)
	if clients.capabilities.StageListens {
		p.account = h.ledger.AddListener(clients.sections(group), record.Labels{Role: string(group.Role), Network: group.NetworkName(), Probe: true})
	}
	h.speakers = append(h.speakers, p)
}

// everybodySendsRED reports whether all who send prefer redundant audio.
func everybodySendsRED(c *Cast) bool {
	for g, group := range c.Scenario.Cast {
		if len(c.clips[g]) > 0 && !group.RepairedBy().RED() {
			return false
		}
	}
	return true
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
	c := h.cast
	h.mu.Lock()
	index := p.mic
	if p.mic >= 0 {
		p.mic = -1 // another one is of its own
	} else {
		// Neither an event nor another worker gives it that number.
		index = h.firstMicOf(len(c.Scenario.Timeline)) + h.reopened*max(c.Share.Of, 1) + c.Share.Number
		h.reopened++
	}
	h.mu.Unlock()
	source, err := h.newSource(index, p.group, p.number, h.ledger.AddSource, h.ledger.AddMarkedSource)
	if err == nil && c.others != nil {
		c.others.Open(link.SourceID{Room: h.number, Index: index}, p.group, p.number, source)
	}
	return source, err
}

// Replica adds the mic of another worker to its room's ledger.
func (c *Cast) Replica(o link.OpenedSource) (*ledger.Source, error) {
	if o.Room < 0 || o.Room >= len(c.Rooms) || c.Rooms[o.Room] == nil || o.Group < 0 || o.Group >= len(c.clips) || o.Number < 0 || o.Index < 0 {
		return nil, fmt.Errorf("there is no room %d with a group %d", o.Room, o.Group)
	}
	h := c.Rooms[o.Room]
	return h.newSource(o.Index, o.Group, o.Number, func(clip *speech.Clip, first int, offset time.Duration) (*ledger.Source, error) {
		return h.ledger.AddReplica(clip, nil, first, offset)
	}, func(clip *speech.Clip, code *mark.Code, offset time.Duration) (*ledger.Source, error) {
		return h.ledger.AddReplica(clip, code, 0, offset)
	})
}

// newSource adds the room's mic of some number, of a person of the cast. It starts at a
// seeded frame of one of the files, and at a seeded offset within 20 ms.
func (h *roomRun) newSource(index, group, number int, add func(*speech.Clip, int, time.Duration) (*ledger.Source, error),
	addMarked func(*speech.Clip, *mark.Code, time.Duration) (*ledger.Source, error),
) (*ledger.Source, error) {
	seed := rand.New(rand.NewPCG(uint64(h.cast.Scenario.Seed), uint64(h.number)<<32|uint64(index)))
	clip := h.clipOf(group, number)
	first, offset := firstFrame(h.cast.Scenario.Seed, h.number, index, len(clip.Frames)), time.Duration(seed.Int64N(int64(timebase.BinLength)))
	if !h.cast.marked() {
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

// clipOf is what person number of a group says.
func (h *roomRun) clipOf(group, number int) *speech.Clip {
	files := h.cast.clips[group]
	if len(files) == 0 {
		files = h.cast.allClips // a promoted listener without audio speaks with the cast's
	}
	return files[number%len(files)]
}

// discontinuous reports whether the person's mic is to send nothing at times (DTX): in the pauses of their recording,
// or while others talk. What is marked is encoded anew, without pauses.
func (p *person) discontinuous() bool {
	c := p.room.cast
	group := c.Scenario.Cast[p.group]
	if group.Turns != nil && group.Turns.Overlap < group.Count {
		return true
	}
	return !c.marked() && p.room.clipOf(p.group, p.number).Pauses()
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
