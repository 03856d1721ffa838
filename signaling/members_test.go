package signaling

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// credentials is somebody who has signed in.
type credentials struct {
	token, refresh, account, key, room string
}

func signedIn(answer map[string]any) credentials {
	text := func(name string) string { s, _ := answer[name].(string); return s }
	return credentials{text("token"), text("refresh_token"), text("account"), text("key"), text("room")}
}

// must makes a request and expects a status.
func (h *testServer) must(status int, method, path, token, body string) map[string]any {
	h.t.Helper()
	response, answer := h.call(method, path, token, body)
	require.Equal(h.t, status, response.StatusCode, "%s %s: %v", method, path, answer)
	return answer
}

// room makes a room as the operator, and returns its ID and its host token.
func (h *testServer) room(body string) (id, token string) {
	h.t.Helper()
	answer := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", operatorToken, body)
	return answer["room"].(string), answer["host_token"].(string)
}

// invite makes an invite to a room, and returns its code and its ID.
func (h *testServer) invite(room, body string) (code, id string) {
	h.t.Helper()
	path := "/api/invites"
	if room != "" {
		path = "/api/rooms/" + room + "/invites"
	}
	answer := h.must(http.StatusCreated, http.MethodPost, path, operatorToken, body)
	return answer["code"].(string), answer["invite"].(string)
}

// redeem redeems a code; token may be a member's.
func (h *testServer) redeem(code, token, name string) credentials {
	h.t.Helper()
	return signedIn(h.must(http.StatusOK, http.MethodPost, "/api/invites/"+code+"/redeem", token, `{"name":"`+name+`"}`))
}

// member makes a member of the club.
func (h *testServer) member(name string) credentials {
	h.t.Helper()
	code, _ := h.invite("", `{}`)
	return h.redeem(code, "", name)
}

// guest makes a guest of a room.
func (h *testServer) guest(room, role, name string) credentials {
	h.t.Helper()
	code, _ := h.invite(room, `{"role":"`+role+`"}`)
	return h.redeem(code, "", name)
}

// as opens a WebSocket with a token.
func (h *testServer) as(token string) *client {
	h.t.Helper()
	c := h.dial()
	c.send(wire.Hello{Version: wire.Version, Token: token})
	await[wire.Welcome](c)
	return c
}

// upgrade requests a WebSocket and returns the response.
func (h *testServer) upgrade(header http.Header) *http.Response {
	h.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.http.URL, "http")+"/ws", header)
	if err == nil {
		_ = conn.Close()
	}
	require.NotNil(h.t, response, err)
	_ = response.Body.Close()
	return response
}

func TestUnavailableInvitesLookTheSame(t *testing.T) {
	now := time.Now()
	var clock sync.Mutex
	h := closed(t, func(cfg *Config) {
		cfg.Clock = func() time.Time { clock.Lock(); defer clock.Unlock(); return now }
	})
	room, _ := h.room(`{"name":"x"}`)
	ended, endedHost := h.room(`{"name":"y"}`)
	codes := map[string]string{"unknown": auth.NewID(), "no code at all": "x", "long": strings.Repeat("a", 500), "capital": "ABC", "escaped": "%F0%9F%8E%99%00"}
	codes["spent"], _ = h.invite(room, `{"role":"listener"}`)
	h.redeem(codes["spent"], "", "Bo")
	codes["expired"], _ = h.invite(room, `{"role":"listener","ttl_s":1}`)
	codes["expired, to the stage"], _ = h.invite(room, `{"role":"speaker","ttl_s":1}`)
	codes["expired, to the club"], _ = h.invite("", `{"ttl_s":1}`)
	codes["revoked"], _ = h.invite(room, `{"role":"host"}`)
	h.must(http.StatusNoContent, http.MethodDelete, "/api/invites/"+codes["revoked"], operatorToken, "")
	codes["to a room that has ended"], _ = h.invite(ended, `{"role":"listener"}`)
	h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+ended, endedHost, "")
	var id string
	codes["one that was good, by its id"], id = h.invite(room, `{"role":"listener"}`)
	codes["one that was good, by its id"] = id
	clock.Lock()
	now = now.Add(time.Second)
	clock.Unlock()

	for _, ask := range []struct{ method, end, body string }{{http.MethodPost, "/redeem", `{"name":"Cy"}`}, {http.MethodGet, "", ""}} {
		var first *httptest.ResponseRecorder
		for name, code := range codes {
			request := httptest.NewRequest(ask.method, "/api/invites/"+code+ask.end, strings.NewReader(ask.body))
			request.RemoteAddr = "127.0.0.1:1"
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			h.server.Handler().ServeHTTP(answer, request)
			assert.Equal(t, http.StatusGone, answer.Code, name)
			assert.Contains(t, answer.Body.String(), `"invite_unavailable"`, name)
			if first == nil {
				first = answer
			}
			assert.Equal(t, first.Body.String(), answer.Body.String(), name)
			assert.Equal(t, first.Header(), answer.Header(), name)
		}
	}
}

