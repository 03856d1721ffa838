package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

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
type WHEP struct {
	whip, whep           string
	whipToken, whepToken string
	client               *http.Client

	mu      sync.Mutex
	servers []ICEServer
	asked   bool // for its ICE servers
}

// NewWHEP makes a driver from two URL templates, in which {room} stands for
// the room's name. The token, which may be empty, is sent as a bearer token; it
// may hold {room}, too. [WHEP.Tokens] sets different ones.
func NewWHEP(whip, whep, token string, trust *tls.Config) (*WHEP, error) {
	for name, template := range map[string]string{"--whip-url": whip, "--whep-url": whep} {
		if template == "" {
			return nil, fmt.Errorf("the whep driver needs %s, like http://127.0.0.1:8889/%s/whip", name, roomField)
		}
		if _, err := parseBase(strings.ReplaceAll(template, roomField, "room")); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &WHEP{whip: whip, whep: whep, whipToken: token, whepToken: token, client: httpClient(trust)}, nil
}

// Tokens sets the bearer tokens of publishers and listeners apart. It is called
// before the driver is used.
func (d *WHEP) Tokens(whip, whep string) { d.whipToken, d.whepToken = whip, whep }

// authorize gives a request its token.
func (d *WHEP) authorize(req *http.Request, of Media, room string) {
	token := d.whepToken
	if of == Mic {
		token = d.whipToken
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+strings.ReplaceAll(token, roomField, room))
	}
}

// ICEServers is the ICE servers that the server has named so far.
func (d *WHEP) ICEServers() []ICEServer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.servers
}

// learn notes ICE servers: the newest, whose credentials are valid the longest.
func (d *WHEP) learn(servers []ICEServer) {
	if len(servers) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.servers = servers
}

// ask asks the endpoints for ICE servers once. RFC 9725 §4.6 leaves it to a
// server to tell them with OPTIONS, so that the first client has them, too; one
// that does not answer well is not asked again.
func (d *WHEP) ask(ctx context.Context, room *whepRoom) {
	d.mu.Lock()
	asked := d.asked
	d.asked = true
	d.mu.Unlock()
	if asked {
		return
	}
	for of, template := range map[Media]string{Mic: d.whip, Ear: d.whep} {
		req, err := http.NewRequestWithContext(ctx, http.MethodOptions, room.at(template), nil)
		if err != nil {
			continue
		}
		d.authorize(req, of, room.name)
		resp, err := d.client.Do(req)
		if err != nil {
			continue // the offer will tell
		}
		d.learn(iceServers(resp.Header))
		_ = resp.Body.Close() // of which nothing was wanted
	}
}

// Name implements Driver.
func (d *WHEP) Name() string { return "whep" }

// Target implements Driver.
func (d *WHEP) Target() string { return d.whep }

// Loopback implements Driver.
func (d *WHEP) Loopback() bool {
	u, err := url.Parse(strings.ReplaceAll(d.whep, roomField, "room"))
	return err == nil && onLoopback(u)
}

// Moderates implements Driver.
func (d *WHEP) Moderates() bool { return false }

// Sections implements Driver.
func (d *WHEP) Sections() int { return 1 }

// Open implements Driver. With several rooms the templates must tell them
// apart.
func (d *WHEP) Open(ctx context.Context, i int, _ scenario.Room) (Room, error) {
	if i > 0 && !strings.Contains(d.whep, roomField) {
		return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to tell them apart", d.whep, roomField)
	}
	if i > 0 && !strings.Contains(d.whip, roomField) {
		return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to tell them apart", d.whip, roomField)
	}
	room := &whepRoom{driver: d, name: fmt.Sprintf("earshot-%d", i+1)}
	d.ask(ctx, room)
	return room, nil
}

type whepRoom struct {
	driver *WHEP
	name   string
}

// Name implements Room.
func (r *whepRoom) Name() string { return r.name }

// Enter implements Room. The person is known to the server with the first offer.
func (r *whepRoom) Enter(context.Context, string, scenario.Role) (Visit, error) {
	return &whepVisit{room: r, sessions: map[Media]*whepSession{}, gone: make(chan struct{})}, nil
}

// Act implements Room.
func (r *whepRoom) Act(_ context.Context, verb scenario.Verb, _ Visit) error {
	return fmt.Errorf("%w: %s needs signaling, which WHIP and WHEP do not have", ErrUnsupported, verb)
}

// Close implements Room.
func (r *whepRoom) Close(context.Context) error { return nil }

// httpClient is a client for thousands of short requests to one host.
func httpClient(trust *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	transport.MaxIdleConnsPerHost = 64
	transport.Proxy = nil // a load goes to the target and nowhere else
	return &http.Client{Transport: transport}
}
