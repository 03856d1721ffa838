package janus

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Driver drives the AudioBridge of one Janus server.
type Driver struct {
	base          *url.URL // with http or https
	secret, token string
	adminKey      string
	rate          int // of the mixes that it creates, in Hz
	room          *existing
	dialer        *driver.SocketDialer

	timeout atomic.Int64 // the server's session_timeout, as a time.Duration; 0: not known, or none
}

// An existing room is one that the run does not create.
type existing struct{ name, secret, pin string }

// The names of the driver's flags.
const (
	urlFlag        = "janus-url"
	secretFlag     = "janus-api-secret"
	adminFlag      = "janus-admin-key"
	rateFlag       = "janus-sampling-rate"
	roomFlag       = "janus-room"
	roomSecretFlag = "janus-room-secret"
	pinFlag        = "janus-room-pin"
)

// Kind describes the driver.
func Kind() driver.Kind {
	return driver.Kind{
		Name: "janus", Servers: "the AudioBridge of a Janus server", TargetFlag: urlFlag,
		Flags: []driver.Flag{
			{Name: urlFlag, Key: "janus", Env: "JANUS_URL", Usage: "`URL` of a Janus server's WebSocket transport, like ws://127.0.0.1:8188, with --driver janus"},
			{Name: secretFlag, Token: true, Key: "api-secret", Env: "JANUS_API_SECRET", Usage: "the Janus server's api_`secret`, if it has one"},
			{Name: adminFlag, Token: true, Key: "admin-key", Env: "JANUS_ADMIN_KEY", Usage: "the AudioBridge's admin_`key`, if only who has it may create rooms"},
			{Name: rateFlag, Key: "rate", Usage: "sampling `rate` of the rooms' mixes, in Hz (default " + strconv.Itoa(defaultRate) + ")"},
			{Name: roomFlag, Usage: "a `room` that the Janus server has, instead of new ones"},
			{Name: roomSecretFlag, Token: true, Env: "JANUS_ROOM_SECRET", Usage: "the `secret` of --" + roomFlag + ", by which people are muted and removed"},
			{Name: pinFlag, Token: true, Env: "JANUS_ROOM_PIN", Usage: "the `PIN` of --" + roomFlag},
		},
		New: func(o driver.Options) (driver.Driver, error) {
			d, err := New(o.Flags[urlFlag], o.Flags[secretFlag], o.Token, o.TLS)
			if err != nil {
				return nil, err
			}
			d.adminKey = o.Flags[adminFlag]
			if text := o.Flags[rateFlag]; text != "" {
				if err := d.setRate(text); err != nil {
					return nil, err
				}
			}
			if name := o.Flags[roomFlag]; name != "" {
				d.room = &existing{name: name, secret: o.Flags[roomSecretFlag], pin: o.Flags[pinFlag]}
			} else if o.Flags[roomSecretFlag] != "" || o.Flags[pinFlag] != "" {
				return nil, errors.New("--" + roomSecretFlag + " and --" + pinFlag + " are those of a room that is there: name it with --" + roomFlag)
			}
			return d, nil
		},
	}
}

// New returns a driver of a server whose WebSocket transport is at a ws or wss URL, by its
// api_secret and a token, if it wants them.
func New(target, secret, token string, trust *tls.Config) (*Driver, error) {
	if target == "" {
		return nil, fmt.Errorf("the janus driver needs --%s, like ws://127.0.0.1:8188", urlFlag)
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", urlFlag, err)
	}
	schemes := map[string]string{"ws": "http", "wss": "https"}
	if schemes[u.Scheme] == "" || u.Host == "" {
		return nil, fmt.Errorf("--%s %q is not a ws or wss URL, like ws://127.0.0.1:8188: the driver goes by Janus' WebSocket transport, and not by HTTP", urlFlag, target)
	}
	u.Scheme = schemes[u.Scheme]
	return &Driver{
		base: u, secret: secret, token: token, rate: defaultRate,
		dialer: driver.NewSocketDialer(driver.SocketOptions{Trust: trust, MaxMessage: maxMessage, Subprotocol: subprotocol}),
	}, nil
}

// defaultRate is the whole of what Opus can carry.
const defaultRate = 48_000

// setRate sets the sampling rate of the mixes.
func (d *Driver) setRate(text string) error {
	rates := []int{8_000, 12_000, 16_000, 24_000, 48_000}
	rate, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(rates, rate) {
		return fmt.Errorf("--%s is %q: Opus has 8000, 12000, 16000, 24000 and 48000", rateFlag, text)
	}
	d.rate = rate
	return nil
}

// remember keeps what the answer to info says of how long a session lasts without a request.
func (d *Driver) remember(m message) {
	seconds := min(max(m.SessionTimeout, 0), 24*60*60) // so that no overflow makes a flood of keepalives
	d.timeout.Store(int64(time.Duration(seconds) * time.Second))
}

// keepalive is after what time without a request the server is to be reminded of a session.
func (d *Driver) keepalive() time.Duration {
	if timeout := time.Duration(d.timeout.Load()); timeout > 0 {
		return min(keepaliveInterval, timeout/2)
	}
	return keepaliveInterval
}

// Target implements driver.Driver.
func (d *Driver) Target() string {
	u := *d.base
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	return u.String()
}

// Loopback implements driver.Driver. Wherever its WebSocket is, Janus gathers no candidates on the
// loopback interface: media go by another one.
func (d *Driver) Loopback() bool { return false }

// Capabilities implements driver.Driver. An AudioBridge sends everybody one mix.
func (d *Driver) Capabilities() driver.Capabilities {
	return driver.Capabilities{
		Driver: "janus", Trickle: true, Sections: 1, Mixes: true,
		Acts: []scenario.Verb{scenario.Mute, scenario.Unmute, scenario.Kick, scenario.End, scenario.RestartICE},
	}
}

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, i int, _ scenario.RoomSpec) (driver.RoomClient, error) {
	room := &roomClient{driver: d, created: d.room == nil}
	if d.room != nil && i > 0 {
		return nil, fmt.Errorf("%w: several rooms in the one of --%s: leave that out, or play one room", driver.ErrUnsupported, roomFlag)
	}
	begin := room.create
	if d.room != nil {
		begin = room.find
	}
	if err := begin(ctx, i); err != nil {
		return nil, errors.Join(fmt.Errorf("open room %d on %s: %w", i+1, d.Target(), err), room.leave(ctx))
	}
	return room, nil
}

var _ driver.Shared = (*Driver)(nil)

// Ticket implements driver.Shared: what it takes to join the room, and to moderate it.
func (d *Driver) Ticket(room driver.RoomClient) (string, error) {
	r, ok := room.(*roomClient)
	if !ok {
		return "", fmt.Errorf("%w: a ticket for a room of another driver's", driver.ErrUnsupported)
	}
	text, err := json.Marshal(ticket{r.id, r.secret, r.pin})
	return string(text), err
}

// A ticket is what lets another process into a room.
type ticket struct {
	Room   id     `json:"room"`
	Secret string `json:"secret,omitempty"`
	PIN    string `json:"pin,omitempty"`
}

// Enter implements driver.Shared.
func (d *Driver) Enter(_ context.Context, _ int, text string) (driver.RoomClient, error) {
	var t ticket
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, fmt.Errorf("the ticket of a room can't be read: %w", err)
	}
	return &roomClient{driver: d, id: t.Room, secret: t.Secret, pin: t.PIN}, nil
}

// password makes one that nobody guesses.
func password() string { return rand.Text() }
