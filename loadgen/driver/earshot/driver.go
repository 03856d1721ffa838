package earshot

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Earshot drives an earshot server by its own signaling: rooms over HTTP, and
// a WebSocket for each person.
type Driver struct {
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
func New(base, token string, trust *tls.Config) (*Driver, error) {
	u, err := driver.ParseTarget(base)
	if err != nil {
		return nil, err
	}
	socket := u.JoinPath("/ws")
	socket.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	return &Driver{
		base: u, socket: socket.String(), prefix: "run-" + strings.ToLower(rand.Text()[:8]), token: token,
		client: driver.HTTPClient(trust),
		dialer: &websocket.Dialer{TLSClientConfig: trust, HandshakeTimeout: dialTimeout,
			ReadBufferSize: 1024, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{}},
	}, nil
}

// Name implements Driver.
func (d *Driver) Name() string { return "earshot" }

// Target implements Driver.
func (d *Driver) Target() string { return d.base.String() }

// Loopback implements Driver.
func (d *Driver) Loopback() bool { return driver.OnLoopback(d.base) }

// Moderates implements Driver.
func (d *Driver) Moderates() bool { return true }

// Sections implements Driver.
func (d *Driver) Sections() int { return 0 }

// Open implements Driver.
func (d *Driver) Open(ctx context.Context, i int, spec scenario.Room) (driver.RoomClient, error) {
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
	return &roomClient{driver: d, name: made.Room, hostToken: made.HostToken}, nil
}

// call makes one call of the HTTP API; a refusal is a [wire.Error].
func (d *Driver) call(ctx context.Context, method, path, token string, body []byte, into any) error {
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
		return fmt.Errorf("%w: %w", driver.ErrUnreachable, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxMessage))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return driver.Refusal(resp, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// Meter measures the server by its own metrics.
func (d *Driver) Meter() host.Meter {
	return host.MetricsMeter{URL: d.base.JoinPath("/metrics").String(), Client: d.client}
}
