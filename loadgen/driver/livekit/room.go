package livekit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A roomClient is one room on the server.
type roomClient struct {
	driver *Driver
	name   string
}

// Name implements driver.RoomClient.
func (r *roomClient) Name() string { return r.name }

// Join implements driver.RoomClient. The server learns of it with the first offer, as
// LiveKit's own clients have it: a host without a mic is never there.
func (r *roomClient) Join(_ context.Context, name string, _ scenario.Role) (driver.Participant, error) {
	return &participant{
		room: r, identity: strings.ReplaceAll(name, " ", "-"), older: r.driver.older.Load(), done: make(chan struct{}),
	}, nil
}

// Act implements driver.RoomClient.
func (r *roomClient) Act(ctx context.Context, verb scenario.Verb, who driver.Participant) error {
	if verb == scenario.End {
		return r.delete(ctx)
	}
	p, ok := who.(*participant)
	if !ok {
		return fmt.Errorf("%w: %s for nobody of this driver's", driver.ErrUnsupported, verb)
	}
	request := map[string]any{"room": r.name, "identity": p.identity}
	switch verb {
	case scenario.Kick:
		return r.call(ctx, "RemoveParticipant", request)
	case scenario.Mute, scenario.Unmute:
		track, err := p.publishedTrack(ctx)
		if err != nil {
			return err
		}
		request["track_sid"], request["muted"] = track, verb == scenario.Mute
		return r.call(ctx, "MutePublishedTrack", request)
	}
	return fmt.Errorf("%w: %s", driver.ErrUnsupported, verb)
}

// NoShows implements driver.RoomClient: nobody is invited.
func (r *roomClient) NoShows() uint64 { return 0 }

// Close implements driver.RoomClient.
func (r *roomClient) Close(ctx context.Context) error { return r.delete(ctx) }

// delete ends the room. A server deletes one by itself when nobody is left.
func (r *roomClient) delete(ctx context.Context) error {
	err := r.call(ctx, "DeleteRoom", map[string]any{"room": r.name})
	if driver.RefusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// maxAnswer bounds how much of the server's answer to a call is read, in bytes.
const maxAnswer = 1 << 20

// call makes one call of the server's RoomService.
func (r *roomClient) call(ctx context.Context, method string, request map[string]any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	d := r.driver
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base.JoinPath("/twirp/livekit.RoomService", method).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, err := d.keys.token("", grant{RoomCreate: true, RoomAdmin: true, Room: r.name})
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := d.client.Do(req)
	if err != nil {
		return driver.NoAnswer(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer to %s: %w", method, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %w", method, driver.Refusal(resp, answer))
	}
	return nil
}
