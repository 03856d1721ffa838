package livekit

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Driver drives one LiveKit server.
type Driver struct {
	base   *url.URL // with http or https
	keys   keys
	prefix string // of this run's room names: two runs may play against one server
	client *http.Client
	dialer *driver.SocketDialer

	finding sync.Mutex // guards found
	found   bool       // whether the server is an older one
	older   atomic.Bool
}

// The names of the driver's flags.
const (
	urlFlag    = "livekit-url"
	keyFlag    = "api-key"
	secretFlag = "api-secret"
)

// Kind describes the driver.
func Kind() driver.Kind {
	return driver.Kind{
		Name: "livekit", Servers: "a LiveKit server", TargetFlag: urlFlag,
		Flags: []driver.Flag{
			{Name: urlFlag, Key: "livekit", Env: "LIVEKIT_URL", Usage: "`URL` of a LiveKit server, like ws://127.0.0.1:7880, with --driver livekit"},
			{Name: keyFlag, Key: "key", Env: "LIVEKIT_API_KEY", Usage: "the LiveKit server's API `key`"},
			{Name: secretFlag, Token: true, Key: "secret", Env: "LIVEKIT_API_SECRET", Usage: "the `secret` of the LiveKit server's API key; others on this machine can read a command line, and the environment only its owner"},
		},
		New: func(o driver.Options) (driver.Driver, error) {
			if o.Token != "" {
				return nil, errors.New("--token does not go with --driver livekit, which makes everybody a token of their own: give --" + keyFlag + " and --" + secretFlag)
			}
			return New(o.Flags[urlFlag], o.Flags[keyFlag], o.Flags[secretFlag], o.TLS)
		},
	}
}

// New returns a driver of the server at a ws, wss, http or https URL. A nil trust uses the
// system's certificate authorities.
func New(target, key, secret string, trust *tls.Config) (*Driver, error) {
	for _, flag := range Kind().Flags {
		if given := map[string]string{urlFlag: target, keyFlag: key, secretFlag: secret}; given[flag.Name] == "" {
			return nil, fmt.Errorf("the livekit driver needs --%s, or %s in the environment", flag.Name, flag.Env)
		}
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", urlFlag, err)
	}
	schemes := map[string]string{"ws": "http", "wss": "https", "http": "http", "https": "https"}
	if schemes[u.Scheme] == "" || u.Host == "" {
		return nil, fmt.Errorf("--%s %q is not a ws or wss URL, like ws://127.0.0.1:7880", urlFlag, target)
	}
	u.Scheme = schemes[u.Scheme]
	return &Driver{
		base: u, keys: keys{key, secret}, prefix: "earshot-" + strings.ToLower(rand.Text()[:8]),
		client: driver.HTTPClient(trust), dialer: driver.NewSocketDialer(driver.SocketOptions{Trust: trust, MaxMessage: maxMessage, Binary: true}),
	}, nil
}

// Target implements driver.Driver.
func (d *Driver) Target() string {
	u := *d.base
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	if d.older.Load() {
		return u.String() + " (by " + twoPath + ", since it has no " + onePath + ")"
	}
	return u.String()
}

// Loopback implements driver.Driver.
func (d *Driver) Loopback() bool { return driver.OnLoopback(d.base) }

// Capabilities implements driver.Driver. A LiveKit server forwards every mic to everybody.
func (d *Driver) Capabilities() driver.Capabilities {
	return driver.Capabilities{
		Driver: "livekit", Trickle: true, Sections: driver.AllVoices, Resume: true,
		// Over /rtc it ends the connections of those who do not open its data channels within 10 s.
		WholeClients: d.older.Load,
		Acts:         []scenario.Verb{scenario.Mute, scenario.Unmute, scenario.Kick, scenario.End, scenario.Reconnect},
	}
}

// emptyTimeout is for how long the server keeps a room, in s, into which nobody has come yet. Its default, five minutes,
// would end rooms whose people arrive later. It ends a room in which somebody has been 20 s after the last has left, even if
// the run does not.
const emptyTimeout = 60 * 60

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, i int, _ scenario.RoomSpec) (driver.RoomClient, error) {
	room := &roomClient{driver: d, name: fmt.Sprintf("%s-%d", d.prefix, i+1)}
	if err := room.call(ctx, "CreateRoom", map[string]any{"name": room.name, "empty_timeout": emptyTimeout}); err != nil {
		return nil, fmt.Errorf("create room %d on %s: %w", i+1, d.Target(), err)
	}
	d.findPath(ctx, room.name)
	return room, nil
}

var _ driver.Shared = (*Driver)(nil)

// Ticket implements driver.Shared: the room's name. Whoever enters has the API's keys.
func (d *Driver) Ticket(room driver.RoomClient) (string, error) { return room.Name(), nil }

// Enter implements driver.Shared.
func (d *Driver) Enter(ctx context.Context, i int, ticket string) (driver.RoomClient, error) {
	room := &roomClient{driver: d, name: cmp.Or(ticket, fmt.Sprintf("%s-%d", d.prefix, i+1))}
	d.findPath(ctx, room.name)
	return room, nil
}