// diskStore is a store on the disk, for one server after another.
type diskStore struct {
	t     *testing.T
	store store.Config
}

// serve runs one server on the store, hands it to a function, and ends it.
func (d diskStore) serve(do func(h *testServer)) {
	d.t.Helper()
	kept, err := store.Open(d.t.Context(), d.store)
	require.NoError(d.t, err)
	defer func() { assert.NoError(d.t, kept.Close()) }()
	// The server ends with its test.
	d.t.Run("server", func(t *testing.T) {
		do(closed(t, func(cfg *Config) { cfg.Store, cfg.Persister, cfg.Rooms = kept, kept, kept.Rooms() }))
	})
}

func TestRedeemOnceUnderConcurrency(t *testing.T) {
	diskStore{t, store.Config{Dir: t.TempDir()}}.serve(func(h *testServer) {
		room, _ := h.room(`{"name":"x"}`)
		code, _ := h.invite(room, `{"role":"speaker"}`)
		var seats, refused, late atomic.Int64
		start := make(chan struct{})
		var all sync.WaitGroup
		for range 10_000 {
			all.Go(func() {
				request := httptest.NewRequest(http.MethodPost, "/api/invites/"+code+"/redeem", strings.NewReader(`{"name":"Bo"}`))
				request.RemoteAddr = "127.0.0.1:1"
				request.Header.Set("Content-Type", "application/json")
				answer := httptest.NewRecorder()
				<-start
				h.server.Handler().ServeHTTP(answer, request)
				switch answer.Code {
				case http.StatusOK:
					seats.Add(1)
				case http.StatusGone:
					refused.Add(1)
				case http.StatusServiceUnavailable: // the store had too much to do: ask again
					late.Add(1)
				default:
					assert.Fail(h.t, "unexpected answer", "%d %s", answer.Code, answer.Body)
				}
			})
		}
		close(start)
		all.Wait()
		if late.Load() == 0 {
			assert.EqualValues(h.t, 1, seats.Load())
		}
		assert.LessOrEqual(h.t, seats.Load(), int64(1))
		assert.EqualValues(h.t, 10_000, seats.Load()+refused.Load()+late.Load())
		h.must(http.StatusGone, http.MethodPost, "/api/invites/"+code+"/redeem", "", `{"name":"Bo"}`)
	})
}

