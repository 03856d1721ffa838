package signaling

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/signaling/wire"
)

var rank = map[wire.Role]int{"": 0, wire.RoleListener: 1, wire.RoleSpeaker: 2, wire.RoleHost: 3}

// someone is a person of the rights model: what they came with, and what has happened
// to them since.
type someone struct {
	name    string
	who     credentials
	by      string // the code by which they came; empty: none
	given   wire.Role
	owner   bool
	now     wire.Role // the role that the room gave them; empty: none
	lowered bool      // by somebody else
	muted   bool      // by somebody else
	barred  bool
	member  string  // their latest id in the room
	here    *client // nil: they are not in
	role    wire.Role
	offers  []string // codes of invites that they made
}

// may returns the highest role that the room lets somebody have.
func (p *someone) may() wire.Role {
	switch {
	case p.barred:
		return ""
	case p.now == "" || p.owner && !p.lowered && (p.here == nil || rank[p.role] > rank[p.now]):
		return p.given
	}
	return p.now
}

func (p *someone) gets(role wire.Role, byOther bool) {
	switch {
	case role == wire.RoleHost:
		p.lowered = false
	case rank[role] < rank[p.role] && byOther:
		p.lowered = true
	}
	p.now, p.role = role, role
}

// rightsModel is a room with its people, and what they should be able to do.
type rightsModel struct {
	*rapid.T
	h      *testServer
	room   string
	people []*someone // the first is a host who is never acted on
	mic    string
	ear    string
}

// ask makes a request on a WebSocket and returns the error's code; empty: it was done.
func (m *rightsModel) ask(c *client, request wire.ClientMessage) wire.Code {
	c.send(request)
	for {
		switch answer := c.next().(type) {
		case wire.OK, wire.Joined, wire.Audience:
			return ""
		case wire.Error:
			return answer.Code
		case nil:
			require.FailNow(m, "the connection has ended")
		}
	}
}

// enter joins over a WebSocket, and expects what the model does.
func (m *rightsModel) enter(p *someone) {
	if p.here != nil {
		return
	}
	c := m.h.as(p.who.token)
	if p.may() == "" {
		require.Equal(m, wire.CodeBarred, m.ask(c, wire.Join{Room: m.room}), "%s comes back over the WebSocket", p.name)
		c.hangUp()
		return
	}
	for role := range rank {
		if rank[role] > rank[p.may()] {
			require.Equal(m, wire.CodeForbidden, m.ask(c, wire.Join{Room: m.room, Role: role}), "%s joins as %s", p.name, role)
		}
	}
	joined := c.join(m.room, "", p.name)
	require.Equal(m, p.may(), joined.Role, "the role in which %s joins", p.name)
	p.here, p.member, p.role = c, joined.Member, joined.Role
	for _, s := range joined.Stage {
		if s.Member == p.member {
			require.Equal(m, p.muted, s.Muted, "whether %s is muted", p.name)
		}
	}
}

func (m *rightsModel) leave(p *someone) {
	if p.here != nil {
		require.Empty(m, m.ask(p.here, wire.Leave{}))
		p.here.drain()
		p.here = nil
	}
}

// call makes a request to the API with somebody's token, and returns the error's code.
func (m *rightsModel) call(p *someone, method, path, body string) wire.Code {
	response, answer := m.h.call(method, "/api/rooms/"+m.room+path, p.who.token, body)
	if response.StatusCode < 300 {
		return ""
	}
	return code(answer)
}

// put puts somebody out.
func (m *rightsModel) putOut(p *someone) {
	p.barred = true
	if p.here != nil {
		p.here.drain()
		p.here = nil
	}
}

