package earshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A roomClient is a room that this driver created, with the host's token.
type roomClient struct {
	driver    *Driver
	name      string
	hostToken string
	moderator moderator
	// entered means that another process has opened the room, and people of others are in it.
	entered bool
}

var _ driver.Shared = (*Driver)(nil)

// A ticket is how another process gets into a room.
type ticket struct {
	Room      string `json:"room"`
	HostToken string `json:"host_token"`
}

// Ticket implements driver.Shared: the room's name and its host's token.
func (d *Driver) Ticket(room driver.RoomClient) (string, error) {
	r, ok := room.(*roomClient)
	if !ok {
		return "", fmt.Errorf("%w: the room is from another driver", driver.ErrUnsupported)
	}
	text, err := json.Marshal(ticket{r.name, r.hostToken})
	return string(text), err
}

// Enter implements driver.Shared.
func (d *Driver) Enter(_ context.Context, i int, text string) (driver.RoomClient, error) {
	var t ticket
	if err := json.Unmarshal([]byte(text), &t); err != nil || t.Room == "" {
		return nil, fmt.Errorf("the ticket of room %d is none of an earshot server's", i+1)
	}
	return &roomClient{driver: d, name: t.Room, hostToken: t.HostToken, entered: true}, nil
}

// Name implements driver.RoomClient.
func (r *roomClient) Name() string { return r.name }

// Join implements driver.RoomClient. A host joins with the room's own token, everybody
// else with the operator's, which any number of people may share; it is empty on an
// open server.
func (r *roomClient) Join(ctx context.Context, name string, role scenario.Role) (driver.Participant, error) {
	token := r.driver.token
	if role == scenario.Host {
		token = r.hostToken
	}
	return r.join(ctx, name, role, token)
}

func (r *roomClient) join(ctx context.Context, name string, role scenario.Role, token string) (*connection, error) {
	return r.driver.follow(r.name, func(socket string) (*connection, error) { return r.joinAt(ctx, socket, name, role, token) })
}

func (r *roomClient) joinAt(ctx context.Context, socket, name string, role scenario.Role, token string) (*connection, error) {
	s, err := dial(ctx, r.driver, socket)
	if err != nil {
		return nil, err
	}
	if err := s.join(ctx, r.name, name, wire.Role(role), token); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if role != scenario.Listener { // a listener goes on to listen, and reads the answer itself
		s.startReading()
	}
	return s, nil
}

// Act implements driver.RoomClient.
func (r *roomClient) Act(ctx context.Context, verb scenario.Verb, who driver.Participant) error {
	s, ok := who.(*connection)
	if !ok && who != nil {
		return fmt.Errorf("%w: the participant is from another driver", driver.ErrUnsupported)
	}
	member := ""
	if s != nil {
		member = s.member
	}
	return r.act(ctx, verb, s, member)
}

var _ driver.Remote = (*roomClient)(nil)

// Member implements driver.Remote.
func (r *roomClient) Member(who driver.Participant) (string, error) {
	s, ok := who.(*connection)
	if !ok {
		return "", fmt.Errorf("%w: the participant is from another driver", driver.ErrUnsupported)
	}
	return s.member, nil
}

// ActOn implements driver.Remote.
func (r *roomClient) ActOn(ctx context.Context, verb scenario.Verb, member string) error {
	if verb.Spec().Actor != scenario.Moderator {
		return fmt.Errorf("%w: %s of somebody else", driver.ErrUnsupported, verb)
	}
	return r.act(ctx, verb, nil, member)
}

// act has the moderator, or the person s themselves, do something to a member; "" is the room.
// Of a member whom another process has brought in s is nil.
func (r *roomClient) act(ctx context.Context, verb scenario.Verb, s *connection, member string) error {
	asks := s
	if verb.Spec().Actor == scenario.Moderator {
		host, err := r.moderator.get(ctx, r)
		if err != nil {
			return fmt.Errorf("bring in the room's moderator: %w", err)
		}
		asks = host
	}
	if verb == scenario.InviteGuest {
		return r.inviteGuest(ctx)
	}
	request, ok := requests[verb]
	if !ok {
		return fmt.Errorf("%w: %s", driver.ErrUnsupported, verb)
	}
	ask := func() error {
		return asks.requestOK(ctx, func(id string) wire.Message { return request(id, member) })
	}
	err := ask()
	var refusal wire.Error
	if r.entered && asks != s && errors.As(err, &refusal) && refusal.Code == wire.CodeForbidden {
		// The role of host has been passed on to somebody of another process.
		if asks, err = r.moderator.renew(ctx, r, asks); err == nil {
			err = ask()
		}
	}
	if err == nil && verb == scenario.PassHost && s != nil {
		r.moderator.handOver(s)
	}
	return err
}