func TestLoginEndsTheEarlierLogin(t *testing.T) {
	h := closed(t, nil)
	room, _ := h.room(`{"name":"x"}`)
	first := h.member("Ada")
	c := h.as(first.token)
	c.join(room, "", "Ada")
	second := signedIn(h.must(http.StatusOK, http.MethodPost, "/api/login", "", `{"key":"`+first.key+`"}`))
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeReplaced, reason)
	assert.Zero(t, h.audience(room))

	h.must(http.StatusUnauthorized, http.MethodGet, "/api/rooms", first.token, "")
	h.must(http.StatusUnauthorized, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+first.refresh+`"}`)
	h.dial().expectError(wire.Hello{Version: wire.Version, Token: first.token}, wire.CodeUnauthorized)
	h.as(second.token).join(room, "", "Ada")
	again := signedIn(h.must(http.StatusOK, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+second.refresh+`"}`))
	h.must(http.StatusOK, http.MethodGet, "/api/rooms", again.token, "")
	h.must(http.StatusUnauthorized, http.MethodGet, "/api/rooms", again.refresh, "")
	h.must(http.StatusUnauthorized, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+again.token+`"}`)
}

func TestGuestTokenIsInOneRoomAtATime(t *testing.T) {
	h := closed(t, nil)
	room, _ := h.room(`{"name":"x"}`)
	bo := h.guest(room, "listener", "Bo")
	thief := signedIn(h.must(http.StatusOK, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+bo.refresh+`"}`))
	c := h.as(bo.token)
	c.join(room, "", "Bo")
	h.as(thief.token).join(room, "", "Bo")
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeReplaced, reason)
	assert.Equal(t, 1, h.audience(room))
}

func TestRemovedMemberStaysOut(t *testing.T) {
	h := closed(t, nil)
	room, host := h.room(`{"name":"x"}`)
	for _, row := range []struct {
		name   string
		ban    string
		reason wire.GoodbyeReason
	}{{"removed", "", wire.GoodbyeRemoved}, {"banned", "?ban=true", wire.GoodbyeBanned}} {
		t.Run(row.name, func(t *testing.T) {
			bo := h.guest(room, "speaker", "Bo")
			c := h.as(bo.token)
			joined := c.join(room, "", "Bo")
			h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+room+"/members/"+joined.Member+row.ban, host, "")
			reason, _ := c.goodbye()
			assert.Equal(t, row.reason, reason)
			h.as(bo.token).expectError(wire.Join{Room: room}, wire.CodeBarred)
			h.must(http.StatusUnauthorized, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+bo.refresh+`"}`)
			status, _, _ := h.post("/rooms/"+room+"/whip", bo.token, newPeer(t, wire.MediaMic, 1).offer())
			assert.Equal(t, http.StatusForbidden, status)
		})
	}
	t.Run("a member who is banned comes back with no login", func(_ *testing.T) {
		ada := h.member("Ada")
		c := h.as(ada.token)
		joined := c.join(room, "", "Ada")
		h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+room+"/members/"+joined.Member+"?ban=true", host, "")
		c.goodbye()
		again := signedIn(h.must(http.StatusOK, http.MethodPost, "/api/login", "", `{"key":"`+ada.key+`"}`))
		h.as(again.token).expectError(wire.Join{Room: room}, wire.CodeBarred)
		code, _ := h.invite(room, `{"role":"speaker"}`)
		invited := h.redeem(code, again.token, "")
		h.as(invited.token).expectError(wire.Join{Room: room}, wire.CodeBarred)
	})
}