// act lets somebody do something to somebody else, and expects it to work exactly if
// the model says so.
func (m *rightsModel) act(by, to *someone, what string, overHTTP bool) {
	m.enter(by)
	m.enter(to)
	if to.here == nil && what != "unban" || by.here == nil && !overHTTP {
		return
	}
	asHost := by.role == wire.RoleHost && by.here != nil
	if overHTTP {
		asHost = by.may() == wire.RoleHost
	}
	refused := wire.CodeForbidden
	if by.barred {
		refused = wire.CodeBarred
	}
	over := map[string]struct {
		message            wire.ClientMessage
		method, path, body string
		possible           bool
		apply              func()
	}{
		"promote": {wire.Promote{Member: to.member}, "", "", "", to.role == wire.RoleListener, func() { to.gets(wire.RoleSpeaker, true); to.muted = false }},
		"make host": {wire.Promote{Member: to.member, Role: wire.RoleHost}, "", "", "", rank[to.role] < 3, func() {
			to.muted = to.muted && to.role == wire.RoleSpeaker
			to.gets(wire.RoleHost, true)
		}},
		"demote": {wire.Demote{Member: to.member}, "", "", "", rank[to.role] > 1, func() { to.gets(wire.RoleListener, true); to.muted = false }},
		"mute":   {wire.Mute{Member: to.member, Muted: true}, http.MethodPost, "/members/" + to.member + "/mute", `{"muted":true}`, rank[to.role] > 1, func() { to.muted = true }},
		"unmute": {wire.Mute{Member: to.member}, http.MethodPost, "/members/" + to.member + "/mute", `{"muted":false}`, rank[to.role] > 1, func() { to.muted = false }},
		"remove": {wire.Remove{Member: to.member}, http.MethodDelete, "/members/" + to.member, "", true, func() { m.putOut(to) }},
		"ban":    {wire.Ban{Member: to.member}, http.MethodDelete, "/members/" + to.member + "?ban=true", "", true, func() { m.putOut(to) }},
		"unban":  {wire.Unban{Member: to.member}, "", "", "", to.barred, func() { to.barred = false }},
	}[what]
	if !over.possible || overHTTP && over.method == "" {
		return
	}
	var got wire.Code
	if overHTTP {
		got = m.call(by, over.method, over.path, over.body)
	} else {
		got = m.ask(by.here, over.message)
	}
	if !asHost {
		require.Equal(m, refused, got, "%s, who is %q, does this to %s: %s (HTTP: %t)", by.name, by.may(), to.name, what, overHTTP)
		return
	}
	require.Empty(m, got, "%s, who is %q, does this to %s: %s (HTTP: %t)", by.name, by.may(), to.name, what, overHTTP)
	over.apply()
}

// alone lets somebody do something on their own.
func (m *rightsModel) alone(p *someone, what string) {
	m.enter(p)
	switch {
	case what == "leave":
		m.leave(p)
	case p.here == nil:
	case what == "step down" && p.role != wire.RoleListener:
		require.Empty(m, m.ask(p.here, wire.Demote{}))
		p.gets(wire.RoleListener, false)
	case what == "pass host" && p.role == wire.RoleHost:
		for _, to := range m.people[1:] {
			if to != p && to.here != nil && to.role != wire.RoleHost {
				require.Empty(m, m.ask(p.here, wire.PassHost{Member: to.member}))
				to.muted = to.muted && to.role == wire.RoleSpeaker
				to.gets(wire.RoleHost, true)
				p.gets(wire.RoleSpeaker, false)
				return
			}
		}
	case what == "invite" && p.may() == wire.RoleHost && len(p.offers) == 0:
		path := "/api/rooms/" + m.room + "/invites"
		p.offers = append(p.offers, m.h.codeOf(m.h.must(http.StatusCreated, http.MethodPost, path, p.who.token, `{"role":"host","uses":9}`)))
	}
}

