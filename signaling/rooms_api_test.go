package signaling

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/api"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

func TestCreateRoomOnAnOpenServer(t *testing.T) {
	h := open(t, nil)
	response, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name":"lobby","capacity":7,"slots":2,"audience_hold_ms":40}`)
	require.Equal(t, http.StatusCreated, response.StatusCode, answer)
	assert.Equal(t, "/api/rooms/lobby", response.Header.Get("Location"))
	assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	for key, want := range map[string]any{"room": "lobby", "name": "lobby", "visibility": "open", "capacity": 7.0, "slots": 2.0, "audience_hold_ms": 40.0, "audience": 0.0, "stage": []any{}} {
		assert.Equal(t, want, answer[key], key)
	}
	assert.NotEmpty(t, answer["host_token"])

	_, joined := h.enter("lobby", "", "")
	assert.Equal(t, 2, joined.Slots)
	_, answer = h.call(http.MethodGet, "/api/rooms/lobby", "", "")
	assert.Equal(t, 1.0, answer["audience"])
	assert.NotContains(t, answer, "host_token")

	response, answer = h.call(http.MethodPost, "/api/rooms", "", `{"name":"lobby"}`)
	assert.Equal(t, http.StatusConflict, response.StatusCode)
	assert.Equal(t, wire.CodeConflict, code(answer))
}

// TestCreateRoomKeepsTitle creates rooms on an open server whose titles can't be ids.
func TestCreateRoomKeepsTitle(t *testing.T) {
	h := open(t, nil)
	ids := map[string]bool{}
	for _, title := range []string{"Über-Ärger in Straße", "مرحبا", "日本語", "🎈", "C++", "C#", "a/b"} {
		response, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name":"`+title+`"}`)
		require.Equal(t, http.StatusCreated, response.StatusCode, "%s: %v", title, answer)
		assert.Equal(t, title, answer["name"])
		id := answer["room"].(string)
		assert.True(t, wire.ValidRoom(id), id)
		ids[id] = true
		_, answer = h.call(http.MethodGet, "/api/rooms/"+id, "", "")
		assert.Equal(t, title, answer["name"])
	}
	assert.Len(t, ids, 7, "each has an id of its own")

	response, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name":"C++","room":"c"}`)
	require.Equal(t, http.StatusCreated, response.StatusCode, answer)
	assert.Equal(t, "/api/rooms/c", response.Header.Get("Location"))
	response, answer = h.call(http.MethodPost, "/api/rooms", "", `{"name":"C#","room":"c"}`)
	assert.Equal(t, http.StatusConflict, response.StatusCode, answer)
}

// TestBodiesAsToolsWriteThem sends bodies as editors and shells leave them.
func TestBodiesAsToolsWriteThem(t *testing.T) {
	h := open(t, nil)
	for name, body := range map[string]string{
		"a": `{"name":"a"}`, "b": "{\"name\":\"b\"}\n", "c": "\ufeff{\"name\":\"c\"}\r\n", "d": "\n {\"name\":\"d\"}",
	} {
		response, answer := h.call(http.MethodPost, "/api/rooms", "", body)
		assert.Equal(t, http.StatusCreated, response.StatusCode, "%s: %v", name, answer)
	}
}

