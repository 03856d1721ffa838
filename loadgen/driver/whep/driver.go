package whep

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Driver drives any server that takes publishers by WHIP (RFC 9725) and listeners by
// WHEP (draft-ietf-wish-whep). There is no other signaling: rooms are names, and
// nobody can be promoted or muted.
//
// Servers differ in much that the drafts leave open. A server may be full ICE or
// ICE-lite, send its candidates after its answer, number its payload types unlike the
// offer, answer 406 with an offer of its own or 404 or 409 until somebody publishes, or
// name ICE servers.
type Driver struct {
	whip, whep           string // URL templates
	whipToken, whepToken string
	client               *http.Client

	mu         sync.Mutex
	iceServers []driver.ICEServer
	queried    bool // the endpoints for their ICE servers
}

// The names of the driver's flags.
const (
	whipURL, whepURL     = "whip-url", "whep-url"
	whipToken, whepToken = "whip-token", "whep-token"
)

// Kind describes the driver.
func Kind() driver.Kind {
	return driver.Kind{
		Name: "whep", Servers: "any WHIP/WHEP server", TargetFlag: whepURL,
		Flags: []driver.Flag{
			{Name: whipURL, Key: "whip", Usage: "`URL` to publish to with --driver whep; {room} stands for the room, {speaker} for the publisher"},
			{Name: whepURL, Key: "whep", Usage: "`URL` to listen to with --driver whep; {room} stands for the room, {listener} for the listener; not needed where nobody is cast to listen"},
			{Name: whipToken, Token: true, Usage: "another `token` for publishers, with --driver whep"},
			{Name: whepToken, Token: true, Usage: "another `token` for listeners, with --driver whep"},
		},
		New: func(o driver.Options) (driver.Driver, error) {
			d, err := New(o.Flags[whipURL], o.Flags[whepURL], o.Token, o.TLS)
			if err != nil {
				return nil, err
			}
			d.Tokens(cmp.Or(o.Flags[whipToken], o.Token), cmp.Or(o.Flags[whepToken], o.Token))
			return d, nil
		},
	}
}

// New returns a driver from two URL templates, in which {room} stands for the room's
// name, and {speaker} or {listener} for the person's. Without one to listen to, people can
// only publish. The token, which may be empty, is sent as a bearer token; it may hold them,
// too. [Driver.Tokens] sets different ones.
func New(whip, whep, token string, trust *tls.Config) (*Driver, error) {
	if whip == "" {
		return nil, fmt.Errorf("the whep driver needs --%s, like http://127.0.0.1:8889/%s/whip", whipURL, roomField)
	}
	for of, flag := range map[driver.Media]struct{ name, template string }{driver.Mic: {whipURL, whip}, driver.Ear: {whepURL, whep}} {
		if flag.template == "" {
			continue // nobody listens
		}
		if err := checkTemplate(flag.name, flag.template, of); err != nil {
			return nil, err
		}
		if _, err := driver.ParseTarget(expandURL(flag.template, "room", "person")); err != nil {
			return nil, fmt.Errorf("--%s: %w", flag.name, err)
		}
	}
	client := driver.HTTPClient(trust)
	client.CheckRedirect = keepMethod
	return &Driver{whip: whip, whep: whep, whipToken: token, whepToken: token, client: client}, nil
}

// Tokens sets separate bearer tokens for publishers and listeners. Call it before the
// driver is used.
func (d *Driver) Tokens(whip, whep string) { d.whipToken, d.whepToken = whip, whep }

// authorize adds the bearer token to a request.
func (d *Driver) authorize(req *http.Request, of driver.Media, room, person string) {
	token := d.whepToken
	if of == driver.Mic {
		token = d.whipToken
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+expand(token, room, person))
	}
}

// knownICEServers returns the ICE servers that the server has named so far.
func (d *Driver) knownICEServers() []driver.ICEServer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.iceServers
}

// setICEServers keeps the newest ICE servers: their credentials are valid longest.
func (d *Driver) setICEServers(servers []driver.ICEServer) {
	if len(servers) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.iceServers = servers
}