// agree checks that all ways in say the same about somebody.
func (m *rightsModel) agree(p *someone) {
	manages, sees := p.may() == wire.RoleHost, p.may() != ""
	refused := wire.CodeForbidden
	if !sees {
		refused = wire.CodeBarred
	}
	expect := func(may bool, done, got wire.Code, what string) {
		want := refused
		if may {
			want = done
		}
		require.Equal(m, want, got, "%s, who is %q: %s", p.name, p.may(), what)
	}
	got := m.call(p, http.MethodGet, "", "")
	expect(sees, "", got, "look at the room")
	for _, path := range []string{"/members", "/invites", "/audit"} {
		got = m.call(p, http.MethodGet, path, "")
		expect(manages, "", got, "GET "+path)
	}
	got = m.call(p, http.MethodPost, "/members/nobody/mute", `{"muted":true}`)
	expect(manages, wire.CodeNotFound, got, "mute over HTTP")
	got = m.call(p, http.MethodDelete, "/members/nobody", "")
	expect(manages, wire.CodeNotFound, got, "remove over HTTP")
	if p.here != nil && p.role == p.may() {
		expect(manages, wire.CodeNotFound, m.ask(p.here, wire.Mute{Member: "nobody", Muted: true}), "mute over the WebSocket")
		expect(true, "", m.ask(p.here, wire.ListAudience{}), "see who is in the audience")
		expect(manages, "", m.ask(p.here, wire.ListAudience{Search: "x"}), "search the audience")
	}
	status := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[sees || p.owner]
	m.h.must(status, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+p.who.refresh+`"}`)
	for _, code := range p.offers {
		m.redeemable(code, !p.barred && !p.lowered, p.name+" has made it")
	}
	m.leave(p)
	for _, way := range []struct {
		path, offer string
		least       wire.Role
	}{{"/whep", m.ear, wire.RoleListener}, {"/whip", m.mic, wire.RoleSpeaker}} {
		status, location, body := m.h.post("/rooms/"+m.room+way.path, p.who.token, way.offer)
		want := http.StatusForbidden
		if rank[p.may()] >= rank[way.least] {
			want = http.StatusCreated
		}
		require.Equal(m, want, status, "%s, who is %q, comes by %s: %s", p.name, p.may(), way.path, body)
		if status == http.StatusCreated {
			require.Equal(m, http.StatusOK, m.h.callMedia(http.MethodDelete, location, p.who.token))
		}
	}
	m.enter(p)
	m.leave(p)
}

func (m *rightsModel) redeemable(code string, may bool, why string) {
	status := map[bool]int{true: http.StatusOK, false: http.StatusGone}[may]
	response, _ := m.h.call(http.MethodGet, "/api/invites/"+code, "", "")
	require.Equal(m, status, response.StatusCode, "look at an invite: %s", why)
	response, _ = m.h.call(http.MethodPost, "/api/invites/"+code+"/redeem", "", `{"name":"again"}`)
	require.Equal(m, status, response.StatusCode, "redeem an invite: %s", why)
}

// callMedia makes a request for a media session and returns its status.
func (h *testServer) callMedia(method, location, token string) int {
	h.t.Helper()
	response, _ := h.call(method, location, token, "")
	return response.StatusCode
}

