package loadgen

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Earshot drives an earshot server by its own signaling: rooms over HTTP, and
// a WebSocket for each person.
type Earshot struct {
	base   *url.URL
	prefix string // of this run's rooms: two runs may play against one server
	token  string
	client *http.Client
	dialer *websocket.Dialer
	socket string // the URL of WebSockets

	messages sync.Pool // of *bytes.Buffer, for what sessions read
}

// writeBuffer is room for an offer in one frame. Sessions share the buffers: each
// writes a few times.
const writeBuffer = 8 << 10

// NewEarshot makes a driver of the server at base, an http or https URL. The
// token, which may be empty for an open server, is the operator's. A nil TLS
// configuration trusts the system's authorities.
func NewEarshot(base, token string, trust *tls.Config) (*Earshot, error) {
	u, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	socket := u.JoinPath("/ws")
	socket.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	return &Earshot{
		base: u, socket: socket.String(), prefix: "run-" + strings.ToLower(rand.Text()[:8]), token: token,
		client: httpClient(trust),
		dialer: &websocket.Dialer{TLSClientConfig: trust, HandshakeTimeout: dialTimeout,
			ReadBufferSize: 1024, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{}},
	}, nil
}

func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, fmt.Errorf("target: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("target %q is not an http or https URL, like http://127.0.0.1:7080", base)
	}
	return u, nil
}

// Name implements Driver.
func (d *Earshot) Name() string { return "earshot" }

// Target implements Driver.
func (d *Earshot) Target() string { return d.base.String() }

// Loopback implements Driver.
func (d *Earshot) Loopback() bool { return onLoopback(d.base) }

// Moderates implements Driver.
func (d *Earshot) Moderates() bool { return true }

// Sections implements Driver.
func (d *Earshot) Sections() int { return 0 }

// Open implements Driver.
func (d *Earshot) Open(ctx context.Context, i int, spec scenario.Room) (Room, error) {
	body, err := json.Marshal(map[string]any{
		"name": fmt.Sprintf("%s-%d", d.prefix, i+1), "visibility": "open", "capacity": spec.Capacity, "halls": max(spec.Halls, 1), "slots": spec.Slots,
	})
	if err != nil {
		return nil, err
	}
	var made struct {
		Room      string `json:"room"`
		HostToken string `json:"host_token"`
	}
	if err := d.call(ctx, http.MethodPost, "/api/rooms", d.token, body, &made); err != nil {
		return nil, fmt.Errorf("create room %d on %s: %w", i+1, d.base, err)
	}
	return &earshotRoom{driver: d, name: made.Room, hostToken: made.HostToken}, nil
}

// call makes one call of the HTTP API; a refusal is a [wire.Error].
func (d *Earshot) call(ctx context.Context, method, path, token string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, d.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxMessage))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// refusal is the error that an HTTP answer holds.
func refusal(resp *http.Response, body []byte) error {
	var e wire.ErrorBody
	if json.Unmarshal(body, &e) == nil && e.Error.Code != "" {
		return wire.Error{Code: e.Error.Code, Message: e.Error.Message}
	}
	text := strings.TrimSpace(string(body[:min(len(body), 200)]))
	return fmt.Errorf("the server answered %s: %q", resp.Status, text)
}

// An earshotRoom is a room that this driver made; it holds the host's token.
type earshotRoom struct {
	driver    *Earshot
	name      string
	hostToken string
	moderator moderator
}

// Name implements Room.
func (r *earshotRoom) Name() string { return r.name }

// Enter implements Room. A host comes in with the room's own token, others with
// the operator's, which any number may share; on an open server with none.
func (r *earshotRoom) Enter(ctx context.Context, name string, role scenario.Role) (Visit, error) {
	token := r.driver.token
	if role == scenario.Host {
		token = r.hostToken
	}
	return r.enter(ctx, name, role, token)
}

func (r *earshotRoom) enter(ctx context.Context, name string, role scenario.Role, token string) (*session, error) {
	s, err := dialSession(ctx, r.driver)
	if err != nil {
		return nil, err
	}
	if err := s.join(ctx, r.name, name, wire.Role(role), token); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if role != scenario.Listener { // who goes on to listen, and reads the answer
		s.attend()
	}
	return s, nil
}