// A room's visibility says who sees it and may join. To all others it looks as if it
// did not exist.
func TestHiddenRoomLooksLikeNoRoom(t *testing.T) {
	h := closed(t, nil)
	elsewhere, _ := h.room(`{"name":"elsewhere"}`)
	guest := h.guest(elsewhere, "host", "Gil").token
	member, owner := h.member("Mo"), h.member("Olga")
	for visibility, sees := range map[string]map[string]bool{
		"open":    {"operator": true, "host": true, "owner": true, "member": true, "guest": true, "invited": true},
		"members": {"operator": true, "host": true, "owner": true, "member": true, "invited": true},
		"closed":  {"operator": true, "host": true, "owner": true, "invited": true},
	} {
		made := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", owner.token, `{"name":"x","visibility":"`+visibility+`"}`)
		room := made["room"].(string)
		invited := h.guest(room, "listener", "Ivo").token
		for who, token := range map[string]string{
			"operator": operatorToken, "host": made["host_token"].(string), "owner": owner.token,
			"member": member.token, "guest": guest, "invited": invited,
		} {
			t.Run(visibility+", "+who, func(t *testing.T) {
				response, shown := h.call(http.MethodGet, "/api/rooms/"+room, token, "")
				noResponse, missing := h.call(http.MethodGet, "/api/rooms/"+auth.NewID(), token, "")
				_, list := h.call(http.MethodGet, "/api/rooms", token, "")
				listed := strings.Contains(fmt.Sprint(list), room)
				c := h.as(token)
				if sees[who] {
					assert.Equal(t, http.StatusOK, response.StatusCode)
					assert.True(t, listed)
					c.join(room, "", "")
					c.expectOK(wire.Leave{})
					return
				}
				assert.Equal(t, noResponse.StatusCode, response.StatusCode)
				assert.Equal(t, missing, shown)
				assert.False(t, listed)
				for _, role := range []wire.Role{"", wire.RoleListener, wire.RoleSpeaker, wire.RoleHost} {
					assert.Equal(t, c.errorOf(wire.Join{Room: auth.NewID(), Role: role}, wire.CodeNotFound),
						c.errorOf(wire.Join{Room: room, Role: role}, wire.CodeNotFound))
				}
				for end, media := range map[string]wire.Media{"/whip": wire.MediaMic, "/whep": wire.MediaEar} {
					offer := newPeer(t, media, 1).offer()
					status, _, body := h.post("/rooms/"+room+end, token, offer)
					none, _, same := h.post("/rooms/"+auth.NewID()+end, token, offer)
					assert.Equal(t, http.StatusNotFound, status)
					assert.Equal(t, none, status)
					assert.Equal(t, same, body)
				}
				for _, end := range []string{"/invites", "/members", "/audit"} {
					_, hidden := h.call(http.MethodGet, "/api/rooms/"+room+end, token, "")
					_, missing := h.call(http.MethodGet, "/api/rooms/"+auth.NewID()+end, token, "")
					assert.Equal(t, wire.CodeNotFound, code(hidden))
					assert.Equal(t, missing, hidden)
				}
			})
		}
	}
}

func TestMemberIsHostOfTheirRoom(t *testing.T) {
	h := closed(t, nil)
	ada, bo := h.member("Ada"), h.member("Bo")
	room := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", ada.token, `{"name":"x","visibility":"members"}`)["room"].(string)
	assert.Equal(t, wire.RoleHost, h.as(ada.token).join(room, "", "Ada").Role)
	c := h.as(bo.token)
	c.expectError(wire.Join{Room: room, Role: wire.RoleSpeaker}, wire.CodeNotFound)
	assert.Equal(t, wire.RoleListener, c.join(room, "", "Bo").Role)
	for _, end := range []string{"/members", "/invites", "/audit"} {
		h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room+end, ada.token, "")
		h.must(http.StatusForbidden, http.MethodGet, "/api/rooms/"+room+end, bo.token, "")
	}
	h.must(http.StatusForbidden, http.MethodDelete, "/api/rooms/"+room, bo.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+room, ada.token, "")
}

func TestStageInviteReservesAPlace(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.Stage = 2 })
	room, host := h.room(`{"name":"x"}`)
	c := h.as(host)
	c.join(room, "", "Ada")
	path := "/api/rooms/" + room + "/invites"
	_, id := h.invite(room, `{"role":"speaker","name":"Bo"}`)
	assert.Equal(t, wire.CodeStageFull, code(h.must(http.StatusConflict, http.MethodPost, path, host, `{"role":"speaker"}`)))
	assert.Len(t, h.must(http.StatusOK, http.MethodGet, path, host, "")["invites"], 2, "what held no place is revoked at once")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/invites/"+id, host, "")

	// A revoked invite reserves nothing. This one is redeemed by a guest who never joins.
	h.redeem(h.codeOf(h.must(http.StatusCreated, http.MethodPost, path, host, `{"role":"speaker","name":"Cy","ttl_s":1}`)), "", "Cy")
	h.must(http.StatusConflict, http.MethodPost, path, host, `{"role":"speaker"}`)
	lapsed := await[wire.GuestLapsed](c)
	assert.Equal(t, wire.GuestLapsed{Name: "Cy", Role: wire.RoleSpeaker}, lapsed)
	dee := h.guest(room, "speaker", "Dee")
	assert.Equal(t, wire.RoleSpeaker, h.as(dee.token).join(room, "", "Dee").Role, "who is expected has the place")
	h.must(http.StatusConflict, http.MethodPost, path, host, `{"role":"speaker"}`)
}

