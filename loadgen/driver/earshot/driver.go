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
	"strconv"
	"strings"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A Driver drives one earshot server.
type Driver struct {
	base   *url.URL
	prefix string // of this run's room names: two runs may play against one server
	token  string
	client *http.Client
	dialer *driver.SocketDialer
	socket string // the WebSocket URL
	nodes  nodeList
	moved  sync.Map // from a room to the WebSocket URL of the server that it has moved to
}

// targetFlag names the flag with the server's URL.
const targetFlag = "target"

// Kind describes the driver.
func Kind() driver.Kind {
	return driver.Kind{
		Name: "earshot", Servers: "an earshot server", TargetFlag: targetFlag, OwnServer: true,
		Flags: []driver.Flag{{Name: targetFlag, Key: "target", Usage: "`URL` of a running earshot server (default: start one)"}},
		New: func(o driver.Options) (driver.Driver, error) {
			return New(o.Flags[targetFlag], o.Token, o.TLS)
		},
	}
}

// New returns a driver of the server at base, an http or https URL. The token is the
// operator's; it may be empty for an open server. A nil trust uses the system's
// certificate authorities.
func New(base, token string, trust *tls.Config) (*Driver, error) {
	u, err := driver.ParseTarget(base)
	if err != nil {
		return nil, err
	}
	return &Driver{
		base: u, socket: driver.SocketURL(u, "/ws"), prefix: "run-" + strings.ToLower(rand.Text()[:8]), token: token,
		client: driver.HTTPClient(trust),
		dialer: driver.NewSocketDialer(driver.SocketOptions{Trust: trust, MaxMessage: wire.MaxMessage, DialContext: dialInTurn}),
	}, nil
}

// Target implements driver.Driver.
func (d *Driver) Target() string { return d.base.String() }

// Loopback implements driver.Driver.
func (d *Driver) Loopback() bool { return driver.OnLoopback(d.base) }

// Capabilities implements driver.Driver. The server is measured by its own /metrics.
func (d *Driver) Capabilities() driver.Capabilities {
	return driver.Capabilities{
		Driver: "earshot", Acts: acts(), StageListens: true, Resume: true, Nodes: true,
		Meter: d.meter(),
	}
}

// meter measures the server by its metrics, and where it is on this machine by its threads, too.
func (d *Driver) meter() meter.Meter {
	metrics := meter.Metrics{URL: d.base.JoinPath("/metrics").String(), Client: d.client}
	if !d.Loopback() {
		return metrics
	}
	port, err := strconv.Atoi(d.base.Port())
	if err != nil { // it has none
		port = map[string]int{"http": 80, "https": 443}[d.base.Scheme]
	}
	return &meter.Local{Metrics: metrics, Port: port}
}

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, i int, spec scenario.RoomSpec) (driver.RoomClient, error) {
	wanted := map[string]any{
		"name": fmt.Sprintf("%s-%d", d.prefix, i+1), "visibility": "open", "capacity": spec.Capacity, "halls": max(spec.Halls, 1), "slots": spec.Slots,
	}
	if hold := spec.AudienceHold.Duration(); hold > 0 { // servers before v0.2 do not know it
		wanted["audience_hold_ms"] = hold.Milliseconds()
	}
	body, err := json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	var made struct {
		Room      string `json:"room"`
		HostToken string `json:"host_token"`
	}
	path := "/api/rooms"
	if spec.Node > 0 {
		id, err := d.node(ctx, spec.Node)
		if err != nil {
			return nil, err
		}
		path += "?node=" + url.QueryEscape(id)
	}
	if err := d.call(ctx, http.MethodPost, path, d.token, body, &made); err != nil {
		return nil, fmt.Errorf("create room %d on %s: %w", i+1, d.base, err)
	}
	return &roomClient{driver: d, name: made.Room, hostToken: made.HostToken}, nil
}

// call makes one call of the HTTP API. It returns a [wire.Error] if the server refuses.
func (d *Driver) call(ctx context.Context, method, path, token string, body []byte, into any) error {
	path, query, _ := strings.Cut(path, "?")
	to := d.base.JoinPath(path)
	to.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
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
		return driver.NoAnswer(err)
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