// Act implements Room.
func (r *earshotRoom) Act(ctx context.Context, verb scenario.Verb, who Visit) error {
	s, ok := who.(*session)
	if !ok && who != nil {
		return fmt.Errorf("%w: the visit is of another driver", ErrUnsupported)
	}
	switch verb {
	case scenario.RaiseHand:
		return s.do(ctx, func(id string) wire.Message { return wire.RaiseHand{ID: id} })
	case scenario.LowerHand:
		return s.do(ctx, func(id string) wire.Message { return wire.LowerHand{ID: id} })
	case scenario.AcceptStage:
		return s.do(ctx, func(id string) wire.Message { return wire.AcceptStage{ID: id} })
	case scenario.DeclineStage:
		return s.do(ctx, func(id string) wire.Message { return wire.DeclineStage{ID: id} })
	}
	host, err := r.moderator.get(ctx, r)
	if err != nil {
		return fmt.Errorf("bring the room's moderator in: %w", err)
	}
	return r.moderate(ctx, host, verb, s)
}

// moderate has the host do something to somebody, or to the room.
func (r *earshotRoom) moderate(ctx context.Context, host *session, verb scenario.Verb, s *session) error {
	switch verb {
	case scenario.Promote:
		return host.do(ctx, func(id string) wire.Message { return wire.Promote{ID: id, Member: s.member} })
	case scenario.Demote:
		return host.do(ctx, func(id string) wire.Message { return wire.Demote{ID: id, Member: s.member} })
	case scenario.Mute, scenario.Unmute:
		return host.do(ctx, func(id string) wire.Message {
			return wire.Mute{ID: id, Member: s.member, Muted: verb == scenario.Mute}
		})
	case scenario.Kick:
		return host.do(ctx, func(id string) wire.Message { return wire.Remove{ID: id, Member: s.member} })
	case scenario.Ban:
		return host.do(ctx, func(id string) wire.Message { return wire.Ban{ID: id, Member: s.member} })
	case scenario.InviteToStage:
		return host.do(ctx, func(id string) wire.Message { return wire.InviteToStage{ID: id, Member: s.member} })
	case scenario.PassHost:
		err := host.do(ctx, func(id string) wire.Message { return wire.PassHost{ID: id, Member: s.member} })
		if err == nil {
			r.moderator.pass(s)
		}
		return err
	case scenario.InviteGuest:
		return r.inviteGuest(ctx)
	case scenario.End:
		return host.do(ctx, func(id string) wire.Message { return wire.End{ID: id} })
	}
	return fmt.Errorf("%w: %s", ErrUnsupported, verb)
}

// guestPatience is for how many seconds the invite of a guest is valid who will
// not come.
const guestPatience = 5

// inviteGuest invites somebody to the stage from outside.
func (r *earshotRoom) inviteGuest(ctx context.Context) error {
	body, err := json.Marshal(map[string]any{"role": "speaker", "uses": 1, "ttl_s": guestPatience, "name": "guest"})
	if err != nil {
		return err
	}
	return r.driver.call(ctx, http.MethodPost, "/api/rooms/"+url.PathEscape(r.name)+"/invites", r.hostToken, body, nil)
}

// NoShows is of how many guests who did not come the hosts were told.
func (r *earshotRoom) NoShows() uint64 { return r.moderator.noShows() }

// Close implements Room.
func (r *earshotRoom) Close(ctx context.Context) error {
	left := r.moderator.close()
	err := r.driver.call(ctx, http.MethodDelete, "/api/rooms/"+url.PathEscape(r.name), r.hostToken, nil, nil)
	var e wire.Error
	if errors.As(err, &e) && (e.Code == wire.CodeNotFound || e.Code == wire.CodeRoomEnded) {
		err = nil // the scenario has ended it
	}
	return errors.Join(left, err)
}

// Meter measures the server by its own metrics.
func (d *Earshot) Meter() ServerMeter {
	return MetricsMeter{URL: d.base.JoinPath("/metrics").String(), Client: d.client}
}
