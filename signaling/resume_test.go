package signaling

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// resume says hello on a new WebSocket and resumes as a member.
func (h *testServer) resume(was wire.Joined, rev uint64) (*client, wire.Resumed) {
	h.t.Helper()
	c := h.greet()
	c.send(wire.Resume{Room: was.Room, Member: was.Member, Key: was.Resume.Key, Rev: rev})
	return c, await[wire.Resumed](c)
}

// awaitMatch reads until a message that fits accepts.
func awaitMatch[M wire.ServerMessage](c *client, fits func(M) bool) M {
	c.t.Helper()
	for {
		m := c.next()
		require.NotNil(c.t, m, "the connection ended")
		if m, ok := m.(M); ok && fits(m) {
			return m
		}
	}
}

func anyMessage[M wire.ServerMessage](M) bool { return true }

func TestResumeSendsMissedChanges(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 5 * time.Millisecond })
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", wire.RoleSpeaker, "Bo")
	seen := awaitMatch(c, func(wire.Presence) bool { return true }).Rev
	c.hangUp()
	away := host.stageChange(func(c wire.StageChange) bool { return c.Away })
	assert.Equal(t, bo.Member, away.Member, "the stage sees who is away")
	host.awaitOK(wire.Mute{Member: bo.Member, Muted: true})
	_, cy := h.enter("a", wire.RoleSpeaker, "Cy")
	again, resumed := h.resume(bo, seen)
	assert.Equal(t, bo.Member, resumed.Member)
	assert.Equal(t, bo.Talker, resumed.Talker)
	assert.Equal(t, wire.RoleSpeaker, resumed.Role)
	assert.True(t, resumed.Muted, "a mute holds over a reconnect")
	assert.Nil(t, resumed.Stage)
	changed := map[string]bool{}
	for _, c := range resumed.StageChanges {
		changed[c.Member] = true
	}
	assert.True(t, changed[bo.Member] && changed[cy.Member], "what happened meanwhile is told: %v", changed)
	assert.False(t, changed[ada.Member], "and what did not is not")
	again.expectError(wire.Mute{Muted: false}, wire.CodeForbidden)
	t.Run("a number that is not remembered gets the whole stage", func(t *testing.T) {
		c, resumed := h.resume(bo, 1)
		assert.Len(t, resumed.Stage, 3)
		reason, _ := again.goodbye()
		assert.Equal(t, wire.GoodbyeReplaced, reason, "the WebSocket that was still there is ended")
		c.awaitOK(wire.Leave{})
	})
	t.Run("who has left has nothing to resume", func(_ *testing.T) {
		h.greet().expectError(wire.Resume{Room: "a", Member: bo.Member, Key: bo.Resume.Key}, wire.CodeNotFound)
	})
}

func TestResumeNeedsTheTicket(t *testing.T) {
	h := open(t, nil)
	_, ada := h.enter("a", wire.RoleHost, "Ada")
	_, bo := h.enter("a", "", "Bo")
	c := h.greet()
	for name, m := range map[string]wire.Resume{
		"another's key":           {Room: "a", Member: ada.Member, Key: bo.Resume.Key},
		"no such member":          {Room: "a", Member: "nobody", Key: bo.Resume.Key},
		"a room that there isn't": {Room: "b", Member: bo.Member, Key: bo.Resume.Key},
	} {
		assert.Equal(t, liveroom.ErrNothingToResume.Message, c.errorOf(m, wire.CodeNotFound).text, name)
	}
	c.join("c", "", "Cy")
	c.expectError(wire.Resume{Room: "a", Member: bo.Member, Key: bo.Resume.Key}, wire.CodeConflict)
}

func TestRemoveWhileDisconnected(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", "", "Bo")
	host.openMedia(wire.MediaMic)
	ear := c.openMedia(wire.MediaEar)
	ear.awaitFrame(ada.Talker, 0)
	c.hangUp()
	require.Eventually(t, func() bool { return h.away() == 1 }, eventually, often)
	host.awaitOK(wire.Remove{Member: bo.Member})
	ear.awaitEnd()
	h.greet().expectError(wire.Resume{Room: "a", Member: bo.Member, Key: bo.Resume.Key}, wire.CodeNotFound)
	h.awaitMedia(1, 0)
}

// away returns how many participants' WebSockets are lost.
func (h *testServer) away() int { return int(h.metric("earshot_members_away")) }

