package whep

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// roomField stands for the room's name in the URL templates of [WHEP].
const roomField = "{room}"

// WHEP drives any server that takes publishers by WHIP (RFC 9725) and
// listeners by WHEP (draft-ietf-wish-whep). It knows no signaling beside these:
// rooms are names, and nobody can be promoted or muted.
//
// Servers differ in much that the drafts leave open. One may be full ICE or
// lite, tell its candidates after its answer, number its formats otherwise than
// the offer, answer 406 with an offer of its own or 409 until somebody
// publishes, or name ICE servers.
type Driver struct {
	whip, whep           string
	whipToken, whepToken string
	client               *http.Client

	mu         sync.Mutex
	iceServers []driver.ICEServer
	queried    bool // for its ICE servers
}

// NewWHEP makes a driver from two URL templates, in which {room} stands for
// the room's name. The token, which may be empty, is sent as a bearer token; it
// may hold {room}, too. [WHEP.Tokens] sets different ones.
func New(whip, whep, token string, trust *tls.Config) (*Driver, error) {
	for name, template := range map[string]string{"--whip-url": whip, "--whep-url": whep} {
		if template == "" {
			return nil, fmt.Errorf("the whep driver needs %s, like http://127.0.0.1:8889/%s/whip", name, roomField)
		}
		if _, err := driver.ParseTarget(strings.ReplaceAll(template, roomField, "room")); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &Driver{whip: whip, whep: whep, whipToken: token, whepToken: token, client: driver.HTTPClient(trust)}, nil
}

// Tokens sets the bearer tokens of publishers and listeners apart. It is called
// before the driver is used.
func (d *Driver) Tokens(whip, whep string) { d.whipToken, d.whepToken = whip, whep }

// authorize gives a request its token.
func (d *Driver) authorize(req *http.Request, of driver.Media, room string) {
	token := d.whepToken
	if of == driver.Mic {
		token = d.whipToken
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+strings.ReplaceAll(token, roomField, room))
	}
}

// ICEServers is the ICE servers that the server has named so far.
func (d *Driver) ICEServers() []driver.ICEServer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.iceServers
}

// learn notes ICE servers: the newest, whose credentials are valid the longest.
func (d *Driver) setICEServers(servers []driver.ICEServer) {
	if len(servers) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.iceServers = servers
}

// ask asks the endpoints for ICE servers once. RFC 9725 §4.6 leaves it to a
// server to tell them with OPTIONS, so that the first client has them, too; one
// that does not answer well is not asked again.
func (d *Driver) queryICEServers(ctx context.Context, room *roomClient) {
	d.mu.Lock()
	asked := d.queried
	d.queried = true
	d.mu.Unlock()
	if asked {
		return
	}
	for of, template := range map[driver.Media]string{driver.Mic: d.whip, driver.Ear: d.whep} {
		req, err := http.NewRequestWithContext(ctx, http.MethodOptions, room.expand(template), nil)
		if err != nil {
			continue
		}
		d.authorize(req, of, room.name)
		resp, err := d.client.Do(req)
		if err != nil {
			continue // the offer will tell
		}
		d.setICEServers(iceServers(resp.Header))
		_ = resp.Body.Close() // of which nothing was wanted
	}
}

// Name implements Driver.
func (d *Driver) Name() string { return "whep" }

// Target implements Driver.
func (d *Driver) Target() string { return d.whep }

// Loopback implements Driver.
func (d *Driver) Loopback() bool {
	u, err := url.Parse(strings.ReplaceAll(d.whep, roomField, "room"))
	return err == nil && driver.OnLoopback(u)
}

// Moderates implements Driver.
func (d *Driver) Moderates() bool { return false }

// Sections implements Driver.
func (d *Driver) Sections() int { return 1 }

// Open implements Driver. With several rooms the templates must tell them
// apart.
func (d *Driver) Open(ctx context.Context, i int, _ scenario.Room) (driver.RoomClient, error) {
	if i > 0 && !strings.Contains(d.whep, roomField) {
		return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to tell them apart", d.whep, roomField)
	}
	if i > 0 && !strings.Contains(d.whip, roomField) {
		return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to tell them apart", d.whip, roomField)
	}
	room := &roomClient{driver: d, name: fmt.Sprintf("earshot-%d", i+1)}
	d.queryICEServers(ctx, room)
	return room, nil
}

type roomClient struct {
	driver *Driver
	name   string
}

// Name implements Room.
func (r *roomClient) Name() string { return r.name }

// Enter implements Room. The person is known to the server with the first offer.
func (r *roomClient) Join(context.Context, string, scenario.Role) (driver.Participant, error) {
	return &participant{room: r, resources: map[driver.Media]*resource{}, done: make(chan struct{})}, nil
}

// Act implements Room.
func (r *roomClient) Act(_ context.Context, verb scenario.Verb, _ driver.Participant) error {
	return fmt.Errorf("%w: %s needs signaling, which WHIP and WHEP do not have", driver.ErrUnsupported, verb)
}

// Close implements Room.
func (r *roomClient) Close(context.Context) error { return nil }
