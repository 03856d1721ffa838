package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mostAfter is how many packets with an intended send time after the server's
// acknowledgement may still pass: 100 ms of speech.
const mostAfter = 5

// settled is how long a test listens on, for what must not come.
const settled = time.Second

// A ghost is somebody on stage whose clients ignore all that they are told: they
// go on sending and receiving, and the server's farewells do not reach them.
type ghost struct {
	url, room string
	host      *member
	hostMic   *numberedMic
	self      *member
	mic       *numberedMic
	ear       *listener
	third     *listener // somebody else's ear
	token     string    // the ghost's, where the server wants one
	hostToken string
}

// startGhost brings a talking host, a listening third party and the ghost into a
// room.
func startGhost(t *testing.T, url, room, hostToken, ghostToken, thirdToken string) *ghost {
	t.Helper()
	g := &ghost{url: url, room: room, token: ghostToken, hostToken: hostToken}
	in := func(token, role string) *member {
		hello := map[string]any{}
		if token != "" {
			hello["token"] = token
		}
		return enterAs(t, url, hello, map[string]any{"room": room, "role": role, "name": role})
	}
	g.host = in(hostToken, "host")
	g.hostMic = openNumberedMic(t, g.host.exchange("mic"))
	third := in(thirdToken, "listener")
	g.third = listen(t, 3, third.exchange("ear"))
	g.self = in(ghostToken, "speaker")
	g.mic = openNumberedMic(t, g.self.exchange("mic"))
	g.ear, _ = listenRecorded(t, g.self.exchange("ear"))
	// Both hear each other before anything happens.
	require.Eventually(t, func() bool { return g.mic.after(g.third.all(), g.self.talker(), time.Time{}) > 5 }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return g.hostMic.after(g.ear.all(), g.host.talker(), time.Time{}) > 5 }, patience, 10*time.Millisecond)
	return g
}

// heard counts what passed after a moment, out of the ghost's mic and into the
// ghost's ear.
func (g *ghost) heard(since time.Time) (spoke, overheard int) {
	return g.mic.after(g.third.all(), g.self.talker(), since), g.hostMic.after(g.ear.all(), g.host.talker(), since)
}

// A cut is what ends somebody's time on stage, or in the room.
type cut struct {
	name string
	act  func(*ghost)
	own  bool // the ghost's own WebSocket does it
	// earGoesOn: it only takes the mic.
	earGoesOn bool
	ends      bool // the room
}

func cuts() []cut {
	kick := func(what string) func(*ghost) {
		return func(g *ghost) { g.host.ask(map[string]any{"type": what, "member": g.self.id}) }
	}
	return []cut{
		{name: "leave", own: true, act: func(g *ghost) { g.self.ask(map[string]any{"type": "leave"}) }},
		{name: "kick", act: kick("remove")},
		{name: "ban", act: kick("ban")},
		{name: "demote", act: kick("demote"), earGoesOn: true},
		{name: "mute", earGoesOn: true, act: func(g *ghost) {
			g.host.ask(map[string]any{"type": "mute", "member": g.self.id, "muted": true})
		}},
		{name: "end", ends: true, act: func(g *ghost) { g.host.ask(map[string]any{"type": "end"}) }},
		{name: "hangup", own: true, act: func(g *ghost) {
			g.self.ask(map[string]any{"type": "hangup", "media": "mic"})
			g.self.ask(map[string]any{"type": "hangup", "media": "ear"})
		}},
	}
}

// isCutOff checks what passed after a cut was acknowledged.
func (g *ghost) isCutOff(t *testing.T, by cut, acked time.Time) {
	t.Helper()
	spoke, overheard := g.heard(acked)
	assert.LessOrEqual(t, spoke, mostAfter, "packets of the ghost that a third party heard")
	if by.earGoesOn {
		assert.Greater(t, overheard, mostAfter, "the ear is none of its business")
	} else {
		assert.LessOrEqual(t, overheard, mostAfter, "packets that the ghost heard")
	}
	if !by.ends {
		// It was not silence for all.
		assert.Greater(t, g.hostMic.after(g.third.all(), g.host.talker(), acked), mostAfter, "the room goes on for the others")
	}
}

