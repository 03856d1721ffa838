package soak_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	rooms  = 4
	people = 24 // of each room's audience and stage, one after the other
)

// A club is the rooms and what the server has acknowledged about people there.
type club struct {
	server *server
	did    [counters]atomic.Int64

	mu    sync.Mutex
	rooms map[string]*soakRoom // that were acknowledged and have not been ended
	ended map[string]bool      // whose end was acknowledged
}

// What is counted.
const (
	joins = iota
	resumes
	redemptions
	removals
	bans
	unbans
	mutes
	moves
	roomsMade
	roomsEnded
	runs
	runsWithVerdict
	counters
)

var counted = [counters]string{"joins", "resumes", "redemptions", "removals", "bans", "unbans", "mutes", "promotions and demotions",
	"rooms made", "rooms ended", "runs over bad networks", "of them with a verdict"}

// A soakRoom is a room, and what its host has done there. One goroutine moderates it.
type soakRoom struct {
	id, host string // the host's token
	codes    [2]string

	mu      sync.Mutex
	members map[string]string    // the token of each member that has joined
	out     map[string]time.Time // since when a token is out, of those acknowledged
}

func newClub(s *server) *club {
	return &club{server: s, rooms: map[string]*soakRoom{}, ended: map[string]bool{}}
}

// open makes a room with two invites for many, to the audience and to the stage.
func (c *club) open(ctx context.Context) (*soakRoom, error) {
	status, made, err := c.server.call(ctx, http.MethodPost, "/api/rooms", operatorToken, map[string]any{"name": "soak", "visibility": "closed", "capacity": 100})
	if err != nil || status != http.StatusCreated {
		return nil, fmt.Errorf("make a room: %d %v %w", status, made, err)
	}
	r := &soakRoom{id: made["room"].(string), host: made["host_token"].(string), members: map[string]string{}, out: map[string]time.Time{}}
	c.did[roomsMade].Add(1)
	c.mu.Lock()
	c.rooms[r.id] = r
	c.mu.Unlock()
	return r, c.invite(ctx, r)
}

// invite makes the room's invites anew: those by which somebody came who was put out
// admit nobody any more.
func (c *club) invite(ctx context.Context, r *soakRoom) error {
	for i, role := range []string{"listener", "speaker"} {
		status, made, err := c.server.call(ctx, http.MethodPost, "/api/rooms/"+r.id+"/invites", operatorToken, map[string]any{"role": role, "uses": 1000, "ttl_s": 3600})
		if err != nil || status != http.StatusCreated {
			return fmt.Errorf("make an invite: %d %v %w", status, made, err)
		}
		r.mu.Lock()
		old := r.codes[i]
		r.codes[i] = made["code"].(string)
		r.mu.Unlock()
		if old != "" {
			_, _, _ = c.server.call(ctx, http.MethodDelete, "/api/invites/"+old, operatorToken, nil)
		}
	}
	return nil
}

// close ends a room.
func (c *club) close(ctx context.Context, r *soakRoom) {
	c.mu.Lock()
	delete(c.rooms, r.id) // whatever comes of it
	c.mu.Unlock()
	if status, _, err := c.server.call(ctx, http.MethodDelete, "/api/rooms/"+r.id, operatorToken, nil); err == nil && status == http.StatusNoContent {
		c.did[roomsEnded].Add(1)
		c.mu.Lock()
		c.ended[r.id] = true
		c.mu.Unlock()
	}
}

// run lets everybody loose until ctx is done.
func (c *club) run(ctx context.Context) {
	var all sync.WaitGroup
	for range rooms {
		all.Go(func() { c.moderate(ctx) })
	}
	for range rooms * people {
		all.Go(func() {
			for ctx.Err() == nil {
				c.visit(ctx)
				pause(ctx, 500*time.Millisecond)
			}
		})
	}
	all.Wait()
}

// pause waits for up to a time.
func pause(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// moderate opens rooms, one after the other, and does in each what hosts do.
func (c *club) moderate(ctx context.Context) {
	for ctx.Err() == nil {
		r, err := c.open(ctx)
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		host, err := c.enter(ctx, r, r.host)
		for range 20 + rand.N(100) {
			if ctx.Err() != nil || err != nil {
				break
			}
			err = c.act(ctx, r, host)
			pause(ctx, 400*time.Millisecond)
		}
		if host != nil {
			host.hangUp()
		}
		if ctx.Err() == nil || rand.N(2) == 0 {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			c.close(ending, r)
			cancel()
		}
	}
}

// act does one thing to a member of the room.
func (c *club) act(ctx context.Context, r *soakRoom, host *visitor) error {
	status, answer, err := c.server.call(ctx, http.MethodGet, "/api/rooms/"+r.id+"/members", r.host, nil)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("list the members: %d %v %w", status, answer, err)
	}
	list, _ := answer["members"].([]any)
	if len(list) == 0 {
		return nil
	}
	whom := list[rand.N(len(list))].(map[string]any)
	id, role := whom["member"].(string), whom["role"].(string)
	if id == host.member {
		return nil
	}
	r.mu.Lock()
	token := r.members[id]
	r.mu.Unlock()
	switch rand.N(8) {
	case 0, 1:
		query, count := "", removals
		if rand.N(2) == 0 {
			query, count = "?ban=true", bans
		}
		status, _, err := c.server.call(ctx, http.MethodDelete, "/api/rooms/"+r.id+"/members/"+id+query, r.host, nil)
		if err != nil || status != http.StatusNoContent {
			return err
		}
		c.did[count].Add(1)
		if token != "" {
			r.mu.Lock()
			r.out[token] = time.Now()
			r.mu.Unlock()
		}
		if rand.N(3) > 0 {
			return c.invite(ctx, r)
		}
		return c.undo(r, host, id, token)
	case 2, 3:
		if _, _, err = c.server.call(ctx, http.MethodPost, "/api/rooms/"+r.id+"/members/"+id+"/mute", r.host, map[string]any{"muted": rand.N(2) == 0}); err == nil {
			c.did[mutes].Add(1)
		}
		return err
	}
	verb := map[string]any{"type": "promote", "member": id}
	if role != "listener" {
		verb["type"] = "demote"
	}
	if _, err := host.ask(verb); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	c.did[moves].Add(1)
	return nil
}

