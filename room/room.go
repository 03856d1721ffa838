package room

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// DefaultStage is the stage's size where [Config.Stage] is zero.
const DefaultStage = 20

// The times where [Config] has none.
const (
	DefaultReconnectWindow   = 20 * time.Second
	DefaultGrace             = 30 * time.Second
	DefaultInvitationTimeout = time.Minute
)

// Config is what a room is made with. Only its Rules change afterwards.
type Config struct {
	// Name is the room's id, repeated in its events. It must not be empty.
	Name string
	// Title, Owner and Slots are what people call the room, whose account made it
	// (empty: nobody's), and how many voices are passed on. The rules make nothing of
	// them; they are part of what the room is.
	Title, Owner string
	Slots        int
	// Capacity is the number of audience seats of one hall, at least 1. People on
	// stage take none.
	Capacity int
	// Halls is how many halls the room may have, itself included: who finds all
	// seats of one taken sits in the next. Zero means 1, no overflow.
	Halls int
	// Stage is the most people on stage at once; zero means [DefaultStage].
	Stage int
	Rules
	// ReconnectWindow is for how long a disconnected person keeps seat and role;
	// zero means [DefaultReconnectWindow].
	ReconnectWindow time.Duration `json:"Window"`
	// Grace is for how long a room waits for its last host to reconnect; zero means
	// [DefaultGrace].
	Grace time.Duration
	// InvitationTimeout is how long an invitation to the stage waits for an answer;
	// zero means [DefaultInvitationTimeout].
	InvitationTimeout time.Duration `json:"Answer"`
}

// Room is one conversation. Make one with [New]. It is not safe for concurrent
// use.
//
// Every changing call takes the time it happens at and returns the events it
// caused, none if it changed nothing (muting the muted is no error). An error
// means that nothing changed.
//
// It has many methods because each rule is one: what people may ask for, and what the
// rest has to know. They share one state, and a rule often needs all of it.
type Room struct {
	cfg     Config
	created time.Time
	ended   bool

	members map[MemberID]*entry
	nextSeq uint64
	// stage and hands hold those on stage and those with a raised hand in the
	// order in which they got there. Order by time alone would be ambiguous for
	// calls within one tick of the clock.
	stage []*entry
	hands []*entry
	// audience holds those in the audience in the order in which they came in.
	audience []*entry
	// invited lists those with an invitation to the stage, the oldest first.
	invited []*entry
	// accounts finds the members who have one.
	accounts map[string]*entry
	// halls counts the seats that are taken in each.
	halls []int
	// disconnections are in the order of their start; see firstDisconnection.
	disconnections []disconnection
	blocks         []Block
	recalled       *entry // see Recall; nil: nobody
	reservations   []Reservation
	// standings is what outlives a member's stay, by person, and decided when the last
	// of it was decided in this process. seen are the people who have been in the room
	// by another's invite.
	standings map[string]Standing
	decided   map[string]time.Time
	seen      map[string]struct{}

	// hadHost reports whether the room has had a host since it was last empty, and
	// grace is when the grace period ends; zero if none runs.
	hadHost bool
	grace   time.Time
}

// entry is a member and the order in which they came in.
type entry struct {
	Member
	seq uint64
}

// New makes an empty room. It returns an error wrapping [ErrConfig] for a
// configuration that cannot be meant.
func New(cfg Config, now time.Time) (*Room, error) {
	switch {
	case cfg.Name == "":
		return nil, fmt.Errorf("%w: give it a name", ErrConfig)
	case cfg.Capacity < 1:
		return nil, fmt.Errorf("%w: capacity %d, need at least 1 audience seat", ErrConfig, cfg.Capacity)
	case cfg.Stage < 0:
		return nil, fmt.Errorf("%w: stage %d, need at least 1 place, or 0 for the default of %d",
			ErrConfig, cfg.Stage, DefaultStage)
	case cfg.Halls < 0:
		return nil, fmt.Errorf("%w: %d halls, need at least 1, or 0 for no overflow", ErrConfig, cfg.Halls)
	case cfg.ReconnectWindow < 0 || cfg.Grace < 0 || cfg.InvitationTimeout < 0:
		return nil, fmt.Errorf("%w: its times must not be negative", ErrConfig)
	case now.IsZero():
		return nil, fmt.Errorf("%w: %w", ErrConfig, ErrTime)
	}
	if err := cfg.Rules.check(); err != nil {
		return nil, err
	}
	cfg.Stage = cmp.Or(cfg.Stage, DefaultStage)
	cfg.Halls = cmp.Or(cfg.Halls, 1)
	cfg.ReconnectWindow = cmp.Or(cfg.ReconnectWindow, DefaultReconnectWindow)
	cfg.Grace = cmp.Or(cfg.Grace, DefaultGrace)
	cfg.InvitationTimeout = cmp.Or(cfg.InvitationTimeout, DefaultInvitationTimeout)
	return &Room{
		cfg: cfg, created: now,
		members: make(map[MemberID]*entry), accounts: make(map[string]*entry), halls: make([]int, 1),
		standings: make(map[string]Standing), decided: make(map[string]time.Time), seen: make(map[string]struct{}),
	}, nil
}