func TestCleanCloseLeavesAtOnce(t *testing.T) {
	for code, how := range map[int]string{
		websocket.CloseNormalClosure: "a page that closes its WebSocket",
		websocket.CloseGoingAway:     "a browser whose page is closed (Firefox)",
	} {
		t.Run(how, func(t *testing.T) {
			h := open(t, func(cfg *Config) { cfg.ResumeWindow = time.Hour })
			c, _ := h.enter("a", "", "")
			c.close(code)
			require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
			assert.Zero(t, h.away())
		})
	}
}

func TestHostSuccession(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Grace, cfg.ResumeWindow = 50*time.Millisecond, time.Hour })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", wire.RoleSpeaker, "Bo")
	h.enter("a", wire.RoleSpeaker, "Cy")
	l, _ := h.enter("a", "", "Di")
	host.hangUp()
	for _, each := range []*client{c, l} {
		told := awaitMatch(each, anyMessage[wire.HostChanged])
		assert.Equal(t, wire.HostChanged{Member: bo.Member, Name: "Bo", Reason: wire.HostSucceeded}, told)
	}
	c.awaitOK(wire.SetRules{Hands: wire.HandsOff})
}

func TestRoomWithoutASuccessorEnds(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Grace, cfg.ResumeWindow = 30*time.Millisecond, 10*time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	l, _ := h.enter("a", "", "Di")
	h.openSession("/rooms/a/whip", "", wire.MediaMic)
	host.hangUp()
	reason, _ := l.goodbye()
	assert.Equal(t, wire.GoodbyeEnded, reason)
}

func TestOverflowHallCounts(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity, cfg.Halls, cfg.PresenceEvery = 2, 3, 5*time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	first, in := h.enter("a", "", "1")
	assert.Zero(t, in.Hall)
	h.enter("a", "", "2")
	over, in := h.enter("a", "", "3")
	assert.Equal(t, 1, in.Hall)
	assert.Equal(t, 1, in.Audience, "the hall's own count")
	assert.Zero(t, in.Total, "which is all that it knows")
	_, in = h.enter("a", "", "4")
	assert.Equal(t, 2, in.Audience)
	host.presence(func(p wire.Presence) bool { return p.Audience == 2 && p.Total == 4 })
	over.presence(func(p wire.Presence) bool { return p.Audience == 2 && p.Total == 0 })
	assert.EqualValues(t, 2, h.metric("earshot_members_overflow"))

	// Both halls hear the stage.
	ear, overflow := first.openMedia(wire.MediaEar), over.openMedia(wire.MediaEar)
	host.openMedia(wire.MediaMic)
	talker := h.liveRoom("a").Info().Stage[0].Talker
	ear.awaitFrame(talker, 0)
	overflow.awaitFrame(talker, 0)

	for range 2 {
		h.enter("a", "", "")
	}
	h.greet().expectError(wire.Join{Room: "a"}, wire.CodeRoomFull)
}

func TestExpiredReservationIsSentToHosts(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Stage = 2 })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	l := h.liveRoom("a")
	guest := room.Reservation{Key: "k", Name: "Dr. No", Role: room.Speaker, Until: time.Now().Add(100 * time.Millisecond)}
	require.NoError(t, l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) { return rules.Reserve(guest, now) }, nil))
	h.greet().expectError(wire.Join{Room: "a", Role: wire.RoleSpeaker}, wire.CodeStageFull)
	assert.Equal(t, wire.GuestLapsed{Name: "Dr. No", Role: wire.RoleSpeaker}, awaitMatch(host, anyMessage[wire.GuestLapsed]))
	h.enter("a", wire.RoleSpeaker, "Bo")
}

func TestStageInvitationExpires(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.StageWait = 50 * time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", "", "Bo")
	host.awaitOK(wire.InviteToStage{Member: bo.Member})
	awaitMatch(c, anyMessage[wire.StageInvite])
	for _, each := range []*client{host, c} {
		assert.Equal(t, wire.StageLapsed, awaitMatch(each, anyMessage[wire.StageInviteClosed]).Outcome)
	}
	c.expectError(wire.AcceptStage{}, wire.CodeConflict)
}

// memoryPersister saves rooms in memory, and can be made to fail.
type memoryPersister struct {
	mu     sync.Mutex
	states map[string]room.State
	kept   int
	broken bool
}

func (s *memoryPersister) PutRoom(state room.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("the disk is full")
	}
	s.kept++
	s.states[state.Config.Name] = state
	return nil
}

func (s *memoryPersister) all() (all []room.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.states {
		all = append(all, state)
	}
	return all
}

