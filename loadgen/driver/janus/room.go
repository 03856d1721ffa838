package janus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A roomClient is one room on the server, with the connection of its moderator.
type roomClient struct {
	driver      *Driver
	created     bool // by this process, which is to destroy it
	id          id
	secret, pin string

	mu        sync.Mutex
	moderator *connection // nil until it is needed
}

// create creates room number i of the run.
func (r *roomClient) create(ctx context.Context, i int) error {
	r.secret, r.pin = password(), password()
	if err := r.askForTimeout(ctx); err != nil {
		return err
	}
	e, err := r.ask(ctx, &body{
		Request: createRoom, Description: "earshot, room " + strconv.Itoa(i+1), Private: true, SamplingRate: r.driver.rate,
		Secret: r.secret, PIN: r.pin, AdminKey: r.driver.adminKey,
	})
	r.id = bytes.Clone(e.Room)
	return err
}

// find finds the room that is there.
func (r *roomClient) find(ctx context.Context, _ int) error {
	is := r.driver.room
	r.secret, r.pin = is.secret, is.pin
	if err := r.askForTimeout(ctx); err != nil {
		return err
	}
	name, err := json.Marshal(is.name) // where the server has string_ids
	if err != nil {
		return err
	}
	r.id = name
	if n, err := strconv.ParseUint(is.name, 10, 64); err == nil && strconv.FormatUint(n, 10) == is.name {
		r.id = id(is.name)
	}
	e, err := r.ask(ctx, &body{Request: roomExists, Room: r.id})
	if no := (failure{}); errors.As(err, &no) && no.code == elementInvalid {
		r.id = name
		e, err = r.ask(ctx, &body{Request: roomExists, Room: r.id})
	}
	if err == nil && !e.Exists {
		err = fmt.Errorf("it has no AudioBridge room %s: give another --%s, or none, so that the run creates its own", is.name, roomFlag)
	}
	return err
}

// askForTimeout learns after what time the server forgets a session.
func (r *roomClient) askForTimeout(ctx context.Context) error {
	c, err := r.connect(ctx)
	if err != nil {
		return err
	}
	// Where that is not told, it is what Janus' own clients take it for.
	if m, err := c.call(ctx, request{Janus: information}); err == nil {
		r.driver.remember(m)
	}
	return nil
}

// connect returns the moderator's connection, or another one if it was lost.
func (r *roomClient) connect(ctx context.Context) (*connection, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moderator != nil && r.moderator.state.Ended() == nil {
		return r.moderator, nil
	}
	if r.moderator != nil {
		_ = r.moderator.close() // it is lost
		r.moderator = nil
	}
	c, err := open(ctx, r.driver, func() {})
	if err != nil {
		return nil, err
	}
	r.moderator = c
	return c, nil
}

// ask makes a request of the moderator's.
func (r *roomClient) ask(ctx context.Context, b *body) (event, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return event{}, err
	}
	m, err := c.ask(ctx, b, nil)
	return m.PluginData.Data, err
}

// Name implements driver.RoomClient.
func (r *roomClient) Name() string { return string(bytes.Trim(r.id, `"`)) }

// Join implements driver.RoomClient. The server learns of it with the first offer: a host without
// a mic is never there.
func (r *roomClient) Join(_ context.Context, name string, _ scenario.Role) (driver.Participant, error) {
	return &participant{room: r, name: name, done: make(chan struct{})}, nil
}

// Act implements driver.RoomClient.
func (r *roomClient) Act(ctx context.Context, verb scenario.Verb, who driver.Participant) error {
	if verb == scenario.End {
		return r.destroy(ctx)
	}
	p, ok := who.(*participant)
	requests := map[scenario.Verb]string{scenario.Mute: mute, scenario.Unmute: unmute, scenario.Kick: kick}
	if !ok || requests[verb] == "" {
		return fmt.Errorf("%w: %s", driver.ErrUnsupported, verb)
	}
	member, err := p.member()
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, &body{Request: requests[verb], Room: r.id, ID: member, Secret: r.secret})
	return err
}

// NoShows implements driver.RoomClient: nobody is invited.
func (r *roomClient) NoShows() uint64 { return 0 }

// Close implements driver.RoomClient.
func (r *roomClient) Close(ctx context.Context) error {
	var err error
	if r.created {
		err = r.destroy(ctx)
	}
	return errors.Join(err, r.leave(ctx))
}

// leave ends the moderator's session, if there is one.
func (r *roomClient) leave(ctx context.Context) error {
	r.mu.Lock()
	c := r.moderator
	r.moderator = nil
	r.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.leave(ctx)
}

// destroy ends the room. One that has ended already is no error.
func (r *roomClient) destroy(ctx context.Context) error {
	_, err := r.ask(ctx, &body{Request: destroyRoom, Room: r.id, Secret: r.secret})
	if no := (failure{}); errors.As(err, &no) && no.bridge && no.code == roomUnknown {
		return nil
	}
	return err
}
