package liveroom

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// MediaSessions are the mics and ears of a live room. The room's lock guards it.
//
// All halls of a room hang on the one media room. In a cluster some of the audience's ears
// may be on other servers: the relay feeds those.
type MediaSessions struct {
	live  *LiveRoom
	room  *rtc.MediaRoom
	relay Relay
	// byID holds the participants by the IDs of their open sessions. opening and
	// closing count the sessions that belong to nobody yet, or no more.
	byID             map[string]*Participant
	opening, closing int
	// watched counts the sessions whose end has not been handled.
	watched sync.WaitGroup
}

// An Offer is a client's offer of a mic or an ear.
type Offer struct {
	SDP string
	// Node is the server of the cluster that is to have the ear; empty: any.
	Node string
}

// Open answers an offer of a participant's mic or ear, which replaces the open one.
// Setting up a session takes milliseconds and is done without the lock. If the
// participant has left, or left the stage, when it is done, the session is closed
// again and the error says why.
//
// A participant's offers must come one after the other. reply, if not nil, is
// called with the new session and the lock held, before any message that follows
// from it is queued. Afterwards the session does not hold its answer any more.
func (s *MediaSessions) Open(ctx context.Context, p *Participant, media wire.Media, offer Offer, reply func(rtc.Session)) (rtc.Session, error) {
	l := s.live
	ctx, cancel := context.WithTimeout(ctx, l.registry.cfg.OfferWait)
	defer cancel()

	l.mu.Lock()
	err := s.mayOpen(p, media)
	ownTalker := p.ownTalker()
	if err == nil {
		s.opening++
	}
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.opening--
		l.checker.touched = true
	}()

	session, err := s.negotiate(ctx, p, media, ownTalker, offer)
	if err != nil {
		return nil, err
	}

	l.mu.Lock()
	if err := s.mayOpen(p, media); err != nil {
		l.mu.Unlock()
		s.closeSession(session)
		return nil, err
	}
	replaced := s.replace(p, media)
	p.setSession(session)
	if now := p.ownTalker(); p.ear == session && now != ownTalker {
		p.ear.SetOwner(now)
	}
	s.byID[session.ID()] = p
	if reply != nil {
		reply(session)
	}
	session.ReleaseAnswer()
	s.watched.Add(1)
	session.OnEnd(func() {
		defer s.watched.Done()
		s.ended(p, media, session)
	})
	if ear, elsewhere := session.(movable); elsewhere {
		ear.OnMove(func() { s.move(p, session) })
	}
	l.mu.Unlock()
	if len(replaced) > 0 {
		s.close(replaced...)
	}
	return session, nil
}

// movable is an ear on another server, which may stop before the room does.
type movable interface {
	// OnMove sets what is called when the ear is to be opened elsewhere.
	OnMove(func())
}

// earOverlap is how long an ear that is moved may play beside the one that replaces it: clients close it
// when they hear the other.
const earOverlap = 3 * time.Second

// move has a participant open another ear in the place of one whose server will stop. A player that came over
// WHEP can't be told: its session ends, and it comes again.
func (s *MediaSessions) move(p *Participant, session rtc.Session) {
	s.live.mu.Lock()
	moves := p.session(wire.MediaEar) == session
	if moves && p.mediaOnly == "" {
		p.moving = true
		p.send(wire.MediaMoving{Media: wire.MediaEar})
	}
	s.live.mu.Unlock()
	if moves && p.mediaOnly != "" {
		_ = s.live.Membership.Lost(p) // it may have left
	}
}

// replace takes the sessions away that another will be set in place of. An ear that is moved plays on
// for a while. The caller holds the lock, and closes them afterwards.
func (s *MediaSessions) replace(p *Participant, media wire.Media) (detached []rtc.Session) {
	if media != wire.MediaEar || !p.moving || p.ear == nil {
		return s.detach(p, media)
	}
	detached = s.detachLeaving(p)
	p.earLeaves()
	ear := p.leaving
	time.AfterFunc(earOverlap, func() { s.stopLeaving(p, ear) })
	return detached
}

// stopLeaving ends an ear that plays on beside another, if it still does.
func (s *MediaSessions) stopLeaving(p *Participant, ear rtc.Session) {
	s.live.mu.Lock()
	var open []rtc.Session
	if p.leaving == ear {
		open = s.detachLeaving(p)
	}
	s.live.mu.Unlock()
	if len(open) > 0 {
		s.close(open...)
	}
}

func (s *MediaSessions) negotiate(ctx context.Context, p *Participant, media wire.Media, ownTalker uint32, offer Offer) (rtc.Session, error) {
	// Two returns each, because a nil *rtc.Mic in the interface would not be nil.
	if media == wire.MediaMic {
		mic, err := s.room.OpenMic(ctx, p.talker, offer.SDP)
		if err != nil {
			return nil, err
		}
		return mic, nil
	}
	if ownTalker != 0 && offer.Node != "" {
		return nil, wire.NewError(wire.CodeConflict, "the ear of somebody on stage is on the room's server: leave out the node")
	}
	if ownTalker == 0 {
		if ear, err := s.relay.OpenEar(ctx, offer.SDP, offer.Node); ear != nil || err != nil {
			return ear, err
		}
	}
	ear, err := s.room.OpenEar(ctx, ownTalker, offer.SDP)
	if err != nil {
		return nil, err
	}
	return ear, nil
}