func TestRestartRestoresRoomsAndRoles(t *testing.T) {
	kept := &memoryPersister{states: map[string]room.State{}}
	before := open(t, func(cfg *Config) { cfg.Persister, cfg.Key = kept, testKey })
	host, ada := before.enter("a", wire.RoleHost, "Ada")
	_, bo := before.enter("a", "", "Bo")
	_, cy := before.enter("a", "", "Cy")
	before.enter("gone", wire.RoleHost, "Di")
	until := kept.kept
	before.enter("a", "", "a listener")
	assert.Equal(t, until, kept.kept, "a listener's join waits for no disk")
	host.awaitOK(wire.Promote{Member: bo.Member})
	host.awaitOK(wire.Mute{Member: bo.Member, Muted: true})
	host.awaitOK(wire.Ban{Member: cy.Member})
	hold := 40
	host.awaitOK(wire.SetRules{Hands: wire.HandsOff, AudienceHold: &hold})
	require.NoError(t, before.liveRoom("gone").End(room.Operator, nil))
	require.NoError(t, before.server.Shutdown(t.Context()))

	after := open(t, func(cfg *Config) { cfg.Persister, cfg.Key, cfg.Rooms = kept, testKey, kept.all() })
	_, err := after.server.rooms.Find("gone")
	require.Error(t, err, "a room that has ended stays so")
	_, resumed := after.resume(bo, bo.Rev)
	assert.Equal(t, bo.Member, resumed.Member)
	assert.Equal(t, wire.RoleSpeaker, resumed.Role)
	assert.True(t, resumed.Muted)
	assert.Equal(t, wire.HandsOff, resumed.Rules.Hands)
	assert.Equal(t, hold, resumed.Rules.AudienceHold)
	assert.Len(t, resumed.Stage, 2, "what was known is of another time")
	_, resumed = after.resume(ada, 0)
	assert.Equal(t, wire.RoleHost, resumed.Role)
	after.greet().expectError(wire.Resume{Room: "a", Member: cy.Member, Key: cy.Resume.Key}, wire.CodeNotFound)
}

func TestRestartRecognizesTheStageByToken(t *testing.T) {
	kept := &memoryPersister{states: map[string]room.State{}}
	with := func(cfg *Config) { cfg.Persister = kept }
	before := closed(t, with)
	_, answer := before.call(http.MethodPost, "/api/rooms", operatorToken, `{"name": "The Lobby"}`)
	id, token := answer["room"].(string), answer["host_token"].(string)
	come := func(h *testServer) wire.Joined {
		c := h.dial()
		c.send(wire.Hello{Version: wire.Version, Token: token})
		await[wire.Welcome](c)
		return c.join(id, "", "Ada")
	}
	was := come(before)
	require.NoError(t, before.server.Shutdown(t.Context()))
	after := closed(t, func(cfg *Config) { with(cfg); cfg.Rooms = kept.all() })
	is := come(after)
	assert.Equal(t, was.Member, is.Member, "they are who they were")
	assert.Equal(t, wire.RoleHost, is.Role)
	assert.NotEqual(t, is.Member, come(after).Member, "and a second one with that token is another")
}

func TestUnsavedChangeIsNotAcknowledged(t *testing.T) {
	kept := &memoryPersister{states: map[string]room.State{}}
	h := open(t, func(cfg *Config) { cfg.Persister = kept })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	_, bo := h.enter("a", "", "Bo")
	kept.mu.Lock()
	kept.broken = true
	kept.mu.Unlock()
	host.expectError(wire.Promote{Member: bo.Member}, wire.CodeUnavailable)
	c := h.greet()
	c.expectError(wire.Join{Room: "a", Role: wire.RoleSpeaker}, wire.CodeUnavailable)
	assert.Equal(t, 2, len(h.liveRoom("a").Info().Stage), "who was refused is not in")
	kept.mu.Lock()
	kept.broken = false
	kept.mu.Unlock()
	require.Eventually(t, func() bool {
		states := kept.all()
		return len(states) == 1 && len(states[0].Stage) == 2
	}, eventually, often, "it is kept as soon as that is possible")
	_, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name": "b"}`)
	assert.Equal(t, "b", answer["room"])
	kept.mu.Lock()
	kept.broken = true
	kept.mu.Unlock()
	_, answer = h.call(http.MethodPost, "/api/rooms", "", `{"name": "c"}`)
	assert.Equal(t, wire.CodeUnavailable, code(answer))
}