// queryICEServers asks the endpoints for ICE servers, once. A server may name them in
// its answer to OPTIONS (RFC 9725, section 4.6), so that the first client has them,
// too. Errors are ignored: the offer that follows reports them.
func (d *Driver) queryICEServers(ctx context.Context, room *roomClient) {
	d.mu.Lock()
	asked := d.queried
	d.queried = true
	d.mu.Unlock()
	if asked {
		return
	}
	const someone = "earshot" // nobody of the cast
	for of, template := range map[driver.Media]string{driver.Mic: d.whip, driver.Ear: d.whep} {
		if template == "" {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodOptions, expandURL(template, room.name, someone), nil)
		if err != nil {
			continue
		}
		d.authorize(req, of, room.name, someone)
		resp, err := d.client.Do(req)
		if err != nil {
			continue // the offer that follows reports it
		}
		d.setICEServers(iceServers(resp.Header))
		_ = resp.Body.Close() // only the headers were needed
	}
}

// Target implements driver.Driver.
func (d *Driver) Target() string { return cmp.Or(d.whep, d.whip) }

// Loopback implements driver.Driver.
func (d *Driver) Loopback() bool {
	u, err := url.Parse(expandURL(d.Target(), "room", "person"))
	return err == nil && driver.OnLoopback(u)
}

// Capabilities implements driver.Driver.
func (d *Driver) Capabilities() driver.Capabilities {
	c := driver.Capabilities{
		Driver: "whep", Trickle: true, Sections: 1, ICEServers: d.knownICEServers, Acts: []scenario.Verb{scenario.RestartICE},
	}
	if d.whep == "" {
		c.PublishOnly = fmt.Sprintf("give --%s, where they listen", whepURL)
	}
	return c
}

// Open implements driver.Driver. With several rooms the templates need {room}.
func (d *Driver) Open(ctx context.Context, i int, _ scenario.RoomSpec) (driver.RoomClient, error) {
	for _, template := range []string{d.whep, d.whip} {
		if i > 0 && template != "" && !strings.Contains(template, roomField) {
			return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to distinguish them", template, roomField)
		}
	}
	room := &roomClient{driver: d, name: fmt.Sprintf("earshot-%d", i+1)}
	d.queryICEServers(ctx, room)
	return room, nil
}

var _ driver.Shared = (*Driver)(nil)

// Ticket implements driver.Shared: a room's name is all there is of it.
func (d *Driver) Ticket(room driver.RoomClient) (string, error) { return room.Name(), nil }

// Enter implements driver.Shared.
func (d *Driver) Enter(ctx context.Context, i int, _ string) (driver.RoomClient, error) {
	return d.Open(ctx, i, scenario.RoomSpec{})
}

// A roomClient is a room's name.
type roomClient struct {
	driver.UnsupportedRoom

	driver *Driver
	name   string
	// published and listened say that the server has taken a first mic and ear.
	published, listened atomic.Bool
}

// taken says whether the server has taken a first one of this kind.
func (r *roomClient) taken(of driver.Media) *atomic.Bool {
	if of == driver.Mic {
		return &r.published
	}
	return &r.listened
}

// Name implements driver.RoomClient.
func (r *roomClient) Name() string { return r.name }

// Join implements driver.RoomClient. The server knows the person from their first
// offer on.
func (r *roomClient) Join(_ context.Context, name string, _ scenario.Role) (driver.Participant, error) {
	return &participant{room: r, name: nameOf(name), resources: map[driver.Media]*resource{}, done: make(chan struct{})}, nil
}

// Act implements driver.RoomClient.
func (r *roomClient) Act(_ context.Context, verb scenario.Verb, _ driver.Participant) error {
	return fmt.Errorf("%w: %s needs signaling, which WHIP and WHEP do not have", driver.ErrUnsupported, verb)
}

// Close implements driver.RoomClient.
func (r *roomClient) Close(context.Context) error { return nil }