// What "What went wrong in the real app" calls ghosts and banshees: whatever ends
// somebody's time on stage, or in the room, stops their packets in both
// directions, counted at a third party and at a client that obeys nobody.
func TestGhostIsCutOffInBothDirections(t *testing.T) {
	t.Parallel()
	for _, row := range cuts() {
		for _, dead := range []bool{false, true} {
			if dead && row.own {
				continue
			}
			name := row.name
			if dead {
				name += " with its WebSocket dead"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				url := serve(t)
				g := startGhost(t, url, "hall", "", "", "")
				if dead {
					require.NoError(t, g.self.conn.Close())
				}
				row.act(g)
				acked, sent := time.Now(), g.mic.out.media.Load()
				time.Sleep(settled)
				g.isCutOff(t, row, acked)
				assert.Greater(t, g.mic.out.media.Load(), sent+4*mostAfter, "the ghost went on sending")
			})
		}
	}
}

// guests makes a room on a server that wants tokens, and redeems an invite to it
// for each role. It returns the room, the host's token and the guests'.
func guests(t *testing.T, url string, roles ...string) (room, host string, tokens []string) {
	t.Helper()
	made := ask(t, http.MethodPost, url+"/api/rooms", operatorToken, map[string]any{"name": "hall"})
	room, host = made["room"].(string), made["host_token"].(string)
	for i, role := range roles {
		invite := ask(t, http.MethodPost, url+"/api/rooms/"+room+"/invites", host, map[string]any{"role": role})
		session := ask(t, http.MethodPost, url+"/api/invites/"+invite["code"].(string)+"/redeem", "", map[string]any{"name": fmt.Sprint("guest ", i)})
		tokens = append(tokens, session["token"].(string))
	}
	return room, host, tokens
}

// ask asks a server's API for something, and returns its answer, which is no refusal. It tries again while the server can't.
func ask(t testing.TB, method, url, token string, body map[string]any) (answer map[string]any) {
	t.Helper()
	var status int
	require.Eventually(t, func() bool {
		status, answer = tryAsk(t, method, url, token, body)
		return status != http.StatusServiceUnavailable
	}, patience, 10*time.Millisecond)
	require.Equal(t, 2, status/100, "%s: %v", url, answer)
	return answer
}

// tryAsk asks once.
func tryAsk(t testing.TB, method, url, token string, body map[string]any) (status int, answer map[string]any) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(data))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer) // some answers have no body
	return resp.StatusCode, answer
}

func TestSecondLoginCutsOffFirst(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprintf("its WebSocket dead: %t", dead), func(t *testing.T) {
			url := serveClosed(t)
			room, host, tokens := guests(t, url, "speaker", "listener")
			g := startGhost(t, url, room, host, tokens[0], tokens[1])
			if dead {
				require.NoError(t, g.self.conn.Close())
			}
			if !dead {
				second := enterAs(t, url, map[string]any{"token": g.token}, map[string]any{"room": room})
				acked := time.Now()
				time.Sleep(settled)
				spoke, overheard := g.heard(acked)
				assert.LessOrEqual(t, spoke, mostAfter)
				assert.LessOrEqual(t, overheard, mostAfter)
				assert.NotEqual(t, g.self.id, second.id, "they are somebody new")
				return
			}
			// Over WHIP a person can't take up what they had, so it ends.
			byWHIP := openNumberedMic(t, byHTTPAs(t, url+"/rooms/"+room+"/whip", g.token))
			acked := time.Now()
			time.Sleep(settled)
			spoke, overheard := g.heard(acked)
			assert.LessOrEqual(t, spoke, mostAfter)
			assert.LessOrEqual(t, overheard, mostAfter)
			_ = byWHIP
		})
	}
}

