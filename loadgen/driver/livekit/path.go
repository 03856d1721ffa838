package livekit

import (
	"context"
	"net/http"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// The paths of LiveKit's signaling. At the first one everybody has one peer connection, for
// which all offers are the client's. Servers that lack it have two for everybody: the server
// offers what they receive, and the client what they send.
const (
	onePath = "/rtc/v1"
	twoPath = "/rtc"
)

// findPath finds out how the server is to be spoken to, once for the whole run and before
// anybody joins: nobody waits for it, and no refusal of a join decides it. It needs a room that
// is there. A server that says nothing of use is spoken to by the first path, and its answers
// to those who join say what is wrong with it.
func (d *Driver) findPath(ctx context.Context, room string) {
	d.finding.Lock()
	defer d.finding.Unlock()
	if d.found {
		return
	}
	// LiveKit's own SDKs ask so, too.
	newer, err := d.status(ctx, onePath+"/validate", room)
	if err != nil {
		return // the next room asks again
	}
	if newer == http.StatusNotFound {
		older, err := d.status(ctx, twoPath+"/validate", room)
		if err != nil {
			return
		}
		// One that has neither is no LiveKit server, or no room.
		d.older.Store(older != http.StatusNotFound)
	}
	d.found = true
}

// status returns the status by which the server answers a GET of somebody who may come into
// the room.
func (d *Driver) status(ctx context.Context, path, room string) (int, error) {
	token, err := d.keys.token("earshot", joining(room, false)) // nobody of the cast
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base.JoinPath(path).String(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, driver.NoAnswer(err)
	}
	return resp.StatusCode, resp.Body.Close()
}