func TestCreateRoomRefusesBadRequests(t *testing.T) {
	h := open(t, nil)
	for name, row := range map[string]struct {
		body string
		code wire.Code
		text string
	}{
		"no JSON is refused with its place":     {`{"name":`, wire.CodeBadRequest, "JSON"},
		"an array is refused":                   {`[]`, wire.CodeBadRequest, "object"},
		"null is refused":                       {`null`, wire.CodeBadRequest, `"name" is missing`},
		"two objects are refused":               {`{"name":"a"}{}`, wire.CodeBadRequest, "more than one"},
		"an unknown field is refused by name":   {`{"name":"a","colour":"red"}`, wire.CodeBadRequest, `"colour"`},
		"a field of another type is refused":    {`{"name":7}`, wire.CodeBadRequest, `"name" must not be a JSON number`},
		"a missing name is refused":             {`{}`, wire.CodeBadRequest, `"name" is missing`},
		"an id with a slash is refused":         {`{"name":"a","room":"a/b"}`, wire.CodeBadRequest, `"room"`},
		"an unknown visibility is refused":      {`{"name":"a","visibility":"dim"}`, wire.CodeBadRequest, `"visibility"`},
		"no seats are refused":                  {`{"name":"a","capacity":0}`, wire.CodeBadRequest, `"capacity"`},
		"too many seats are refused":            {`{"name":"a","capacity":100001}`, wire.CodeBadRequest, `"capacity"`},
		"half a seat is refused":                {`{"name":"a","capacity":1.5}`, wire.CodeBadRequest, `"capacity"`},
		"too many slots are refused":            {`{"name":"a","slots":9}`, wire.CodeBadRequest, `"slots"`},
		"a hold that is too long is refused":    {`{"name":"a","audience_hold_ms":201}`, wire.CodeBadRequest, `"audience_hold_ms"`},
		"a negative hold is refused":            {`{"name":"a","audience_hold_ms":-1}`, wire.CodeBadRequest, `"audience_hold_ms"`},
		"a body that is too long is refused":    {`{"name":"` + strings.Repeat("a", api.MaxBody) + `"}`, wire.CodeTooLarge, "longer"},
		"a name of control characters is wrong": {`{"name":"\u0007"}`, wire.CodeBadRequest, `"name"`},
	} {
		t.Run(name, func(t *testing.T) {
			response, answer := h.call(http.MethodPost, "/api/rooms", "", row.body)
			assert.Equal(t, row.code, code(answer))
			assert.Equal(t, row.code.Status(), response.StatusCode)
			assert.Contains(t, answer["error"].(map[string]any)["message"], row.text)
		})
	}
	request, err := http.NewRequest(http.MethodPost, h.http.URL+"/api/rooms", strings.NewReader(`{"name":"a"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "text/plain")
	response, answer := h.do(request)
	assert.Equal(t, http.StatusUnsupportedMediaType, response.StatusCode)
	assert.Equal(t, wire.CodeUnsupportedMediaType, code(answer))
}

func TestEndRoomByAPI(t *testing.T) {
	h := open(t, nil)
	c, _ := h.enter("a", "", "")
	response, _ := h.call(http.MethodDelete, "/api/rooms/a", "", "")
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeEnded, reason)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		response, answer := h.call(method, "/api/rooms/a", "", "")
		assert.Equal(t, http.StatusNotFound, response.StatusCode)
		assert.Equal(t, wire.CodeNotFound, code(answer))
	}
}

func TestEmptyRoomOfAnOpenServerCloses(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.EmptyAfter = 20 * time.Millisecond })
	stays, _ := h.enter("b", "", "")
	c, _ := h.enter("a", "", "")
	c.expectOK(wire.Leave{})
	require.Eventually(t, func() bool { _, err := h.server.rooms.Find("a"); return err != nil }, eventually, often)
	_, err := h.server.rooms.Find("b")
	assert.NoError(t, err, "one with somebody in it stays")
	stays.expectOK(wire.RaiseHand{})
}

func TestMaxRooms(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.MaxRooms = 1 })
	h.enter("a", "", "")
	h.greet().expectError(wire.Join{Room: "b"}, wire.CodeUnavailable)
}

// TestRoomsOfAMemberAreLimited makes more rooms than a member may have: the others make
// theirs, and when one has ended there may be another.
func TestRoomsOfAMemberAreLimited(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.MaxRoomsByAccount, cfg.MaxRooms = 2, 5 })
	ada, bo := h.member("Ada"), h.member("Bo")
	create := func(token string, status int, want wire.Code) (id string) {
		response, answer := h.call(http.MethodPost, "/api/rooms", token, `{"name":"x"}`)
		assert.Equal(t, status, response.StatusCode)
		assert.Equal(t, want, code(answer))
		id, _ = answer["room"].(string)
		return id
	}
	create(ada.token, http.StatusCreated, "")
	second := create(ada.token, http.StatusCreated, "")
	for range 3 {
		create(ada.token, http.StatusConflict, wire.CodeAccountLimit)
	}
	create(bo.token, http.StatusCreated, "")
	for range 2 {
		create(operatorToken, http.StatusCreated, "") // has no ceiling but the server's
	}
	create(operatorToken, http.StatusServiceUnavailable, wire.CodeUnavailable)
	create(ada.token, http.StatusConflict, wire.CodeAccountLimit)
	h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+second, ada.token, "")
	create(ada.token, http.StatusCreated, "")
}

// TestInvitesToARoomAreLimited makes one invite more than may be good at once.
func TestInvitesToARoomAreLimited(t *testing.T) {
	kept := store.Memory()
	defer func() { assert.NoError(t, kept.Close()) }()
	h := closed(t, func(cfg *Config) { cfg.Store = kept })
	ada := h.member("Ada")
	id := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", ada.token, `{"name":"x"}`)["room"].(string)
	last := ""
	for range wire.MaxLiveInvites {
		made, _, err := kept.CreateInvite(t.Context(), store.Invite{Room: id, Role: room.Listener, Uses: 1, Expires: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		last = made.ID
	}
	_, answer := h.call(http.MethodPost, "/api/rooms/"+id+"/invites", ada.token, `{"role":"listener"}`)
	assert.Equal(t, wire.CodeAccountLimit, code(answer))
	_, more := h.invite(id, `{"role":"listener"}`) // the operator's
	for _, invite := range []string{last, more} {
		h.must(http.StatusNoContent, http.MethodDelete, "/api/invites/"+invite, ada.token, "")
	}
	h.must(http.StatusCreated, http.MethodPost, "/api/rooms/"+id+"/invites", ada.token, `{"role":"listener"}`)
}

func TestPathsAndMethods(t *testing.T) {
	h := open(t, nil)
	for path, row := range map[string]struct {
		method string
		status int
		code   wire.Code
		allow  string
	}{
		"/":                   {http.MethodGet, 200, "", ""},
		"/healthz":            {http.MethodGet, 200, "", ""},
		"/readyz":             {http.MethodHead, 200, "", ""},
		"/metrics":            {http.MethodGet, 200, "", ""},
		"/api/rooms":          {http.MethodPut, 405, wire.CodeMethodNotAllowed, "GET, HEAD, POST"},
		"/api/rooms/a":        {http.MethodPost, 405, wire.CodeMethodNotAllowed, "DELETE, GET, HEAD"},
		"/ws":                 {http.MethodGet, 400, wire.CodeBadRequest, ""},
		"/nowhere":            {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api":                {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/rooms/":         {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/rooms/a/b":      {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/rooms/a":            {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api//rooms":         {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/../metrics":     {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/rooms/%2e%2e":   {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/rooms/no-such":  {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/api/rooms/a%2Fb":    {http.MethodGet, 404, wire.CodeNotFound, ""},
		"/rooms/a/whep/ghost": {http.MethodDelete, 404, wire.CodeNotFound, ""},
	} {
		request, err := http.NewRequest(row.method, h.http.URL, nil)
		require.NoError(t, err)
		request.URL.Opaque = path
		response, answer := h.do(request)
		assert.Equal(t, row.status, response.StatusCode, path)
		assert.Equal(t, row.code, code(answer), path)
		assert.Equal(t, row.allow, response.Header.Get("Allow"), path)
	}
}

func TestClosedServerNeedsAToken(t *testing.T) {
	h := closed(t, nil)
	response, answer := h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"The Lobby"}`)
	require.Equal(t, http.StatusCreated, response.StatusCode, answer)
	id, token := answer["room"].(string), answer["host_token"].(string)
	assert.Len(t, id, 26)
	assert.Equal(t, "The Lobby", answer["name"])
	_, answer = h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"The Lobby","visibility":"closed"}`)
	other := answer["room"].(string)

	for _, row := range []struct {
		method, path, token string
		status              int
		code                wire.Code
	}{
		{http.MethodGet, "/api/rooms", "", 401, wire.CodeUnauthorized},
		{http.MethodGet, "/api/rooms/" + id, "", 401, wire.CodeUnauthorized},
		{http.MethodGet, "/api/rooms/no-such", "", 401, wire.CodeUnauthorized},
		{http.MethodDelete, "/api/rooms/" + id, "", 401, wire.CodeUnauthorized},
		{http.MethodPost, "/api/rooms", "", 401, wire.CodeUnauthorized},
		{http.MethodGet, "/api/rooms", "nonsense", 401, wire.CodeUnauthorized},
		{http.MethodPost, "/api/rooms", token, 403, wire.CodeForbidden},
		// An existing room and one that does not exist look the same.
		{http.MethodGet, "/api/rooms/" + other, token, 404, wire.CodeNotFound},
		{http.MethodGet, "/api/rooms/no-such", token, 404, wire.CodeNotFound},
		{http.MethodDelete, "/api/rooms/" + other, token, 404, wire.CodeNotFound},
		{http.MethodDelete, "/api/rooms/no-such", token, 404, wire.CodeNotFound},
		{http.MethodGet, "/api/rooms/" + id, token, 200, ""},
		{http.MethodGet, "/api/rooms/" + other, operatorToken, 200, ""},
		{http.MethodGet, "/healthz", "", 200, ""},
		{http.MethodGet, "/readyz", "", 200, ""},
		{http.MethodGet, "/metrics", "", 200, ""},
	} {
		response, answer := h.call(row.method, row.path, row.token, map[bool]string{true: `{"name":"x"}`}[row.method == http.MethodPost])
		assert.Equal(t, row.status, response.StatusCode, "%s %s", row.method, row.path)
		assert.Equal(t, row.code, code(answer), "%s %s", row.method, row.path)
		if row.status == 401 {
			assert.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
		}
	}
	_, answer = h.call(http.MethodGet, "/api/rooms", token, "")
	assert.Len(t, answer["rooms"], 1, "a token lists its own room")
	_, answer = h.call(http.MethodGet, "/api/rooms", operatorToken, "")
	assert.Len(t, answer["rooms"], 2)

	// The same over the WebSocket.
	c := h.dial()
	c.expectError(wire.Hello{Version: wire.Version}, wire.CodeUnauthorized)
	c.expectError(wire.Hello{Version: wire.Version, Token: "nonsense"}, wire.CodeUnauthorized)
	c.send(wire.Hello{Version: wire.Version, Token: token})
	await[wire.Welcome](c)
	missing := c.errorOf(wire.Join{Room: "no-such"}, wire.CodeNotFound)
	hidden := c.errorOf(wire.Join{Room: other}, wire.CodeNotFound)
	assert.Equal(t, missing, hidden)
	joined := c.join(id, "", "Ada")
	assert.Equal(t, wire.RoleHost, joined.Role)

	response, _ = h.call(http.MethodDelete, "/api/rooms/"+id, token, "")
	assert.Equal(t, http.StatusNoContent, response.StatusCode, "a host's token ends the room")
	c.goodbye()
	response, _ = h.call(http.MethodGet, "/api/rooms/"+id, token, "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "an ended room looks as if it had never been")
}

func TestClosedRoomOfAnOpenServer(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.OperatorToken = operatorToken })
	_, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name":"den","visibility":"closed"}`)
	token := answer["host_token"].(string)
	for _, row := range []struct {
		token  string
		rooms  int
		status int
	}{{"", 0, 404}, {token, 1, 200}, {operatorToken, 1, 200}} {
		_, list := h.call(http.MethodGet, "/api/rooms", row.token, "")
		assert.Len(t, list["rooms"], row.rooms)
		response, _ := h.call(http.MethodGet, "/api/rooms/den", row.token, "")
		assert.Equal(t, row.status, response.StatusCode)
	}
}