// undo lets somebody in again.
func (c *club) undo(r *soakRoom, host *visitor, member, token string) error {
	_, err := host.ask(map[string]any{"type": "unban", "member": member})
	r.mu.Lock()
	delete(r.out, token) // or nobody knows
	r.mu.Unlock()
	if errors.Is(err, errRefused) {
		return nil
	}
	if err == nil {
		c.did[unbans].Add(1)
	}
	return err
}

// pick is one of the rooms; nil: there are none.
func (c *club) pick() *soakRoom {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rooms { // in no order
		return r
	}
	return nil
}

// visit redeems an invite, joins, stays for a while, loses the connection now and then,
// and leaves, or is put out.
func (c *club) visit(ctx context.Context) {
	r := c.pick()
	if r == nil {
		return
	}
	r.mu.Lock()
	code := r.codes[rand.N(5)/4] // a fifth come to the stage
	r.mu.Unlock()
	status, got, err := c.server.call(ctx, http.MethodPost, "/api/invites/"+code+"/redeem", "", map[string]any{"name": "Bo"})
	if err != nil || status != http.StatusOK {
		return
	}
	c.did[redemptions].Add(1)
	v, err := c.enter(ctx, r, got["token"].(string))
	if err != nil {
		return
	}
	defer v.hangUp()
	for range rand.N(8) {
		pause(ctx, time.Second)
		switch rand.N(5) {
		case 0:
			_, err = v.ask(map[string]any{"type": "raise-hand"})
		case 1:
			_, err = v.ask(map[string]any{"type": "mute", "muted": rand.N(2) == 0})
		case 2: // the network is gone, and back
			v.hangUp()
			pause(ctx, 2*time.Second)
			err = v.resume(ctx)
		}
		if err != nil && !errors.Is(err, errRefused) || ctx.Err() != nil {
			return
		}
	}
	if rand.N(2) == 0 {
		_, _ = v.ask(map[string]any{"type": "leave"})
	}
}

var errRefused = errors.New("the server refused")

// A visitor is somebody with a WebSocket in a room.
type visitor struct {
	club        *club
	room        *soakRoom
	token       string
	member, key string
	conn        *websocket.Conn
}

// enter joins a room.
func (c *club) enter(ctx context.Context, r *soakRoom, token string) (*visitor, error) {
	v := &visitor{club: c, room: r, token: token}
	if err := v.dial(ctx); err != nil {
		return nil, err
	}
	joined, err := v.ask(map[string]any{"type": "join", "room": r.id, "name": "Bo"})
	if err != nil {
		v.hangUp()
		return nil, err
	}
	c.did[joins].Add(1)
	v.member = joined["member"].(string)
	v.key = joined["resume"].(map[string]any)["key"].(string)
	r.mu.Lock()
	r.members[v.member] = token
	r.mu.Unlock()
	return v, nil
}

func (v *visitor) dial(ctx context.Context) error {
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+v.club.server.http+"/ws", nil)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	v.conn = conn
	if _, err = v.ask(map[string]any{"type": "hello", "version": 1, "token": v.token}); err != nil {
		v.hangUp()
	}
	return err
}

func (v *visitor) resume(ctx context.Context) error {
	if err := v.dial(ctx); err != nil {
		return err
	}
	_, err := v.ask(map[string]any{"type": "resume", "room": v.room.id, "member": v.member, "key": v.key})
	if err == nil {
		v.club.did[resumes].Add(1)
	}
	return err
}

// hangUp closes the connection without a word.
func (v *visitor) hangUp() { _ = v.conn.Close() }

// ask sends a request and reads until its answer comes.
func (v *visitor) ask(message map[string]any) (map[string]any, error) {
	message["id"] = "1"
	_ = v.conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	if err := v.conn.WriteJSON(message); err != nil {
		return nil, err
	}
	_ = v.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		var answer map[string]any
		if err := v.conn.ReadJSON(&answer); err != nil {
			return nil, err
		}
		if answer["id"] != "1" {
			continue
		}
		if answer["type"] == "error" {
			return nil, fmt.Errorf("%w: %v", errRefused, answer)
		}
		return answer, nil
	}
}