// requests are the messages that carry out verbs. Member is the person whom the
// verb is about.
var requests = map[scenario.Verb]func(id, member string) wire.Message{
	scenario.RaiseHand:     func(id, _ string) wire.Message { return wire.RaiseHand{ID: id} },
	scenario.LowerHand:     func(id, _ string) wire.Message { return wire.LowerHand{ID: id} },
	scenario.AcceptStage:   func(id, _ string) wire.Message { return wire.AcceptStage{ID: id} },
	scenario.DeclineStage:  func(id, _ string) wire.Message { return wire.DeclineStage{ID: id} },
	scenario.Promote:       func(id, member string) wire.Message { return wire.Promote{ID: id, Member: member} },
	scenario.Demote:        func(id, member string) wire.Message { return wire.Demote{ID: id, Member: member} },
	scenario.Mute:          func(id, member string) wire.Message { return wire.Mute{ID: id, Member: member, Muted: true} },
	scenario.Unmute:        func(id, member string) wire.Message { return wire.Mute{ID: id, Member: member} },
	scenario.Kick:          func(id, member string) wire.Message { return wire.Remove{ID: id, Member: member} },
	scenario.Ban:           func(id, member string) wire.Message { return wire.Ban{ID: id, Member: member} },
	scenario.InviteToStage: func(id, member string) wire.Message { return wire.InviteToStage{ID: id, Member: member} },
	scenario.PassHost:      func(id, member string) wire.Message { return wire.PassHost{ID: id, Member: member} },
	scenario.End:           func(id, _ string) wire.Message { return wire.End{ID: id} },
}

// acts are the verbs that need the server.
func acts() (verbs []scenario.Verb) {
	for _, spec := range scenario.Verbs() {
		if !spec.Local {
			verbs = append(verbs, spec.Verb)
		}
	}
	return verbs
}

// guestInviteTTL is for how many seconds the invite of a guest who never comes is valid.
const guestInviteTTL = 5

// inviteGuest invites somebody from outside to the stage.
func (r *roomClient) inviteGuest(ctx context.Context) error {
	body, err := json.Marshal(map[string]any{"role": "speaker", "uses": 1, "ttl_s": guestInviteTTL, "name": "guest"})
	if err != nil {
		return err
	}
	return r.driver.call(ctx, http.MethodPost, "/api/rooms/"+url.PathEscape(r.name)+"/invites", r.hostToken, body, nil)
}

// newHost is the token of one more host.
func (r *roomClient) newHost(ctx context.Context) (string, error) {
	body, err := json.Marshal(map[string]any{"role": "host", "uses": 1, "ttl_s": guestInviteTTL, "name": "moderator"})
	if err != nil {
		return "", err
	}
	var made struct{ Code string }
	if err := r.driver.call(ctx, http.MethodPost, "/api/rooms/"+url.PathEscape(r.name)+"/invites", r.hostToken, body, &made); err != nil {
		return "", err
	}
	var redeemed struct{ Token string }
	err = r.driver.call(ctx, http.MethodPost, "/api/invites/"+url.PathEscape(made.Code)+"/redeem", "", []byte(`{"name":"moderator"}`), &redeemed)
	return redeemed.Token, err
}

// NoShows implements driver.RoomClient: the server tells the hosts.
func (r *roomClient) NoShows() uint64 { return r.moderator.noShows() }

// Close implements driver.RoomClient.
func (r *roomClient) Close(ctx context.Context) error {
	left := r.moderator.close()
	err := r.driver.call(ctx, http.MethodDelete, "/api/rooms/"+url.PathEscape(r.name), r.hostToken, nil, nil)
	var e wire.Error
	if errors.As(err, &e) && (e.Code == wire.CodeNotFound || e.Code == wire.CodeRoomEnded) {
		err = nil // the scenario ended it
	}
	return errors.Join(left, err)
}
