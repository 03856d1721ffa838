package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
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
type WHEP struct {
	whip, whep string
	token      string
	client     *http.Client
}

// NewWHEP makes a driver from two URL templates, in which {room} stands for
// the room's name. The token, which may be empty, is sent as a bearer token.
func NewWHEP(whip, whep, token string, trust *tls.Config) (*WHEP, error) {
	for name, template := range map[string]string{"--whip-url": whip, "--whep-url": whep} {
		if template == "" {
			return nil, fmt.Errorf("the whep driver needs %s, like http://127.0.0.1:8889/%s/whip", name, roomField)
		}
		if _, err := parseBase(strings.ReplaceAll(template, roomField, "room")); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &WHEP{whip: whip, whep: whep, token: token, client: httpClient(trust)}, nil
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
func (d *WHEP) Open(_ context.Context, i int, _ scenario.Room) (Room, error) {
	if i > 0 && !strings.Contains(d.whep, roomField) {
		return nil, fmt.Errorf("the scenario has several rooms, and the URL %s has no %s to tell them apart", d.whep, roomField)
	}
	return &whepRoom{driver: d, name: fmt.Sprintf("earshot-%d", i+1)}, nil
}

type whepRoom struct {
	driver *WHEP
	name   string
}

// Name implements Room.
func (r *whepRoom) Name() string { return r.name }

// Enter implements Room. The person is known to the server with the first offer.
func (r *whepRoom) Enter(context.Context, string, scenario.Role) (Visit, error) {
	return &whepVisit{room: r, gone: make(chan struct{})}, nil
}

// Act implements Room.
func (r *whepRoom) Act(_ context.Context, verb scenario.Verb, _ Visit) error {
	return fmt.Errorf("%w: %s needs signaling, which WHIP and WHEP do not have", ErrUnsupported, verb)
}

// Close implements Room.
func (r *whepRoom) Close(context.Context) error { return nil }

// A whepVisit is the WHIP or WHEP session of one person, or both.
type whepVisit struct {
	room *whepRoom

	mu        sync.Mutex
	resources []string
	gone      chan struct{}
	left      sync.Once
}

// Listen implements Visit.
func (v *whepVisit) Listen(ctx context.Context, offer string) (string, error) {
	return v.post(ctx, v.room.driver.whep, offer)
}

// Publish implements Visit.
func (v *whepVisit) Publish(ctx context.Context, offer string) (string, error) {
	return v.post(ctx, v.room.driver.whip, offer)
}

func (v *whepVisit) post(ctx context.Context, template, offer string) (string, error) {
	at := strings.ReplaceAll(template, roomField, url.PathEscape(v.room.name))
	resp, body, err := v.request(ctx, http.MethodPost, at, offer)
	if err != nil {
		return "", fmt.Errorf("offer to %s: %w", at, err)
	}
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("offer to %s: %w", at, refusal(resp, body))
	}
	// RFC 9725 §4.2: the Location names the session, and may be relative.
	location, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("offer to %s: the answer names no session: %w", at, err)
	}
	v.mu.Lock()
	v.resources = append(v.resources, location.String())
	v.mu.Unlock()
	return string(body), nil
}

// Leave implements Visit.
func (v *whepVisit) Leave(ctx context.Context) error {
	v.left.Do(func() { close(v.gone) })
	v.mu.Lock()
	resources := v.resources
	v.resources = nil
	v.mu.Unlock()
	var errs []error
	for _, at := range resources {
		resp, body, err := v.request(ctx, http.MethodDelete, at, "")
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("end the session %s: %w", at, err))
		case resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusNotFound:
			errs = append(errs, fmt.Errorf("end the session %s: %w", at, refusal(resp, body)))
		}
	}
	return errors.Join(errs...)
}

// Gone implements Visit. A server has no way to tell.
func (v *whepVisit) Gone() <-chan struct{} { return v.gone }

// request makes a request and reads its answer, of at most 128 KiB.
func (v *whepVisit) request(ctx context.Context, method, at, sdp string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(sdp))
	if err != nil {
		return nil, nil, err
	}
	if sdp != "" {
		req.Header.Set("Content-Type", "application/sdp")
		req.Header.Set("Accept", "application/sdp")
	}
	if v.room.driver.token != "" {
		req.Header.Set("Authorization", "Bearer "+v.room.driver.token)
	}
	resp, err := v.room.driver.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 128<<10))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	return resp, body, nil
}

// httpClient is a client for thousands of short requests to one host.
func httpClient(trust *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	transport.MaxIdleConnsPerHost = 64
	transport.Proxy = nil // a load goes to the target and nowhere else
	return &http.Client{Transport: transport}
}