// TestAllWaysInAgreeOnRights lets people do things to each other in a random order,
// over the WebSocket and over HTTP, and checks that for everybody the WebSocket, HTTP,
// WHIP, WHEP, refreshes and invites allow exactly what a model of the rights allows.
func TestAllWaysInAgreeOnRights(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.MaxRooms, cfg.MaxRoomsByAccount = 1000, 1000 })
	mic, ear := newPeer(t, wire.MediaMic, 1).offer(), newPeer(t, wire.MediaEar, 1).offer()
	ada := h.member("Ada")
	rapid.Check(t, func(t *rapid.T) {
		m := &rightsModel{T: t, h: h, mic: mic, ear: ear}
		first := &someone{name: "the owner", given: wire.RoleHost, owner: true, who: ada}
		if rapid.Bool().Draw(t, "a member makes the room") {
			m.room = h.must(http.StatusCreated, http.MethodPost, "/api/rooms", ada.token, `{"name":"x"}`)["room"].(string)
		} else {
			answer := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", operatorToken, `{"name":"x"}`)
			m.room = answer["room"].(string)
			first = &someone{name: "who has the host token", given: wire.RoleHost, who: credentials{
				token: answer["host_token"].(string), refresh: answer["refresh_token"].(string)}}
		}
		codes := map[wire.Role]string{}
		guest := func(name string, role wire.Role) *someone {
			if codes[role] == "" {
				codes[role], _ = h.invite(m.room, `{"role":"`+string(role)+`","uses":9}`)
			}
			return &someone{name: name, given: role, by: codes[role], who: h.redeem(codes[role], "", name)}
		}
		m.people = []*someone{
			{name: "the anchor", given: wire.RoleHost, who: h.guest(m.room, "host", "the anchor")}, first,
			guest("a host", wire.RoleHost), guest("a speaker", wire.RoleSpeaker), guest("a listener", wire.RoleListener),
		}
		m.enter(m.people[0])
		m.alone(first, "invite")
		m.alone(m.people[2], "invite")
		people := rapid.SampledFrom(m.people)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			by, to := people.Draw(t, "by"), rapid.SampledFrom(m.people[1:]).Draw(t, "to")
			if rapid.Bool().Draw(t, "alone") {
				m.alone(to, rapid.SampledFrom([]string{"leave", "step down", "pass host", "invite"}).Draw(t, "what"))
			} else if by != to {
				what := rapid.SampledFrom([]string{"promote", "make host", "demote", "mute", "unmute", "remove", "ban", "ban", "unban"}).Draw(t, "what")
				m.act(by, to, what, rapid.Bool().Draw(t, "over HTTP"))
			}
		}
		for role, code := range codes {
			m.redeemable(code, !anyBarred(m.people, code), "a code for a "+string(role))
		}
		for _, p := range m.people[1:] {
			m.agree(p)
		}
		h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+m.room, operatorToken, "")
		m.people[0].here.drain()
	})
}

// anyBarred reports whether somebody was put out who came by a code.
func anyBarred(people []*someone, code string) bool {
	for _, p := range people {
		if p.by == code && p.barred {
			return true
		}
	}
	return false
}

// Whoever a host has muted is told whether they may undo it: when it happens, when the rules or their
// role change, and when they come back.
func TestMutedAreToldWhetherTheyMayUndoIt(t *testing.T) {
	h := closed(t, nil)
	room, hostToken := h.room(`{"name":"x"}`)
	ada := h.as(hostToken)
	host := ada.join(room, "", "Ada").Member
	code, _ := h.invite(room, `{"role":"speaker"}`)
	token := h.redeem(code, "", "Bo").token
	bo := h.as(token)
	member := bo.join(room, "", "").Member
	muted := func(may bool) wire.Muted { return wire.Muted{Muted: true, MayUnmute: may, By: host} }
	rule := func(may bool) { ada.expectOK(wire.SetRules{SelfUnmute: &may}) }

	ada.expectOK(wire.Mute{Member: member, Muted: true})
	assert.Equal(t, muted(false), await[wire.Muted](bo))
	bo.expectError(wire.Mute{}, wire.CodeForbidden)
	rule(true)
	assert.Equal(t, muted(true), await[wire.Muted](bo))
	rule(false)
	assert.Equal(t, muted(false), await[wire.Muted](bo))

	bo.expectOK(wire.Leave{})
	bo.drain()
	bo = h.as(token)
	member = bo.join(room, "", "").Member
	assert.Equal(t, muted(false), await[wire.Muted](bo), "the room remembers it")
	ada.expectOK(wire.Promote{Member: member, Role: wire.RoleHost})
	await[wire.RoleChanged](bo)
	assert.Equal(t, muted(true), await[wire.Muted](bo), "a host may")
	bo.expectOK(wire.Mute{})
	assert.Equal(t, wire.Muted{By: member, Muted: false}, await[wire.Muted](bo))
}
