package liveroom

import (
	"errors"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/stagelog"
	"github.com/earshot-audio/earshot/signaling/timers"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// LiveRoom is a room with people in it. Its methods may be called from any
// goroutine, but not with the room's lock held, as in the callbacks of
// [LiveRoom.Change]. A [Registry] makes it. It is over when it has ended and its
// media is closed.
type LiveRoom struct {
	registry *Registry
	id       string
	title    string
	owner    string
	slots    int
	created  time.Time

	// Membership brings people in and out. Media are the mics and ears.
	Membership *Membership
	Media      *MediaSessions
	announcer  *announcer
	// timer runs when the rules have something to do.
	timer *timers.Timer
	// down is closed when an ended room has been torn down.
	down chan struct{}

	mu         sync.Mutex // guards all below, Media, and the participants
	rules      *room.Room
	roster     roster
	log        stagelog.Log
	pending    pendingPresence
	saver      saver
	checker    checker
	emptySince time.Time
	// endReason is the goodbye of those who are in when the room ends.
	endReason wire.GoodbyeReason
	// movedTo is the URL of the WebSockets of the server that the room has moved to, if it is known, and
	// movedFrom is who was in it then.
	movedTo   string
	movedFrom []room.Member
}

// newLiveRoom gives rules their media. The caller adds the room to the registry.
func newLiveRoom(registry *Registry, rules *room.Room) (*LiveRoom, error) {
	cfg, now := rules.Config(), registry.cfg.Clock()
	l := &LiveRoom{
		registry:   registry,
		id:         cfg.Name,
		title:      cfg.Title,
		owner:      cfg.Owner,
		slots:      cfg.Slots,
		created:    rules.Created(),
		down:       make(chan struct{}),
		rules:      rules,
		roster:     newRoster(),
		log:        stagelog.New(uint64(max(now.UnixMilli(), 0))),
		saver:      saver{persister: registry.cfg.Persister, log: registry.cfg.Log},
		emptySince: now,
		endReason:  wire.GoodbyeEnded,
	}
	l.Membership = &Membership{room: l}
	l.announcer = newAnnouncer(l)
	l.timer = timers.NewTimer(l.tick)
	mediaCfg := rtc.MediaRoomConfig{Slots: cfg.Slots, AudienceHold: cfg.AudienceHold, OnActiveSpeakers: l.announcer.setTalkers}
	if registry.cfg.Cluster != nil {
		mediaCfg.Speaks = registry.cfg.Cluster.Speaks
	}
	media, err := registry.cfg.Media.NewRoom(mediaCfg)
	if err != nil {
		return nil, err
	}
	l.Media = &MediaSessions{live: l, room: media, byID: make(map[string]*Participant), relay: noRelay{}}
	if registry.cfg.Cluster != nil {
		l.Media.relay = registry.cfg.Cluster.Relay(l.id, media, cfg.AudienceHold)
	}
	return l, nil
}

// ID returns the room's ID.
func (l *LiveRoom) ID() string { return l.id }

// Title returns the room's name, to be shown.
func (l *LiveRoom) Title() string { return l.title }

// OwnedBy reports whether an account made the room.
func (l *LiveRoom) OwnedBy(account string) bool { return account != "" && l.owner == account }

// Ask asks the room's rules something, with the lock held. ask changes nothing, and
// keeps nothing.
func (l *LiveRoom) Ask(ask func(rules *room.Room) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ask(l.rules)
}

// Info is what a room is at one moment.
type Info struct {
	ID, Title  string
	Visibility wire.Visibility
	Capacity   int // of each hall
	Slots      int
	// AudienceHold is how long packets for the audience may wait for others.
	AudienceHold time.Duration
	// MaxHalls is how many halls the room may have, and Halls the audience of each it
	// has.
	MaxHalls int
	Halls    []int
	Audience int
	Stage    []wire.StageMember
	Created  time.Time
	// PacketsSent counts the media packets that ears were sent.
	PacketsSent uint64
}

// Info returns what the room is now.
func (l *LiveRoom) Info() Info {
	sent := l.Media.stats().Sent
	l.mu.Lock()
	defer l.mu.Unlock()
	return Info{
		ID:           l.id,
		Title:        l.title,
		Visibility:   wireVisibility[l.rules.Rules().Visibility],
		Capacity:     l.rules.Config().Capacity,
		Slots:        l.slots,
		AudienceHold: l.rules.Rules().AudienceHold,
		MaxHalls:     l.rules.Config().Halls,
		Halls:        append([]int(nil), l.rules.Halls()...),
		Audience:     l.rules.Audience(),
		Stage:        view{l}.stage(),
		Created:      l.created,
		PacketsSent:  sent,
	}
}

// Members returns everybody in the room, in the order in which they joined.
func (l *LiveRoom) Members() []room.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules.Members()
}

