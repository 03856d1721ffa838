package liveroom

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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Config is what a [Registry] is made with. Persister may be nil; all else that is
// not a bool is required.
type Config struct {
	// Open makes rooms spring up on first use, and closes those that have been empty
	// for EmptyAfter.
	Open       bool
	EmptyAfter time.Duration
	// Media carries the audio. The registry opens rooms on it and closes them.
	Media *rtc.Engine
	// Key derives the keys of resume tickets.
	Key []byte
	// Slots, Capacity and Halls are a room's, unless its [Spec] says otherwise.
	Slots, Capacity, Halls int
	// Stage is how many people may be on a stage.
	Stage int
	// MaxRooms is how many rooms there may be at once.
	MaxRooms int
	// MaxRoomsByAccount is how many of them an account may own.
	MaxRoomsByAccount int
	// ResumeWindow is for how long the seat, role and media of somebody are held whose
	// WebSocket is lost. Grace is how long a room waits for its last host. StageWait is
	// how long an invitation to the stage is open.
	ResumeWindow, Grace, StageWait time.Duration
	// OfferWait is how long the answer to an offer may take.
	OfferWait time.Duration
	// PresenceEvery and TalkersEvery are the least times between two messages of a
	// kind, in a room with few people.
	PresenceEvery, TalkersEvery time.Duration
	// Cluster is what the registry needs of the cluster that the server belongs to; nil:
	// it belongs to none.
	Cluster Cluster
	// Store takes the audit log.
	Store *store.Store
	// Persister saves rooms; nil: rooms end with the process.
	Persister Persister
	Clock     func() time.Time
	Log       *slog.Logger
	// Metrics is where the registry registers its metrics.
	Metrics prometheus.Registerer
}

// Spec is what a room is created with.
type Spec struct {
	ID, Title string
	// Owner is the account that makes the room; empty: nobody's.
	Owner string
	// Hosts are accounts that are hosts of it from the start, beside the owner.
	Hosts      []string
	Visibility room.Visibility
	Capacity   int // of each hall
	Halls      int
	Slots      int
	// AudienceHold is how long packets for the audience may wait for others, to leave
	// as one message; people on stage get theirs at once.
	AudienceHold time.Duration
}

// Registry holds all live rooms. It is safe for concurrent use. Besides the methods of
// this file, it writes the audit log (audit.go) and counts (metrics.go, collector.go).
type Registry struct {
	cfg      Config
	metrics  metrics
	accounts *accountIndex
	// earlier are the participants of rooms that have moved and of which something is left here.
	earlier *accountIndex
	// arrivals are the accounts that are coming in.
	arrivals *arrivals

	mu    sync.Mutex
	rooms map[string]*LiveRoom // those that have not ended
	// standing holds the rooms that have not been torn down, and moving those among them that are
	// another server's, or will be; retired is the sum of those that have.
	standing map[*LiveRoom]struct{}
	moving   map[*LiveRoom]struct{}
	retired  mediaTotals
	adopting map[string]bool // rooms that are being made here, which were another server's
	closed   bool

	teardowns sync.WaitGroup
	stop      chan struct{}
	stopped   chan struct{}
}

