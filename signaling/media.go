package signaling

import (
	"context"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// open answers an offer for a person's mic or ear, in the place of the one that
// is open. Setting up a session takes milliseconds and is done without the lock,
// so the person may have left, or left the stage, when it is done: then the new
// session is closed again and the error says why.
//
// A person's offers come one after the other (one reader, or one HTTP request).
// reply, if given, is called with the new session before anything that follows from it can
// be told, with the lock held; afterwards the session has its answer no more.
func (l *live) open(ctx context.Context, p *person, kind wire.Media, offer string, reply func(rtc.Session)) (rtc.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, l.hub.cfg.OfferWait)
	defer cancel()

	l.mu.Lock()
	err := l.mayOpen(p, kind)
	owner := p.owner()
	if err == nil {
		l.opening++
	}
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.opening--
		l.touched = true
	}()

	session, err := l.negotiate(ctx, p, kind, owner, offer)
	if err != nil {
		return nil, err
	}

	l.mu.Lock()
	if err := l.mayOpen(p, kind); err != nil {
		l.mu.Unlock()
		l.hub.closeMedia(session)
		return nil, err
	}
	old := l.take(p, kind)
	switch opened := session.(type) {
	case *rtc.Mic:
		p.mic = opened
	case *rtc.Ear:
		p.ear = opened
		if now := p.owner(); now != owner {
			l.media.SetOwner(opened, now)
		}
	}
	l.sessions[session.ID()] = p
	if reply != nil {
		reply(session)
	}
	session.ReleaseAnswer()
	l.watched.Add(1)
	session.OnEnd(func() {
		defer l.watched.Done()
		l.over(p, kind, session)
	})
	l.mu.Unlock()
	if len(old) > 0 {
		l.discard(old...)
	}
	return session, nil
}

func (l *live) negotiate(ctx context.Context, p *person, kind wire.Media, owner uint32, offer string) (rtc.Session, error) {
	// Not one return: a nil *rtc.Mic in the interface would not be nil.
	if kind == wire.MediaMic {
		mic, err := l.media.OpenMic(ctx, p.talker, offer)
		if err != nil {
			return nil, err
		}
		return mic, nil
	}
	ear, err := l.media.OpenEar(ctx, owner, offer)
	if err != nil {
		return nil, err
	}
	return ear, nil
}

// mayOpen tells whether the person may have the media now. The caller holds the
// lock.
func (l *live) mayOpen(p *person, kind wire.Media) error {
	switch {
	case l.rules.Ended():
		return room.ErrEnded
	case !p.member:
		return room.ErrNotMember
	case kind == wire.MediaMic && !p.onStage:
		return wire.NewError(wire.CodeForbidden, "a mic is for those on stage")
	}
	return nil
}

// hangUp closes a person's mic or ear, if it is open.
func (l *live) hangUp(p *person, kind wire.Media) {
	l.mu.Lock()
	open := l.take(p, kind)
	l.mu.Unlock()
	if len(open) > 0 {
		l.discard(open...)
	}
}

// over is called after the end of a media session. If that came from outside (the
// connection failed or the client closed it), a person with a WebSocket is told,
// and one without leaves: the session was all there was of them.
func (l *live) over(p *person, kind wire.Media, session rtc.Session) {
	l.hub.metrics.mediaEnded(kind, session.Reason())
	l.mu.Lock()
	if p.medium(kind) != session {
		l.mu.Unlock()
		return
	}
	if p.solo() {
		// Closes the session, too.
		l.mu.Unlock()
		_ = l.leave(p, true, nil)
		return
	}
	over := l.take(p, kind)
	p.tell(wire.MediaClosed{Media: kind, Reason: wire.CloseLost})
	l.mu.Unlock()
	l.discard(over...)
}

// closeMedia closes a session; it may have ended already.
func (h *hub) closeMedia(session rtc.Session) {
	if err := session.Close(); err != nil {
		h.log.Debug("closing a media session", "err", err)
	}
}
