package rtc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// MediaRoomConfig configures a room's media.
type MediaRoomConfig struct {
	// Slots is how many voices are passed on at once; 0: fanout.DefaultSlots.
	Slots int
	// AudienceHold is how long packets for the audience may be held, so that several
	// leave together; 0: not at all. People on stage never wait for it.
	// [MediaRoom.SetAudienceHold] changes it.
	AudienceHold time.Duration
	// OnActiveSpeakers is called with the talkers who have the slots whenever that
	// changes, as in fanout.Config. It must not close the room.
	OnActiveSpeakers func([]uint32)
	// Speaks, if it is not nil, is asked for every frame whether it may be passed on.
	Speaks func() bool
}

// MediaRoom is one room's media. All methods may be called from any goroutine.
type MediaRoom struct {
	engine *Engine
	router *fanout.Router

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	remote   map[*RemoteEar]struct{}
}

// NewRoom opens a room, which Close closes; closing the engine does, too.
func (e *Engine) NewRoom(cfg MediaRoomConfig) (*MediaRoom, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("engine: %w", ErrClosed)
	}
	router, err := fanout.New(fanout.Config{
		Slots: cfg.Slots, Shards: e.shards, Now: e.now, OnActiveSpeakers: cfg.OnActiveSpeakers,
		Hold: cfg.AudienceHold, Speaks: cfg.Speaks,
	})
	if err != nil {
		return nil, fmt.Errorf("new room: %w", err)
	}
	r := &MediaRoom{engine: e, router: router, sessions: map[*session]struct{}{}, remote: map[*RemoteEar]struct{}{}}
	e.rooms[r] = struct{}{}
	return r, nil
}

// OpenMic answers the offer of a client that wants to be heard as the given
// talker, a number other than 0. An earlier mic of the same talker falls silent
// at once; to close its session is the caller's business.
//
// The error wraps ErrBadOffer or ErrNoAudio where the offer is to blame, and
// ErrClosed where the room is closed.
func (r *MediaRoom) OpenMic(ctx context.Context, talker uint32, offerSDP string) (*Mic, error) {
	o, err := sdp.ReadOffer(offerSDP, sdp.ClientSends, 1)
	if err != nil {
		return nil, err
	}
	m, err := newMic(ctx, r, talker, o)
	if err != nil {
		return nil, fmt.Errorf("open a mic: %w", err)
	}
	return m, nil
}

// OpenEar answers the offer of a client that wants to listen. owner is the
// talker whose ear this is, who will not hear their own mic; 0: nobody. Up to
// as many of the offer's audio sections as the room has slots carry voices.
//
// Errors are as for OpenMic.
func (r *MediaRoom) OpenEar(ctx context.Context, owner uint32, offerSDP string) (*Ear, error) {
	o, err := sdp.ReadOffer(offerSDP, sdp.ClientReceives, r.router.Slots())
	if err != nil {
		return nil, err
	}
	e, err := newEar(ctx, r, owner, o)
	if err != nil {
		return nil, fmt.Errorf("open an ear: %w", err)
	}
	return e, nil
}

// Mute silences a talker, or lets it be heard again, from the next packet on. It
// holds for a mic opened later, too.
func (r *MediaRoom) Mute(talker uint32, muted bool) { r.router.Mute(talker, muted) }

// Publish lets frames be heard that another server passes on, as those of a talker.
func (r *MediaRoom) Publish(talker uint32) (*fanout.Publisher, error) {
	return r.router.Publish(talker)
}

// Relay passes frames on to a sink, for other servers: those of one talker more than there
// are slots, because an ear that leaves one out needs the others.
func (r *MediaRoom) Relay(sink fanout.Sink) (*fanout.Subscription, error) {
	return r.router.Subscribe(sink, fanout.SubscribeOptions{Sections: r.router.Slots() + 1, Relay: true})
}

// Slots is how many voices are passed on at once.
func (r *MediaRoom) Slots() int { return r.router.Slots() }

// SetAudienceHold changes how long packets for the audience may be held. What is held
// leaves.
func (r *MediaRoom) SetAudienceHold(d time.Duration) { r.router.SetHold(d) }

// Muted reports whether a talker is silenced.
func (r *MediaRoom) Muted(talker uint32) bool { return r.router.Muted(talker) }

// EachSession calls f with the id of every session that has not ended, in no order. f
// must not call the room or its sessions.
func (r *MediaRoom) EachSession(f func(id string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.sessions {
		if s.alive() {
			f(s.id)
		}
	}
}

// ActiveSpeakers lists who has the slots now, in ascending order.
func (r *MediaRoom) ActiveSpeakers() []uint32 { return r.router.ActiveSpeakers() }

// Stats reads the figures of the room's fan-out.
func (r *MediaRoom) Stats() fanout.Stats { return r.router.Stats() }

// Close ends every session of the room and waits for it. It may be called more
// than once.
func (r *MediaRoom) Close() error {
	r.mu.Lock()
	r.closed = true
	sessions := make([]*session, 0, len(r.sessions))
	for s := range r.sessions {
		sessions = append(sessions, s)
	}
	remote := slices.Collect(maps.Keys(r.remote))
	r.mu.Unlock()

	for _, e := range remote {
		e.end(ErrClosed)
	}
	for _, s := range sessions {
		s.end(ErrClosed)
	}
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.Close())
	}
	r.router.Close()
	r.engine.mu.Lock()
	delete(r.engine.rooms, r)
	r.engine.mu.Unlock()
	return errors.Join(errs...)
}

// add takes a session in.
func (r *MediaRoom) add(s *session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("room: %w", ErrClosed)
	}
	r.sessions[s] = struct{}{}
	return nil
}

func (r *MediaRoom) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, s)
}
