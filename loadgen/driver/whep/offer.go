package whep

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// How long to wait before an offer is made again, if the server does not say: twice as
// long each time. Up to half of it is left to chance, so that a room's listeners do not
// all come back at once.
const firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second

// post creates a session. It tries again, until ctx is done, when the server says so with
// Retry-After, and when it says that the room is not there yet.
func (v *participant) post(ctx context.Context, of driver.Media, template, offer string) (string, error) {
	at := expandURL(template, v.room.name, v.name)
	var last error // how the server refused before
	for pace := firstRetry; ; pace = min(2*pace, lastRetry) {
		// An answer that comes after somebody else's success may be older than that.
		begun := v.room.taken(of).Load()
		resp, body, err := v.request(ctx, http.MethodPost, at, of, "", sdpType, offer)
		switch {
		case err != nil && ctx.Err() != nil && last != nil:
			return "", last
		case err != nil:
			return "", fmt.Errorf("offer to %s: %w", at, err)
		case resp.StatusCode == http.StatusCreated:
			if _, err := v.addResource(of, resp); err != nil {
				return "", fmt.Errorf("offer to %s: %w", at, err)
			}
			v.room.taken(of).Store(true)
			return body, nil
		case resp.StatusCode == http.StatusNotAcceptable && hasType(resp, sdpType):
			v.room.taken(of).Store(true)
			return "", v.counterOffer(of, at, resp, body)
		}
		refused := driver.Refusal(resp, []byte(body))
		wait, asked := retryAfter(resp, time.Now())
		switch {
		case asked:
			last = fmt.Errorf("offer to %s: the server asks to retry in %v, which is too late: %w", at, wait, refused)
		case !begun && notYet(of, resp.StatusCode):
			wait = pace/2 + rand.N(pace/2)
			last = fmt.Errorf("offer to %s: again and again until the join deadline: %w", at, refused)
		default:
			return "", fmt.Errorf("offer to %s: %w%s", at, refused, redirection(resp))
		}
		if end, has := ctx.Deadline(); has && time.Until(end) < wait {
			return "", last
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", last
		}
	}
}

// notYet reports whether a status can mean that a room is not there yet: nobody
// publishes, or the server is about to make it. An endpoint for publishers that is not
// found is a wrong URL.
func notYet(of driver.Media, status int) bool {
	switch status {
	case http.StatusNotFound:
		return of == driver.Ear
	case http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// redirection says what is wrong with a redirection that was not followed.
func redirection(resp *http.Response) string {
	to, err := resp.Location()
	if resp.StatusCode/100 != 3 || err != nil {
		return ""
	}
	return fmt.Sprintf(": it redirects to %s with a status that makes a GET of a POST: give that URL to earshot, or let the server answer 307 or 308", to)
}

// keepMethod follows the redirections that keep the method (307 and 308; RFC 9725, section
// 4.5), and no others: what comes of a GET says nothing about the offer.
func keepMethod(req *http.Request, via []*http.Request) error {
	if req.Method != via[0].Method {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return fmt.Errorf("the server redirects on and on: %d times", len(via))
	}
	return nil
}

// retryAfter returns how long a server that can't take an offer now asks to wait (RFC
// 9110, section 10.2.3). draft-ietf-wish-whep uses it with 409 while nobody publishes.
func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	switch resp.StatusCode {
	case http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		return 0, false
	}
	value := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
