package signaling

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// mediaEndpoint implements [whip.Endpoint] on live rooms. Each WHIP or WHEP session
// is a participant of its own, a speaker or a listener, who leaves when it ends.
type mediaEndpoint struct {
	auth    *auth.Authenticator
	limiter *auth.Limiter
	access  *access.Policy
	rooms   *liveroom.Registry
	log     *slog.Logger
}

// mediaResource is one such session.
type mediaResource struct {
	room        *liveroom.LiveRoom
	participant *liveroom.Participant
	session     rtc.Session
	answer      string // of a session that has just been opened
	log         *slog.Logger
}

var errNoSession = wire.NewError(wire.CodeNotFound, "there is no such session")

// mediaOf returns the media of a kind of session, and the role that it takes.
func mediaOf(kind whip.Kind) (wire.Media, wire.Role) {
	if kind == whip.Publish {
		return wire.MediaMic, wire.RoleSpeaker
	}
	return wire.MediaEar, wire.RoleListener
}

// Open lets a participant join and answers the offer. If that fails they leave
// again.
func (e mediaEndpoint) Open(ctx context.Context, kind whip.Kind, id, bearer string, r *http.Request, offer string) (whip.Resource, error) {
	media, role := mediaOf(kind)
	admitted, err := e.admit(id, bearer, role, r)
	if err != nil {
		e.rooms.CountJoin(kind.String(), err)
		return nil, e.refusal(err)
	}
	p := liveroom.NewMediaParticipant(auth.NewID(), access.Identity(admitted.Who), media)
	request := admitted.JoinRequest(r.URL.Query().Get("name"))
	l, _, err := e.rooms.Join(id, p, request, kind.String(), nil)
	if err != nil {
		return nil, e.refusal(err)
	}
	var answer string
	session, err := l.Media.Open(ctx, p, media, liveroom.Offer{SDP: offer}, func(opened rtc.Session) { answer = opened.Answer() })
	if err != nil {
		_ = l.Membership.Lost(p)
		return nil, e.refusal(err)
	}
	return &mediaResource{room: l, participant: p, session: session, answer: answer, log: e.log}, nil
}

// admit authenticates, admits and counts a request to join.
func (e mediaEndpoint) admit(id, bearer string, role wire.Role, r *http.Request) (access.Admission, error) {
	who, err := e.auth.Authenticate(bearer)
	if err != nil {
		return access.Admission{}, err
	}
	if !wire.ValidRoom(id) {
		return access.Admission{}, apierr.ErrNoRoom
	}
	admitted, err := e.access.Admit(who, id, role)
	if err != nil {
		return access.Admission{}, err
	}
	if !wire.ValidName(r.URL.Query().Get("name")) {
		return access.Admission{}, apierr.NameField()
	}
	return admitted, e.limiter.Offer(e.limiter.Origin(r), who.Account)
}

// Find returns an open session to the token that opened it, a host of the room and
// the operator. To others it does not exist, even if its URL has leaked.
func (e mediaEndpoint) Find(kind whip.Kind, id, session, bearer string) (whip.Resource, error) {
	who, err := e.auth.Authenticate(bearer)
	if err != nil {
		return nil, err
	}
	if _, err := e.access.Admit(who, id, ""); err != nil {
		return nil, e.refusal(err)
	}
	media, _ := mediaOf(kind)
	l, p, open, ok := e.find(id, session, media)
	switch {
	case !ok:
		return nil, errNoSession
	case p.TokenFamily == who.TokenFamily || e.access.Manages(who, l):
	case l.Moved(): // only another server asks for such a session: it must not take it for ended
		return nil, wire.NewError(wire.CodeForbidden, "the session is somebody else's")
	default:
		return nil, errNoSession
	}
	return &mediaResource{room: l, participant: p, session: open, log: e.log}, nil
}

// find returns an open session of a room that is here, or was here before it moved to another server.
func (e mediaEndpoint) find(id, session string, media wire.Media) (l *liveroom.LiveRoom, p *liveroom.Participant, open rtc.Session, ok bool) {
	if l, err := e.rooms.Find(id); err == nil {
		if p, open, ok = l.Media.Find(session, media); ok {
			return l, p, open, true
		}
	}
	return e.rooms.FindEarlier(id, session, media)
}

// refusal returns what the client may be told. An error with a code is returned as
// it is, for package whip to look into.
func (e mediaEndpoint) refusal(err error) error {
	var refusal wire.Error
	if errors.As(err, &refusal) {
		return err
	}
	return apierr.Convert(e.log, err)
}

// ID returns the media session's ID, which is unguessable.
func (r *mediaResource) ID() string { return r.session.ID() }

// Answer returns the SDP answer, if Open has made the resource.
func (r *mediaResource) Answer() string { return r.answer }

// AddCandidate passes on a trickle ICE fragment.
func (r *mediaResource) AddCandidate(fragment string) error {
	err := r.session.AddCandidate(fragment)
	if err == nil {
		return nil
	}
	if errors.Is(err, rtc.ErrClosed) {
		return errNoSession
	}
	return apierr.Convert(r.log, err)
}

// ICE returns the client's credentials in the present ICE session.
func (r *mediaResource) ICE() sdp.Credentials { return r.session.ICE() }

// Restart begins another ICE session.
func (r *mediaResource) Restart(fragment string) (string, error) {
	answer, err := r.session.Restart(fragment)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, rtc.ErrClosed):
		return "", errNoSession
	}
	return "", apierr.Convert(r.log, err)
}

// Close lets the participant leave, which closes the media.
func (r *mediaResource) Close(context.Context) error {
	err := r.room.Membership.Leave(r.participant, nil)
	if errors.Is(err, room.ErrNotMember) || errors.Is(err, room.ErrEnded) {
		r.room.CutMediaOf(r.participant) // the room may have moved, and the session be left
		return nil
	}
	return err
}