func (h *testServer) codeOf(answer map[string]any) string { return answer["code"].(string) }

func TestInviteBudget(t *testing.T) {
	h := closed(t, nil)
	ada := h.member("Ada")
	for n := range 2 {
		made := h.must(http.StatusCreated, http.MethodPost, "/api/invites", ada.token, `{"name":"Bo"}`)
		assert.Equal(t, float64(1-n), made["invites"])
		bo := h.redeem(h.codeOf(made), "", "Bo")
		assert.Equal(t, 2.0, h.must(http.StatusOK, http.MethodGet, "/api/me", bo.token, "")["invites"])
		a, err := h.server.cfg.Store.Account(bo.account)
		require.NoError(t, err)
		assert.Equal(t, ada.account, a.Inviter)
	}
	assert.Equal(t, wire.CodeConflict, code(h.must(http.StatusConflict, http.MethodPost, "/api/invites", ada.token, `{}`)))
	room, host := h.room(`{"name":"x"}`)
	h.must(http.StatusForbidden, http.MethodPost, "/api/invites", host, `{}`)
	h.must(http.StatusForbidden, http.MethodPost, "/api/invites", h.guest(room, "listener", "Gil").token, `{}`)
	spare, _ := h.invite("", `{}`)
	h.must(http.StatusConflict, http.MethodPost, "/api/invites/"+spare+"/redeem", ada.token, `{}`)
	h.redeem(spare, "", "still good: a member has not used it up")
}