// Name returns the room's name.
func (r *Room) Name() string { return r.cfg.Name }

// Config returns what the room was made with, defaults filled in, with the rules
// as they are now.
func (r *Room) Config() Config { return r.cfg }

// Created returns the time at which the room was made.
func (r *Room) Created() time.Time { return r.created }

// Ended reports whether the room is over. An ended room is empty and refuses every
// change with [ErrEnded].
func (r *Room) Ended() bool { return r.ended }

// Member returns the person with this id, and whether they are in the room.
func (r *Room) Member(id MemberID) (Member, bool) {
	e, ok := r.members[id]
	if !ok {
		return Member{}, false
	}
	return e.Member, true
}

// Members returns everyone in the room, in the order in which they came in. It
// sorts: for counts use [Room.Len] and [Room.Audience].
func (r *Room) Members() []Member {
	return values(r.byJoinOrder())
}

// Len returns the number of people in the room, stage and audience.
func (r *Room) Len() int { return len(r.members) }

// Stage returns the people on stage, those longest there first.
func (r *Room) Stage() []Member { return values(r.stage) }

// Audience returns the number of audience seats taken, in all halls.
func (r *Room) Audience() int { return len(r.members) - len(r.stage) }

// Hands returns those with a raised hand, the longest raised first.
func (r *Room) Hands() []Member { return values(r.hands) }

// HandCount returns how many hands are up.
func (r *Room) HandCount() int { return len(r.hands) }

// byJoinOrder returns the entries in the order in which they joined.
func (r *Room) byJoinOrder() []*entry {
	all := make([]*entry, 0, len(r.members))
	for _, e := range r.members {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

func values(entries []*entry) []Member {
	out := make([]Member, len(entries))
	for i, e := range entries {
		out[i] = e.Member
	}
	return out
}

// checkCall refuses calls to an ended room or without a time.
func (r *Room) checkCall(now time.Time) error {
	if r.ended {
		return fmt.Errorf("room %q: %w", r.cfg.Name, ErrEnded)
	}
	if now.IsZero() {
		return fmt.Errorf("room %q: %w", r.cfg.Name, ErrTime)
	}
	return nil
}

// find returns the member or an error wrapping [ErrNotMember].
func (r *Room) find(id MemberID) (*entry, error) {
	e, ok := r.members[id]
	if !ok {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotMember)
	}
	return e, nil
}

// checkModerator returns an error if by may not moderate id. The actor is checked
// before it is looked up whether id is in the room, so that those who may not
// moderate can't probe who is.
func (r *Room) checkModerator(by, id MemberID, self bool) error {
	if by == Operator {
		return nil
	}
	actor, err := r.find(by)
	if err != nil {
		return err
	}
	if actor.Role == Host || (self && by == id) {
		return nil
	}
	return fmt.Errorf("%s %q: %w: ask a host", actor.Role, string(by), ErrForbidden)
}

// target checks the call, the actor and the person acted on, in that order.
func (r *Room) target(by, id MemberID, self bool, now time.Time) (*entry, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	if err := r.checkModerator(by, id, self); err != nil {
		return nil, err
	}
	return r.find(id)
}

// remembered is target for a change that the room remembers.
func (r *Room) remembered(by, id MemberID, self bool, now time.Time) (*entry, error) {
	e, err := r.target(by, id, self, now)
	if err == nil && by != id {
		err = r.checkMemory(e)
	}
	return e, err
}

// event makes the event of one member's change.
func (r *Room) event(kind Kind, e *entry, by MemberID, now time.Time) Event {
	return Event{Kind: kind, Room: r.cfg.Name, Member: e.Member, By: by, At: now}
}

func without(entries []*entry, e *entry) []*entry {
	i := slices.Index(entries, e)
	if i < 0 {
		return entries
	}
	return slices.Delete(entries, i, i+1)
}
