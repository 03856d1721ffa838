package signaling

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// endpoint lets people in over WHIP and WHEP: each session is a person of its
// own, a speaker on stage or a listener in the audience, who leaves with it.
type endpoint struct {
	server *Server
}

// resource is one such session.
type resource struct {
	live    *live
	person  *person
	kind    whip.Kind
	session rtc.Session
	answer  string // of a session that has just been opened
}

var errNoSession = wire.NewError(wire.CodeNotFound, "there is no such session")

// mediaHandler returns what serves the WHIP and WHEP paths.
func (s *Server) mediaHandler() (http.Handler, error) {
	handler, err := whip.New(whip.Config{Endpoint: endpoint{s}, Log: s.log})
	if err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	return handler, nil
}

// Open lets a person in and answers the offer. A person whose offer comes to
// nothing leaves again.
func (e endpoint) Open(ctx context.Context, kind whip.Kind, id, bearer string, r *http.Request, offer string) (whip.Resource, error) {
	s := e.server
	role, media := wire.RoleListener, wire.MediaEar
	if kind == whip.Publish {
		role, media = wire.RoleSpeaker, wire.MediaMic
	}
	have, name, err := e.admit(id, bearer, role, r)
	if err != nil {
		s.metrics.joined(kind.String(), err)
		return nil, e.refusal(err)
	}
	if err := s.limits.offer(s.limits.origin(r), have.account); err != nil {
		s.metrics.joined(kind.String(), err)
		return nil, e.refusal(err)
	}
	p := newPerson(have)
	p.kind = kind
	l, _, err := s.hub.join(id, p, newcomer(have, id, name, role), kind.String(), nil)
	if err != nil {
		return nil, e.refusal(err)
	}
	var answer string
	session, err := l.open(ctx, p, media, offer, func(opened rtc.Session) { answer = opened.Answer() })
	if err != nil {
		_ = l.leave(p, true, nil)
		return nil, e.refusal(err)
	}
	return &resource{live: l, person: p, kind: kind, session: session, answer: answer}, nil
}

// admit checks who asks, and returns the name they go by.
func (e endpoint) admit(id, bearer string, role wire.Role, r *http.Request) (grant, string, error) {
	have, err := e.server.gate.check(bearer)
	if err != nil {
		return grant{}, "", err
	}
	if !wire.ValidRoom(id) {
		return grant{}, "", errNoRoom
	}
	if _, have, err = e.server.admit(have, id, role); err != nil {
		return grant{}, "", err
	}
	name := r.URL.Query().Get("name")
	if !wire.ValidName(name) {
		return grant{}, "", fieldError("name", fmt.Sprintf("is longer than %d characters or holds control characters", wire.MaxName))
	}
	return have, name, nil
}

// Find returns a session that has not ended, to the token that opened it, a host
// of the room and the operator. To another it is not there, even if its URL has
// come to be known.
func (e endpoint) Find(kind whip.Kind, id, session, bearer string) (whip.Resource, error) {
	have, err := e.server.gate.check(bearer)
	if err != nil {
		return nil, err
	}
	_, have, err = e.server.admit(have, id, "")
	if err != nil {
		return nil, err
	}
	if l, err := e.server.hub.find(id); err == nil {
		if found := l.resource(session); found != nil && found.kind == kind &&
			(found.person.TokenFamily == have.pass || e.server.gate.mayManage(have, id)) {
			return found, nil
		}
	}
	return nil, errNoSession
}

// refusal tells a client what it may know; what it may not, package whip logs.
func (e endpoint) refusal(err error) error {
	var refusal wire.Error
	if errors.As(err, &refusal) {
		return err
	}
	return refuse(e.server.log, err)
}

// resource returns the session of a person who has nothing else.
func (l *live) resource(session string) *resource {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.sessions[session]
	if !ok || !p.solo() {
		return nil
	}
	media := wire.MediaEar
	if p.kind == whip.Publish {
		media = wire.MediaMic
	}
	return &resource{live: l, person: p, kind: p.kind, session: p.medium(media)}
}

// ID returns the media session's id, which nobody can guess.
func (r *resource) ID() string { return r.session.ID() }

// Answer returns the SDP answer, of a resource that Open has made.
func (r *resource) Answer() string { return r.answer }

// AddCandidate hands on what the client has found later.
func (r *resource) AddCandidate(fragment string) error {
	err := r.session.AddCandidate(fragment)
	if err == nil {
		return nil
	}
	if errors.Is(err, rtc.ErrClosed) {
		return errNoSession
	}
	return refuse(r.live.hub.log, err)
}

// Close lets the person leave, which closes the media.
func (r *resource) Close(context.Context) error {
	err := r.live.leave(r.person, false, nil)
	if errors.Is(err, room.ErrNotMember) || errors.Is(err, room.ErrEnded) {
		return nil
	}
	return err
}