func TestRevokeInvitePermissions(t *testing.T) {
	h := closed(t, nil)
	room, host := h.room(`{"name":"x"}`)
	_, stranger := h.room(`{"name":"y"}`)
	ada, bo := h.member("Ada"), h.member("Bo")
	mine := h.must(http.StatusCreated, http.MethodPost, "/api/invites", ada.token, `{}`)
	theirs, _ := h.invite(room, `{"role":"listener"}`)
	h.must(http.StatusUnauthorized, http.MethodDelete, "/api/invites/"+theirs, "", "")
	for _, row := range []struct{ code, token string }{
		{h.codeOf(mine), bo.token}, {h.codeOf(mine), host}, {mine["invite"].(string), bo.token},
		{theirs, stranger}, {theirs, ada.token}, {auth.NewID(), operatorToken}, {"x", operatorToken},
	} {
		_, answer := h.call(http.MethodDelete, "/api/invites/"+row.code, row.token, "")
		assert.Equal(t, wire.CodeNotFound, code(answer))
	}
	h.must(http.StatusNoContent, http.MethodDelete, "/api/invites/"+h.codeOf(mine), ada.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/invites/"+theirs, host, "")
}

func TestCreateInviteRefusesBadRequests(t *testing.T) {
	h := closed(t, nil)
	room, _ := h.room(`{"name":"x"}`)
	for body, text := range map[string]string{
		`{}`:                                   `"role"`,
		`{"role":"king"}`:                      `"role"`,
		`{"role":"listener","uses":0}`:         `"uses"`,
		`{"role":"listener","uses":100001}`:    `"uses"`,
		`{"role":"listener","ttl_s":0}`:        `"ttl_s"`,
		`{"role":"listener","ttl_s":-5}`:       `"ttl_s"`,
		`{"role":"listener","ttl_s":31536001}`: `"ttl_s"`,
		`{"role":"listener","ttl_s":9e99}`:     `"ttl_s"`,
		`{"role":"listener","name":"\u0000"}`:  `"name"`,
		`{"role":"listener","color":"red"}`:    `"color"`,
	} {
		answer := h.must(http.StatusBadRequest, http.MethodPost, "/api/rooms/"+room+"/invites", operatorToken, body)
		assert.Contains(t, answer["error"].(map[string]any)["message"], text, body)
	}
	h.must(http.StatusBadRequest, http.MethodPost, "/api/invites", operatorToken, `{"role":"host"}`)
	code, _ := h.invite(room, `{"role":"listener"}`)
	h.must(http.StatusBadRequest, http.MethodPost, "/api/invites/"+code+"/redeem", "", `{"name":"\u0007"}`)
	h.must(http.StatusUnauthorized, http.MethodPost, "/api/invites/"+code+"/redeem", "nonsense", `{"name":"Bo"}`)
	h.redeem(code, "", "a bad request costs no use")
}

func TestRestartRestoresRoomsFromTheStore(t *testing.T) {
	l := diskStore{t, store.Config{Dir: t.TempDir()}}
	var room, gone, host string
	var bo, eve, lu credentials
	l.serve(func(h *testServer) {
		room, host = h.room(`{"name":"The Lobby","visibility":"closed","capacity":7}`)
		var goneHost string
		gone, goneHost = h.room(`{"name":"gone"}`)
		h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+gone, goneHost, "")
		bo, eve, lu = h.guest(room, "listener", "Bo"), h.guest(room, "listener", "Eve"), h.guest(room, "listener", "Lu")
		ada, b, e := h.as(host), h.as(bo.token), h.as(eve.token)
		ada.join(room, "", "Ada")
		member := b.join(room, "", "Bo").Member
		out := e.join(room, "", "Eve").Member
		h.as(lu.token).join(room, "", "Lu")
		ada.expectOK(wire.Promote{Member: member})
		ada.expectOK(wire.Mute{Member: member, Muted: true})
		ada.expectOK(wire.Ban{Member: out})
	})
	l.serve(func(h *testServer) {
		h.must(http.StatusNotFound, http.MethodGet, "/api/rooms/"+gone, operatorToken, "")
		shown := h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room, bo.token, "")
		assert.Equal(h.t, "The Lobby", shown["name"])
		assert.Equal(h.t, "closed", shown["visibility"])
		assert.Equal(h.t, 7.0, shown["capacity"])
		b := h.as(bo.token).join(room, "", "Bo")
		assert.Equal(h.t, wire.RoleSpeaker, b.Role, "who was promoted is back on stage")
		require.Len(h.t, b.Stage, 2)
		for _, m := range b.Stage {
			if m.Member == b.Member {
				assert.True(h.t, m.Muted, "and still muted")
			}
		}
		assert.Equal(h.t, wire.RoleHost, h.as(host).join(room, "", "Ada").Role)
		assert.Equal(h.t, wire.RoleListener, h.as(lu.token).join(room, "", "Lu").Role)
		h.as(eve.token).expectError(wire.Join{Room: room}, wire.CodeBarred)
	})
}

