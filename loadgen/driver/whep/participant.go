package whep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

const (
	sdpType      = "application/sdp"
	fragmentType = "application/trickle-ice-sdpfrag"
	// maxSDPSize bounds how much of a server's answer is read, in bytes.
	maxSDPSize = 128 << 10
)

// A participant is one person's WHIP and WHEP sessions.
type participant struct {
	driver.UnsupportedParticipant

	room *roomClient
	name string // as one part of a path

	mu        sync.Mutex
	resources map[driver.Media]*resource
	done      chan struct{}
	leaveOnce sync.Once
}

// A resource is one WHIP or WHEP session on the server (RFC 9725, section 4.2): its URL
// and entity tag.
type resource struct{ url, etag string }

// Listen implements driver.Participant.
func (v *participant) Listen(ctx context.Context, offer string) (string, error) {
	return v.post(ctx, driver.Ear, v.room.driver.whep, offer)
}

// Publish implements driver.Participant.
func (v *participant) Publish(ctx context.Context, offer string) (string, error) {
	return v.post(ctx, driver.Mic, v.room.driver.whip, offer)
}

// addResource keeps the session that an answer names in its Location, which may be
// relative (RFC 9725, section 4.2).
func (v *participant) addResource(of driver.Media, resp *http.Response) (*resource, error) {
	location, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("the answer names no session: %w", err)
	}
	s := &resource{url: location.String(), etag: resp.Header.Get("ETag")}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resources[of] = s
	v.room.driver.setICEServers(iceServers(resp.Header))
	return s, nil
}

// counterOffer returns the error for an offer that the server answered with its own
// (draft-ietf-wish-whep, "Server Sends Counter-Offer").
func (v *participant) counterOffer(of driver.Media, at string, resp *http.Response, offer string) error {
	s, err := v.addResource(of, resp)
	if err != nil {
		return fmt.Errorf("offer to %s: a counter-offer: %w", at, err)
	}
	return &driver.CounterOffer{SDP: offer, Answer: func(ctx context.Context, answer string) error {
		resp, body, err := v.request(ctx, http.MethodPatch, s.url, of, s.etag, sdpType, answer)
		switch {
		case err != nil:
			return fmt.Errorf("answer the counter-offer of %s: %w", at, err)
		case resp.StatusCode/100 != 2:
			return fmt.Errorf("answer the counter-offer of %s: %w", at, driver.Refusal(resp, []byte(body)))
		}
		return nil
	}}
}

// Trickle implements driver.Participant.
func (v *participant) Trickle(ctx context.Context, of driver.Media, fragment string) (string, error) {
	v.mu.Lock()
	s := v.resources[of]
	match := ""
	if s != nil {
		match = s.etag
	}
	v.mu.Unlock()
	return v.patch(ctx, of, s, match, fragment)
}

// RestartICE implements driver.Participant: whatever ICE session is the present one (RFC
// 9725, section 4.3.3).
func (v *participant) RestartICE(ctx context.Context, of driver.Media, fragment string) (string, error) {
	v.mu.Lock()
	s := v.resources[of]
	v.mu.Unlock()
	return v.patch(ctx, of, s, "*", fragment)
}

// patch sends a fragment to a session, whose entity tag has to match unless match is empty.
func (v *participant) patch(ctx context.Context, of driver.Media, s *resource, match, fragment string) (string, error) {
	if s == nil {
		return "", errNoResource
	}
	resp, body, err := v.request(ctx, http.MethodPatch, s.url, of, match, fragmentType, fragment)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode/100 != 2:
		return "", driver.Refusal(resp, []byte(body))
	}
	if tag := resp.Header.Get("ETag"); tag != "" {
		v.mu.Lock()
		s.etag = tag
		v.mu.Unlock()
	}
	return body, nil
}

var errNoResource = errors.New("there is no session")

// Leave implements driver.Participant.
func (v *participant) Leave(ctx context.Context) error {
	v.leaveOnce.Do(func() { close(v.done) })
	v.mu.Lock()
	sessions := v.resources
	v.resources = map[driver.Media]*resource{}
	v.mu.Unlock()
	var errs []error
	for of, s := range sessions {
		resp, body, err := v.request(ctx, http.MethodDelete, s.url, of, "", "", "")
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("end the session %s: %w", s.url, err))
		case resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone:
			errs = append(errs, fmt.Errorf("end the session %s: %w", s.url, driver.Refusal(resp, []byte(body))))
		}
	}
	return errors.Join(errs...)
}

// Done implements driver.Participant. The server has no way to end it.
func (v *participant) Done() <-chan struct{} { return v.done }

// request makes a request and reads its answer. The entity tag of the session has to match
// unless match is empty.
func (v *participant) request(ctx context.Context, method, at string, of driver.Media, match, contentType, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Accept", contentType)
	}
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	v.room.driver.authorize(req, of, v.room.name, v.name)
	resp, err := v.room.driver.client.Do(req)
	if err != nil {
		return nil, "", driver.NoAnswer(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxSDPSize))
	if err != nil {
		return nil, "", fmt.Errorf("read the answer: %w", err)
	}
	return resp, string(answer), nil
}

func hasType(resp *http.Response, want string) bool {
	is, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && is == want
}