// NewRegistry makes a registry and restores rooms that a [Persister] has saved,
// with the times and limits of this configuration.
func NewRegistry(cfg Config, saved []room.State) (*Registry, error) {
	r := &Registry{
		cfg:      cfg,
		metrics:  newMetrics(),
		accounts: newAccountIndex(),
		earlier:  newAccountIndex(),
		arrivals: newArrivals(cfg.Cluster),
		rooms:    make(map[string]*LiveRoom),
		standing: make(map[*LiveRoom]struct{}),
		moving:   make(map[*LiveRoom]struct{}),
		adopting: make(map[string]bool),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	for _, c := range []prometheus.Collector{r.metrics.joins, r.metrics.ended, r.metrics.mismatches, &collector{rooms: r}} {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	err := r.restore(saved)
	go r.watch() // only now: it closes empty rooms
	if err != nil {
		return nil, errors.Join(err, r.Shutdown(context.Background()))
	}
	return r, nil
}

// watch checks all rooms once a second, and closes those of an open server that
// have been empty for a while.
func (r *Registry) watch() {
	defer close(r.stopped)
	every := checkEvery
	if r.cfg.Open {
		every = min(every, max(r.cfg.EmptyAfter/4, time.Millisecond))
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.check()
			if r.cfg.Open {
				for _, l := range r.List() {
					l.closeIfEmpty(r.cfg.EmptyAfter)
				}
			}
		}
	}
}

// check checks all rooms and counts their mismatches.
func (r *Registry) check() {
	for _, l := range r.List() {
		r.checkRoom(l)
	}
}

// checkRoom checks a room, and counts and returns its mismatches.
func (r *Registry) checkRoom(l *LiveRoom) int {
	n := l.check()
	if n > 0 {
		r.metrics.mismatches.Add(float64(n))
		r.cfg.Log.Error("media, roster and rules do not agree", "room", l.id, "mismatches", n)
	}
	return n
}

// Create makes a room, and returns when what must outlive the process has been
// saved. An ID that is taken is refused with [wire.CodeConflict].
func (r *Registry) Create(spec Spec) (*LiveRoom, error) {
	r.mu.Lock()
	l, err := r.createLocked(spec)
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := l.saveNew(); err != nil {
		l.close(wire.GoodbyeEnded)
		return nil, err
	}
	return l, nil
}

// NewSpec returns a spec with the configured defaults.
func (r *Registry) NewSpec(id, title string) Spec {
	return Spec{ID: id, Title: title, Capacity: r.cfg.Capacity, Halls: r.cfg.Halls, Slots: r.cfg.Slots}
}

// rules returns the configuration of a room's rules.
func (r *Registry) rules(s Spec) room.Config {
	return room.Config{
		Name: s.ID, Title: s.Title, Owner: s.Owner, Slots: s.Slots,
		Capacity: s.Capacity, Halls: s.Halls, Stage: r.cfg.Stage,
		Rules:           room.Rules{Visibility: s.Visibility, AudienceHold: s.AudienceHold},
		ReconnectWindow: r.cfg.ResumeWindow, Grace: r.cfg.Grace, InvitationTimeout: r.cfg.StageWait,
	}
}

func (r *Registry) createLocked(spec Spec) (*LiveRoom, error) {
	switch {
	case r.closed:
		return nil, apierr.ErrShuttingDown
	case r.rooms[spec.ID] != nil:
		return nil, wire.NewError(wire.CodeConflict, "there is a room with this name")
	case spec.Owner != "" && r.ownedLocked(spec.Owner) >= r.cfg.MaxRoomsByAccount:
		return nil, wire.NewError(wire.CodeAccountLimit, fmt.Sprintf("you have as many rooms as a member may have, %d: end one of them first", r.cfg.MaxRoomsByAccount))
	case spec.Owner != "" && r.branchFullLocked(spec.Owner):
		return nil, wire.NewError(wire.CodeAccountLimit, "those who came to the club as you did, by invites of the same members, have as many rooms as they may have together")
	case len(r.rooms) >= r.cfg.MaxRooms:
		return nil, wire.NewError(wire.CodeUnavailable, "the server has as many rooms as it may have")
	}
	rules, err := room.New(r.rules(spec), r.cfg.Clock())
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	for _, account := range spec.Hosts {
		rules.Appoint(account, r.cfg.Clock())
	}
	l, err := newLiveRoom(r, rules)
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	r.addLocked(l)
	r.cfg.Log.Info("room created", "room", spec.ID, "capacity", spec.Capacity, "slots", spec.Slots)
	return l, nil
}

// ownedLocked returns how many rooms an account owns.
func (r *Registry) ownedLocked(account string) (count int) {
	for _, l := range r.rooms {
		if l.owner == account {
			count++
		}
	}
	if r.cfg.Cluster != nil {
		count = max(count, r.cfg.Cluster.OwnedBy(account))
	}
	return count
}

// branchFullLocked reports whether an account, or somebody who brought it into the club, has as many
// rooms as they may have together with all whom they brought in: see [store.Store.Full].
func (r *Registry) branchFullLocked(account string) bool {
	_, full := r.cfg.Store.Full(account, r.cfg.MaxRooms, r.cfg.MaxRoomsByAccount, func(add func(account string, n int)) {
		if r.cfg.Cluster != nil {
			r.cfg.Store.RoomsOwned(add)
			return
		}
		for _, l := range r.rooms {
			if l.owner != "" {
				add(l.owner, 1)
			}
		}
	})
	return full
}

func (r *Registry) addLocked(l *LiveRoom) {
	r.rooms[l.id] = l
	r.standing[l] = struct{}{}
}

// restore makes saved rooms again.
func (r *Registry) restore(saved []room.State) error {
	for _, s := range saved {
		if s.Ended {
			continue
		}
		if err := r.restoreOne(s); err != nil {
			return fmt.Errorf("restore room %q: %w", s.Config.Name, err)
		}
	}
	return nil
}

func (r *Registry) restoreOne(s room.State) error {
	own := r.rules(Spec{})
	s.Config.Stage = max(own.Stage, len(s.Stage)+len(s.Reservations))
	s.Config.ReconnectWindow, s.Config.Grace, s.Config.InvitationTimeout = own.ReconnectWindow, own.Grace, own.InvitationTimeout
	rules, err := room.Restore(s, r.cfg.Clock())
	if err != nil {
		return err
	}
	l, err := newLiveRoom(r, rules)
	if err != nil {
		return err
	}
	l.Membership.restoreStage()
	r.mu.Lock()
	r.addLocked(l)
	r.mu.Unlock()
	r.cfg.Log.Info("room restored", "room", l.id, "stage", len(s.Stage))
	return nil
}

// Find returns the room with an ID, or [apierr.ErrNoRoom].
func (r *Registry) Find(id string) (*LiveRoom, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.rooms[id]; l != nil {
		return l, nil
	}
	return nil, apierr.ErrNoRoom
}

// findOrCreate is Find, but on an open server it makes a room that is not there.
func (r *Registry) findOrCreate(id string) (*LiveRoom, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.rooms[id]; l != nil {
		return l, nil
	}
	if !r.cfg.Open {
		if r.closed {
			return nil, apierr.ErrShuttingDown
		}
		return nil, apierr.ErrNoRoom
	}
	return r.createLocked(r.NewSpec(id, id))
}

// Join brings a participant into a room, and counts the attempt as of the given way
// (ws, whip, whep). It returns who they are there, which is another than p if the
// room knows them. The account's participation elsewhere ends. See
// [LiveRoom.Change] for reply.
func (r *Registry) Join(id string, p *Participant, request room.JoinRequest, via string, reply func(wire.Joined)) (*LiveRoom, *Participant, error) {
	arriving := r.arrivals.begin(p.Account)
	p.arrival = arriving.Arrival
	l, me, err := r.join(id, p, arriving, request, reply)
	r.arrivals.end(p.Account, arriving)
	if r.arrivals.isOvertaken(arriving) {
		if err == nil { // they have been told that they are in, and are told that they are out
			l.Membership.replaceIf(me, func() bool { return me.arrival == arriving.Arrival })
		}
		if p.conn != nil {
			p.conn.Finish(wire.GoodbyeReplaced)
		}
	}
	r.CountJoin(via, err)
	return l, me, err
}

func (r *Registry) join(id string, p *Participant, arriving *coming, request room.JoinRequest, reply func(wire.Joined)) (*LiveRoom, *Participant, error) {
	if request.Name = strings.TrimSpace(request.Name); request.Name == "" {
		request.Name = "guest"
	}
	for told := false; ; told = true {
		l, err := r.findOrCreate(id)
		if err != nil {
			return nil, nil, err
		}
		if !told && r.cfg.Cluster != nil && p.Account != "" {
			r.cfg.Cluster.Arriving(p.Account, id, p.arrival)
		}
		if r.arrivals.isOvertaken(arriving) {
			return nil, nil, errOvertaken
		}
		r.replaceElsewhere(p, id)
		me, err := l.Membership.join(p, request, reply)
		switch {
		case errors.Is(err, room.ErrAlreadyMember):
			// The account has joined by another request at the same moment. The later one of the two
			// stays.
			continue
		case !errors.Is(err, room.ErrEnded):
			return l, me, err
		}
		// The room has ended since it was found. Now there is none of that name, or on
		// an open server a new one.
		r.remove(l)
	}
}

// replaceElsewhere ends the earlier participation of p's account before p joins a room. A
// participant of that room whose WebSocket is lost is left, to be reconnected.
func (r *Registry) replaceElsewhere(p *Participant, id string) {
	for _, s := range r.accounts.find(p.Account) {
		if s.room.id != id || p.mediaOnly != "" || !s.room.Membership.mayReconnect(s.participant) {
			s.room.Membership.replaceBefore(s.participant, p.arrival)
		}
	}
	r.cutMoved(p.Account, id, p.arrival)
}

// EndAccount ends the participation of an account, media included, unless it was
// with a token of the family keep.
func (r *Registry) EndAccount(account, keep string) {
	for _, s := range r.accounts.find(account) {
		if keep == "" || s.participant.TokenFamily != keep {
			s.room.Membership.replace(s.participant)
		}
	}
	for _, s := range r.earlier.find(account) { // last: a room may have moved meanwhile
		if keep == "" || s.participant.TokenFamily != keep {
			s.room.CutMediaOf(s.participant)
		}
	}
}

// Forget removes what the rooms remember of an account, whose name was the given one,
// see [room.Room.Forget].
func (r *Registry) Forget(account, name string) error {
	var failed error
	for _, l := range r.List() {
		failed = errors.Join(failed, l.forget(account, name))
	}
	return failed
}

// List returns the rooms in the order of their creation.
func (r *Registry) List() []*LiveRoom {
	r.mu.Lock()
	rooms := make([]*LiveRoom, 0, len(r.rooms))
	for _, l := range r.rooms {
		rooms = append(rooms, l)
	}
	r.mu.Unlock()
	slices.SortFunc(rooms, func(a, b *LiveRoom) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	return rooms
}

// remove takes an ended room off the list, so that its name is free.
func (r *Registry) remove(l *LiveRoom) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rooms[l.id] == l {
		delete(r.rooms, l.id)
	}
}

// retire adds a room that has been torn down to the sum of those.
func (r *Registry) retire(l *LiveRoom) {
	stats := l.Media.stats()
	r.earlier.drop(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired.add(stats)
	delete(r.standing, l)
	delete(r.moving, l)
}

// Shutdown refuses new rooms, ends all there are, and waits until they are torn
// down or ctx is over. It may be called more than once.
func (r *Registry) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		close(r.stop)
	}
	for _, l := range r.List() {
		l.close(wire.GoodbyeShutdown)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-r.stopped
		r.teardowns.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rooms are still closing: %w", ctx.Err())
	}
}