func TestAuditLog(t *testing.T) {
	h := closed(t, nil)
	room, host := h.room(`{"name":"x"}`)
	bo := h.guest(room, "listener", "Bo")
	ada, b := h.as(host), h.as(bo.token)
	hostess := ada.join(room, "", "Ada").Member
	member := b.join(room, "", "Bo").Member
	ada.expectOK(wire.Promote{Member: member})
	ada.expectOK(wire.Mute{Member: member, Muted: true})
	h.must(http.StatusNoContent, http.MethodPost, "/api/rooms/"+room+"/members/"+member+"/mute", operatorToken, `{"muted":false}`)
	ada.expectOK(wire.Demote{Member: member})
	ada.expectOK(wire.Remove{Member: member})
	ada.expectOK(wire.End{})
	ada.goodbye()
	// The room is gone a moment after its people.
	require.Eventually(t, func() bool {
		response, _ := h.call(http.MethodGet, "/api/rooms/"+room+"/audit", host, "")
		return response.StatusCode == http.StatusNotFound
	}, eventually, often)
	var lines []string
	for _, e := range h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room+"/audit", operatorToken, "")["entries"].([]any) {
		e := e.(map[string]any)
		whom, _ := e["whom"].(string)
		lines = append(lines, fmt.Sprint(e["who"], " ", e["did"], " ", whom))
	}
	invite := h.server.cfg.Store.Invites()[0].ID
	assert.Equal(t, []string{
		"operator room.create ",
		"operator invite.create " + invite,
		"guest:" + lines[2][len("guest:"):len("guest:")+26] + " invite.redeem " + invite,
		"member:" + hostess + " stage.join " + hostess,
		"member:" + hostess + " member.promote " + member,
		"member:" + hostess + " member.mute " + member,
		"operator member.unmute " + member,
		"member:" + hostess + " member.demote " + member,
		"member:" + hostess + " member.remove " + member,
		"member:" + hostess + " stage.leave " + hostess,
		"member:" + hostess + " room.end ",
	}, lines)
}

func TestWebSocketRefusesOtherOrigins(t *testing.T) {
	h := open(t, nil)
	for origin, status := range map[string]int{
		"":                              http.StatusSwitchingProtocols, // no browser
		h.http.URL:                      http.StatusSwitchingProtocols,
		"http://evil.example":           http.StatusForbidden,
		"null":                          http.StatusForbidden,
		h.http.URL + ".evil.example":    http.StatusForbidden,
		"http://127.0.0.1":              http.StatusForbidden,
		"http://evil.example@127.0.0.1": http.StatusForbidden,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		assert.Equal(t, status, h.upgrade(header).StatusCode, "origin %q", origin)
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := closed(t, nil)
	for _, path := range []string{"/", "/healthz", "/api/rooms", "/api/invites/x", "/rooms/x/whep", "/nowhere", "/api//rooms"} {
		response, _ := h.call(http.MethodGet, path, "", "")
		for header, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			"Cache-Control":           "no-store",
		} {
			assert.Equal(t, want, response.Header.Get(header), "%s of %s", header, path)
		}
	}
}

func TestReadyzWithAFailedStore(t *testing.T) {
	kept, err := store.Open(context.Background(), store.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	h := closed(t, func(cfg *Config) { cfg.Store = kept })
	h.must(http.StatusOK, http.MethodGet, "/readyz", "", "")
	require.NoError(t, kept.Close())
	h.must(http.StatusServiceUnavailable, http.MethodGet, "/readyz", "", "")
	h.must(http.StatusOK, http.MethodGet, "/healthz", "", "")
}

// Nobody asked for it, so the trail alone can say why the room is gone.
func TestAuditLogHasRoomsThatTheServerEnds(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.Grace, cfg.ResumeWindow = 30*time.Millisecond, 10*time.Millisecond })
	room, host := h.room(`{"name":"x"}`)
	bo := h.guest(room, "listener", "Bo")
	ada, b := h.as(host), h.as(bo.token)
	ada.join(room, "", "Ada")
	b.join(room, "", "Bo")
	ada.hangUp()
	reason, _ := b.goodbye()
	assert.Equal(t, wire.GoodbyeEnded, reason)
	var last map[string]any
	require.Eventually(t, func() bool {
		entries := h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room+"/audit", operatorToken, "")["entries"].([]any)
		last = entries[len(entries)-1].(map[string]any)
		return last["did"] == "room.end"
	}, eventually, often)
	assert.Equal(t, "server", last["who"])
	assert.Equal(t, "nobody was left who can be host", last["detail"])
}
