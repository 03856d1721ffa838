package signaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// hub holds the live rooms. Its lock is never held while a room's lock is taken,
// nor the other way round.
type hub struct {
	cfg     *Config
	log     *slog.Logger
	metrics *metrics

	mu    sync.Mutex
	rooms map[string]*live
	// standing holds all rooms that are not quite torn down, those that ended
	// and are no longer in rooms included; past is the sum of those that are.
	standing map[*live]struct{}
	past     mediaStats
	closed   bool

	teardowns sync.WaitGroup
	stop      chan struct{}
	swept     chan struct{}
}

// plan is what a room is created with.
type plan struct {
	id       string
	title    string
	owner    string // the account that makes it; empty: the operator, or anybody
	closed   bool
	capacity int
	slots    int
}

var (
	errNoRoom       = wire.NewError(wire.CodeNotFound, "there is no such room")
	errShuttingDown = wire.NewError(wire.CodeUnavailable, "the server is shutting down")
)

func newHub(cfg *Config, m *metrics) *hub {
	h := &hub{
		cfg:      cfg,
		log:      cfg.Log,
		metrics:  m,
		rooms:    make(map[string]*live),
		standing: make(map[*live]struct{}),
		stop:     make(chan struct{}),
		swept:    make(chan struct{}),
	}
	go h.sweep()
	return h
}

// sweep closes the rooms of an open server that nobody has been in for a while.
func (h *hub) sweep() {
	defer close(h.swept)
	if !h.cfg.Open {
		return
	}
	tick := time.NewTicker(max(h.cfg.EmptyAfter/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
			for _, l := range h.list() {
				l.shutIfEmpty(h.cfg.EmptyAfter)
			}
		}
	}
}

// create makes a room. An id that is taken is refused as a conflict.
func (h *hub) create(p plan) (*live, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.createLocked(p)
}

func (h *hub) createLocked(p plan) (*live, error) {
	switch {
	case h.closed:
		return nil, errShuttingDown
	case h.rooms[p.id] != nil:
		return nil, wire.NewError(wire.CodeConflict, "there is a room with this name")
	case len(h.rooms) >= h.cfg.MaxRooms:
		return nil, wire.NewError(wire.CodeUnavailable, "the server has as many rooms as it may have")
	}
	now := h.cfg.Clock()
	rules, err := room.New(room.Config{Name: p.id, Title: p.title, Owner: p.owner, Slots: p.slots, Capacity: p.capacity, Stage: h.cfg.Stage}, now)
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	l := &live{
		hub:        h,
		id:         p.id,
		title:      p.title,
		owner:      p.owner,
		closed:     p.closed,
		slots:      p.slots,
		created:    now,
		rules:      rules,
		people:     make(map[room.MemberID]*person),
		solo:       make(map[string]*person),
		emptySince: now,
		farewell:   wire.GoodbyeEnded,
		down:       make(chan struct{}),
	}
	l.presence = newCoalescer(h.cfg.PresenceEvery, l.announce)
	l.chatter = newCoalescer(h.cfg.TalkersEvery, l.chat)
	if l.media, err = h.cfg.Media.NewRoom(rtc.RoomConfig{Slots: p.slots, OnTalkers: l.report}); err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	h.rooms[p.id] = l
	h.standing[l] = struct{}{}
	h.log.Info("room created", "room", p.id, "capacity", p.capacity, "slots", p.slots)
	return l, nil
}

// find returns a room.
func (h *hub) find(id string) (*live, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.rooms[id]; l != nil {
		return l, nil
	}
	return nil, errNoRoom
}

// enter returns a room; on an open server it springs up if there is none.
func (h *hub) enter(id string) (*live, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.rooms[id]; l != nil {
		return l, nil
	}
	if !h.cfg.Open {
		if h.closed {
			return nil, errShuttingDown
		}
		return nil, errNoRoom
	}
	return h.createLocked(plan{id: id, title: id, capacity: h.cfg.Capacity, slots: h.cfg.Slots})
}

// join brings a person into a room and counts how that went. via tells how the
// person came: ws, whip or whep.
func (h *hub) join(id string, p *person, name string, role room.Role, via string, reply func(wire.Joined)) (*live, error) {
	l, err := h.tryJoin(id, p, name, role, reply)
	h.metrics.joined(via, err)
	return l, err
}

func (h *hub) tryJoin(id string, p *person, name string, role room.Role, reply func(wire.Joined)) (*live, error) {
	if name = strings.TrimSpace(name); name == "" {
		name = "guest"
	}
	for {
		l, err := h.enter(id)
		if err != nil {
			return nil, err
		}
		err = l.join(p, name, role, reply)
		if !errors.Is(err, room.ErrEnded) {
			return l, err
		}
		// It ended between the two. Now there is none of that name, or on an open
		// server a new one.
		h.forget(l)
	}
}

// list returns the rooms in the order of their creation.
func (h *hub) list() []*live {
	h.mu.Lock()
	rooms := make([]*live, 0, len(h.rooms))
	for _, l := range h.rooms {
		rooms = append(rooms, l)
	}
	h.mu.Unlock()
	slices.SortFunc(rooms, func(a, b *live) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	return rooms
}

// forget takes an ended room off the list, so that its name is free.
func (h *hub) forget(l *live) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[l.id] == l {
		delete(h.rooms, l.id)
	}
}

// retire adds a room that is torn down to the sum of those.
func (h *hub) retire(l *live) {
	stats := l.mediaStats()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.past.add(stats)
	delete(h.standing, l)
}

// shutdown refuses new rooms, ends all there are, and waits until they are torn
// down or ctx is over.
func (h *hub) shutdown(ctx context.Context) error {
	h.mu.Lock()
	first := !h.closed
	h.closed = true
	h.mu.Unlock()
	if first {
		close(h.stop)
	}
	for _, l := range h.list() {
		l.shut(wire.GoodbyeShutdown)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-h.swept
		h.teardowns.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rooms are still closing: %w", ctx.Err())
	}
}