// Removal revokes: the token lets nobody in any more, by whatever door, nor does
// the ticket of the session.
func TestKickRevokesValidToken(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"remove", "ban"} {
		t.Run(how, func(t *testing.T) {
			url := serveClosed(t)
			room, host, tokens := guests(t, url, "speaker")
			moderator := enterAs(t, url, map[string]any{"token": host}, map[string]any{"room": room})
			kicked := enterAs(t, url, map[string]any{"token": tokens[0]}, map[string]any{"room": room})
			moderator.ask(map[string]any{"type": how, "member": kicked.id})
			again := dialMember(t, url, map[string]any{"token": tokens[0]})
			refused := func(request map[string]any) string {
				answer := again.put(request)
				require.Equal(t, "error", answer["type"], "%v", answer)
				return answer["code"].(string)
			}
			assert.Equal(t, "barred", refused(map[string]any{"type": "join", "room": room}))
			assert.Equal(t, "barred", refused(map[string]any{"type": "join", "room": room, "role": "listener"}))
			key := kicked.joined["resume"].(map[string]any)["key"]
			assert.Equal(t, "not_found", refused(map[string]any{"type": "resume", "room": room, "member": kicked.id, "key": key}))
			for _, path := range []string{"/whip", "/whep"} {
				resp, body := postOffer(t, url+"/rooms/"+room+path, tokens[0])
				assert.Equal(t, http.StatusForbidden, resp.StatusCode, body)
				assert.Contains(t, body, "barred")
			}
			moderator.ask(map[string]any{"type": "unban", "member": kicked.id})
			assert.Equal(t, "joined", again.put(map[string]any{"type": "join", "room": room})["type"], "until a host takes it back")
		})
	}
}

func TestMuteSurvivesNewMic(t *testing.T) {
	t.Parallel()
	url := serve(t)
	g := startGhost(t, url, "hall", "", "", "")
	g.host.ask(map[string]any{"type": "mute", "member": g.self.id, "muted": true})
	acked := time.Now()
	again := openNumberedMic(t, g.self.exchange("mic"))
	time.Sleep(settled)
	assert.LessOrEqual(t, g.mic.after(g.third.all(), g.self.talker(), acked), mostAfter)
	assert.Zero(t, again.after(g.third.all(), g.self.talker(), time.Time{}), "the new mic is muted as the old one was")
	g.host.ask(map[string]any{"type": "mute", "member": g.self.id, "muted": false})
	require.Eventually(t, func() bool { return again.after(g.third.all(), g.self.talker(), time.Time{}) > 5 }, patience, 10*time.Millisecond)
}

// Signaling is lost and back: the session is the same, and so is the ear.
func TestResumeKeepsEarUntouched(t *testing.T) {
	t.Parallel()
	url := serve(t)
	g := startGhost(t, url, "hall", "", "", "")
	g.host.ask(map[string]any{"type": "mute", "member": g.self.id, "muted": true})
	lost := time.Now()
	require.NoError(t, g.self.conn.Close())
	time.Sleep(settled / 2)
	back := dialMember(t, url, map[string]any{})
	ticket := g.self.joined["resume"].(map[string]any)
	resumed := back.ask(map[string]any{
		"type": "resume", "room": "hall", "member": g.self.id, "key": ticket["key"], "rev": g.self.joined["rev"],
	})
	time.Sleep(settled / 2)
	assert.Equal(t, "resumed", resumed["type"])
	assert.Equal(t, "speaker", resumed["role"])
	assert.Equal(t, true, resumed["muted"], "what happened meanwhile is told")
	assert.Equal(t, true, resumed["ear"])
	assert.Equal(t, true, resumed["mic"])
	want := int(time.Since(lost)/(20*time.Millisecond)) * 9 / 10
	assert.Greater(t, g.hostMic.after(g.ear.all(), g.host.talker(), lost), want-mostAfter, "the ear heard on all the while")
	g.self = back
	g.host.ask(map[string]any{"type": "mute", "member": resumed["member"], "muted": false})
	back.ask(map[string]any{"type": "mute", "muted": true})
}

// Media is lost and back by a new offer, in the same seat.
func TestNewOfferKeepsSeat(t *testing.T) {
	t.Parallel()
	url := serve(t)
	g := startGhost(t, url, "hall", "", "", "")
	before := time.Now()
	ear := listen(t, 3, g.self.exchange("ear"))
	acked := time.Now()
	require.Eventually(t, func() bool { return g.hostMic.after(ear.all(), g.host.talker(), before) > 5 }, patience, 10*time.Millisecond)
	time.Sleep(settled / 2)
	assert.LessOrEqual(t, g.hostMic.after(g.ear.all(), g.host.talker(), acked), mostAfter, "the old ear is closed")
	_, body := request(t, http.MethodGet, url+"/metrics", "", "")
	assert.Contains(t, body, "\nearshot_ears 2\n")
	assert.Contains(t, body, `earshot_members{role="speaker"} 1`)
}