// Audience returns the page of the audience that a participant asks for. Whether they
// may is the rules' decision.
func (l *LiveRoom) Audience(by room.MemberID, m wire.ListAudience) (wire.Audience, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	query := room.AudienceQuery{Search: m.Search, From: m.From, Limit: wire.MaxAudience}
	if me, ok := l.rules.Member(by); ok && m.Followed {
		query.Accounts = l.registry.cfg.Store.Followed(me.Account)
	}
	page, err := l.rules.AudiencePage(by, query)
	if err != nil {
		return wire.Audience{}, err
	}
	return wire.Audience{ID: m.ID, People: view{l}.audience(page.Members), Count: page.Count, Next: page.Next}, nil
}

// Followed returns those in the audience whose account is one of the given ones, as many
// as a message lists.
func (l *LiveRoom) Followed(accounts []string) []wire.AudienceMember {
	if len(accounts) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	page, err := l.rules.AudiencePage(room.Operator, room.AudienceQuery{Accounts: accounts, Limit: wire.MaxAudience})
	if err != nil {
		return nil // the room has ended: nobody is in it
	}
	return view{l}.audience(page.Members)
}

// Regrant gives a person the role of an invite that was made after the room gave
// them a lower one, see [room.Room.Regrant].
func (l *LiveRoom) Regrant(who room.Identity, role room.Role, made time.Time) error {
	return l.Change(func(rules *room.Room, _ time.Time) ([]room.Event, error) {
		l.saver.unsaved = rules.Regrant(who, role, made) || l.saver.unsaved
		return nil, nil
	}, nil)
}

// forget removes what the room remembers of an account.
func (l *LiveRoom) forget(account, name string) error {
	err := l.Change(func(rules *room.Room, _ time.Time) ([]room.Event, error) {
		l.saver.unsaved = rules.Forget(account, name) || l.saver.unsaved
		return nil, nil
	}, nil)
	if errors.Is(err, room.ErrEnded) {
		return nil
	}
	return err
}

// End ends the room on behalf of a member or of [room.Operator], and returns when
// all of it is torn down.
func (l *LiveRoom) End(by room.MemberID, reply func()) error {
	return l.end(func(rules *room.Room, now time.Time) ([]room.Event, error) { return rules.End(by, now) }, reply)
}

// EndIf ends the room with the operator's authority, unless may refuses.
func (l *LiveRoom) EndIf(may func(rules *room.Room) error) error {
	return l.end(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if err := may(rules); err != nil {
			return nil, err
		}
		return rules.End(room.Operator, now)
	}, nil)
}

func (l *LiveRoom) end(how func(rules *room.Room, now time.Time) ([]room.Event, error), reply func()) error {
	err := l.Change(how, reply)
	if err == nil || errors.Is(err, errNotSaved) {
		<-l.down
	}
	return err
}

// close ends the room on the server's behalf. It does not wait for the teardown.
func (l *LiveRoom) close(reason wire.GoodbyeReason) {
	_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		l.endReason = reason
		return rules.Close(now), nil
	}, nil)
}

// letGo reports whether the server has let go of the room, which has not ended: it is
// saved as it was. The caller holds the lock.
func (l *LiveRoom) letGo() bool {
	return l.endReason == wire.GoodbyeShutdown || l.endReason == wire.GoodbyeMoved
}

// release ends the room here without ending it. last is called with its last state, and
// with the lock held. It returns the URL of the WebSockets of the server that has the room then, if
// that is known: people are told.
func (l *LiveRoom) release(last func(room.State) (socket string)) {
	_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if rules.Ended() {
			return nil, nil
		}
		if l.movedTo = last(rules.State()); l.movedTo != "" {
			l.movedFrom = rules.Members()
		}
		l.endReason = wire.GoodbyeMoved
		return rules.Close(now), nil
	}, nil)
}

// closeIfEmpty ends the room if nobody has been in it for the given time.
func (l *LiveRoom) closeIfEmpty(after time.Duration) {
	_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if rules.Ended() || rules.Len() > 0 || now.Sub(l.emptySince) < after {
			return nil, nil
		}
		return rules.Close(now), nil
	}, nil)
}

// saveNew saves a room that has just been made.
func (l *LiveRoom) saveNew() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saver.unsaved = true
	return l.saver.save(l.rules, nil)
}

// setTimer sets the timer to what the rules have to do next. The caller holds the
// lock, or is alone.
func (l *LiveRoom) setTimer(now time.Time) { l.timer.Set(l.saver.next(l.rules.NextTick(), now), now) }

// tick does what the rules have to do now.
func (l *LiveRoom) tick() {
	_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) { return rules.Tick(now), nil }, nil)
}

// tearDown ends what belongs to an ended room. It runs once.
func (l *LiveRoom) tearDown() {
	defer l.registry.teardowns.Done()
	defer close(l.down)
	l.timer.Close()
	l.announcer.presence.Close()
	l.playOn()
	l.Media.closeAll(l.announcer.talkersThrottled.Close)
	l.registry.retire(l)
}
