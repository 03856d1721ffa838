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
	// accounts knows who is live; its lock is the last to be taken.
	accounts *accounts

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
	id         string
	title      string
	owner      string // the account that makes it; empty: nobody's
	visibility room.Visibility
	capacity   int // of each hall
	halls      int
	slots      int
}

var (
	errNoRoom       = wire.NewError(wire.CodeNotFound, "there is no such room")
	errShuttingDown = wire.NewError(wire.CodeUnavailable, "the server is shutting down")
)

// newHub makes a hub. The caller restores rooms, if there are any, and then starts
// sweep, which ends when stop is closed.
func newHub(cfg *Config, m *metrics) *hub {
	return &hub{
		cfg:      cfg,
		log:      cfg.Log,
		metrics:  m,
		accounts: newAccounts(),
		rooms:    make(map[string]*live),
		standing: make(map[*live]struct{}),
		stop:     make(chan struct{}),
		swept:    make(chan struct{}),
	}
}

// sweep checks all rooms once a second, and closes those of an open server that
// nobody has been in for a while.
func (h *hub) sweep() {
	defer close(h.swept)
	every := checkEvery
	if h.cfg.Open {
		every = min(every, max(h.cfg.EmptyAfter/4, time.Millisecond))
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
			h.check()
			if h.cfg.Open {
				for _, l := range h.list() {
					l.shutIfEmpty(h.cfg.EmptyAfter)
				}
			}
		}
	}
}

// create makes a room, and returns when what must outlive the process is kept. An
// id that is taken is refused as a conflict.
func (h *hub) create(p plan) (*live, error) {
	h.mu.Lock()
	l, err := h.createLocked(p)
	h.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := l.begin(); err != nil {
		l.shut(wire.GoodbyeEnded)
		return nil, err
	}
	return l, nil
}

// rules is the configuration of the rules of a room.
func (h *hub) rules(p plan) room.Config {
	return room.Config{
		Name: p.id, Title: p.title, Owner: p.owner, Slots: p.slots,
		Capacity: p.capacity, Halls: p.halls, Stage: h.cfg.Stage,
		Rules:           room.Rules{Visibility: p.visibility},
		ReconnectWindow: h.cfg.ResumeWindow, Grace: h.cfg.Grace, InvitationTimeout: h.cfg.StageWait,
	}
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
	rules, err := room.New(h.rules(p), h.cfg.Clock())
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	l, err := h.open(rules)
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	h.log.Info("room created", "room", p.id, "capacity", p.capacity, "slots", p.slots)
	return l, nil
}

// open gives a room its media and takes it into the list. The caller holds the
// hub's lock, or is alone.
func (h *hub) open(rules *room.Room) (*live, error) {
	cfg, now := rules.Config(), h.cfg.Clock()
	l := &live{
		hub:        h,
		id:         cfg.Name,
		title:      cfg.Title,
		owner:      cfg.Owner,
		slots:      cfg.Slots,
		created:    rules.Created(),
		rules:      rules,
		people:     make(map[room.MemberID]*person),
		sessions:   make(map[string]*person),
		emptySince: now,
		farewell:   wire.GoodbyeEnded,
		journal:    newJournal(uint64(max(now.UnixMilli(), 0))),
		down:       make(chan struct{}),
	}
	l.presence = newCoalescer(l.presenceEvery, l.announce)
	l.chatter = newCoalescer(l.talkersEvery, l.chat)
	l.alarm = newAlarm(l.tick)
	var err error
	if l.media, err = h.cfg.Media.NewRoom(rtc.MediaRoomConfig{Slots: cfg.Slots, OnActiveSpeakers: l.report}); err != nil {
		return nil, err
	}
	h.rooms[l.id] = l
	h.standing[l] = struct{}{}
	return l, nil
}

// restore makes the rooms again that a keeper has kept. Nobody else knows the hub
// yet, and sweep has not been started. Times and limits are those of this process.
func (h *hub) restore(states []room.State) error {
	for _, s := range states {
		if s.Ended {
			continue
		}
		mine := h.rules(plan{})
		s.Config.Stage = max(mine.Stage, len(s.Stage)+len(s.Reservations))
		s.Config.ReconnectWindow, s.Config.Grace, s.Config.InvitationTimeout = mine.ReconnectWindow, mine.Grace, mine.InvitationTimeout
		rules, err := room.Restore(s, h.cfg.Clock())
		if err != nil {
			return fmt.Errorf("restore room %q: %w", s.Config.Name, err)
		}
		l, err := h.open(rules)
		if err != nil {
			return fmt.Errorf("restore room %q: %w", s.Config.Name, err)
		}
		l.restore()
		h.log.Info("room restored", "room", l.id, "stage", len(s.Stage))
	}
	return nil
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
	return h.createLocked(plan{id: id, title: id, capacity: h.cfg.Capacity, halls: h.cfg.Halls, slots: h.cfg.Slots})
}

// join brings a person into a room and counts how that went; it returns who they
// are there, which is somebody else than p if the room knows them. via tells how
// the person came: ws, whip or whep.
func (h *hub) join(id string, p *person, n room.JoinRequest, via string, reply func(wire.Joined)) (*live, *person, error) {
	l, me, err := h.tryJoin(id, p, n, reply)
	h.metrics.joined(via, err)
	return l, me, err
}

func (h *hub) tryJoin(id string, p *person, n room.JoinRequest, reply func(wire.Joined)) (*live, *person, error) {
	if n.Name = strings.TrimSpace(n.Name); n.Name == "" {
		n.Name = "guest"
	}
	for {
		l, err := h.enter(id)
		if err != nil {
			return nil, nil, err
		}
		h.makeWay(p.Account, id, p.solo())
		me, err := l.join(p, n, reply)
		switch {
		case errors.Is(err, room.ErrAlreadyMember):
			// The account came in elsewhere at the same moment. One of the two stays.
			continue
		case !errors.Is(err, room.ErrEnded):
			return l, me, err
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