// mute silences a talker on all servers, or lets it be heard again.
func (s *MediaSessions) mute(talker uint32, muted bool) {
	s.room.Mute(talker, muted)
	s.relay.Mute(talker, muted)
}

// setAudienceHold changes how long packets for the audience may be held, on all servers.
func (s *MediaSessions) setAudienceHold(d time.Duration) {
	s.room.SetAudienceHold(d)
	s.relay.SetAudienceHold(d)
}

// mayOpen reports why the participant may not have the media now. The caller holds
// the lock.
func (s *MediaSessions) mayOpen(p *Participant, media wire.Media) error {
	switch {
	case s.live.rules.Ended():
		return room.ErrEnded
	case !p.joined:
		return room.ErrNotMember
	case media == wire.MediaMic && !p.onStage:
		return wire.NewError(wire.CodeForbidden, "a mic is for those on stage")
	}
	return nil
}

// HangUp closes a participant's mic or ear, if it is open.
func (s *MediaSessions) HangUp(p *Participant, media wire.Media) {
	s.live.mu.Lock()
	open := s.detach(p, media)
	s.live.mu.Unlock()
	if person := personOf(p.Identity); person != "" {
		s.relay.CutEarlier([]string{person}, media)
	}
	if len(open) > 0 {
		s.close(open...)
	}
}

// Restart begins another ICE session of a participant's open mic or ear.
func (s *MediaSessions) Restart(p *Participant, media wire.Media, fragment string) (string, error) {
	s.live.mu.Lock()
	open := p.session(media)
	s.live.mu.Unlock()
	if open == nil {
		return "", errNotOpen
	}
	answer, err := open.Restart(fragment)
	if errors.Is(err, rtc.ErrClosed) {
		return "", errNotOpen
	}
	return answer, err
}

var errNotOpen = wire.NewError(wire.CodeConflict, "it is not open: send an offer")

// Find returns the open session with an ID of a participant who came over WHIP or
// WHEP.
func (s *MediaSessions) Find(id string, media wire.Media) (*Participant, rtc.Session, bool) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	p, ok := s.byID[id]
	if !ok || p.mediaOnly != media {
		return nil, nil, false
	}
	return p, p.session(media), true
}

// ended handles the end of a session. If it was lost, or closed by the client, a
// participant with a WebSocket is told, and one without leaves.
func (s *MediaSessions) ended(p *Participant, media wire.Media, session rtc.Session) {
	l := s.live
	l.registry.metrics.mediaEnded(media, session.Reason())
	l.mu.Lock()
	if p.session(media) != session {
		l.mu.Unlock()
		s.stopLeaving(p, session)
		return
	}
	if p.mediaOnly != "" && p.joined {
		l.mu.Unlock()
		_ = l.Membership.Lost(p) // closes the session, too
		return
	}
	lost := s.detach(p, media)
	p.send(wire.MediaClosed{Media: media, Reason: wire.CloseLost})
	l.mu.Unlock()
	s.close(lost...)
}

// detach takes a participant's open sessions off the packet path, and counts them
// as closing. The caller holds the lock, and closes them afterwards.
func (s *MediaSessions) detach(p *Participant, media ...wire.Media) (detached []rtc.Session) {
	for _, kind := range media {
		if open := p.takeSession(kind); open != nil {
			detached = append(detached, s.stop(open))
		}
		if kind == wire.MediaEar {
			detached = append(detached, s.detachLeaving(p)...)
		}
	}
	return detached
}

// detachLeaving is detach for the ear that plays on beside another.
func (s *MediaSessions) detachLeaving(p *Participant) (detached []rtc.Session) {
	if open := p.takeLeaving(); open != nil {
		detached = append(detached, s.stop(open))
	}
	return detached
}

// stop takes a session that is nobody's any more off the packet path. The caller holds the lock.
func (s *MediaSessions) stop(open rtc.Session) rtc.Session {
	open.Detach()
	delete(s.byID, open.ID())
	s.closing++
	s.live.checker.touched = true
	return open
}

// close closes detached sessions. It takes the lock.
func (s *MediaSessions) close(detached ...rtc.Session) {
	for _, session := range detached {
		s.closeSession(session)
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.closing -= len(detached)
	s.live.checker.touched = true
}

// closeSession closes a session; it may have ended already.
func (s *MediaSessions) closeSession(session rtc.Session) {
	if err := session.Close(); err != nil {
		s.live.registry.cfg.Log.Debug("closing a media session", "error", err)
	}
}

// Relay returns what carries the room's audio to other servers.
func (s *MediaSessions) Relay() Relay { return s.relay }

// stats returns what the media has counted so far.
func (s *MediaSessions) stats() fanout.Stats { return s.room.Stats() }

// closeAll closes all media of an ended room and waits until the end of each
// session has been handled.
func (s *MediaSessions) closeAll(stopTalkers func()) {
	s.relay.Close()
	if err := s.room.Close(); err != nil {
		s.live.registry.cfg.Log.Warn("closing the media of a room", "room", s.live.id, "error", err)
	}
	stopTalkers()
	s.watched.Wait()
}
