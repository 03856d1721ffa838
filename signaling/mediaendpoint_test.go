package signaling

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// post sends an offer over WHIP or WHEP and returns the answer's status,
// location and body.
func (h *testServer) post(path, token, offer string) (int, string, string) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodPost, h.http.URL+path, strings.NewReader(offer))
	require.NoError(h.t, err)
	request.Header.Set("Content-Type", "application/sdp")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.http.Client().Do(request)
	require.NoError(h.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return response.StatusCode, response.Header.Get("Location"), string(body)
}

// openSession opens an ear over WHEP, or a mic over WHIP, and returns its URL.
func (h *testServer) openSession(path, token string, media wire.Media) (*peer, string) {
	h.t.Helper()
	p := newPeer(h.t, media, 3)
	status, location, body := h.post(path, token, p.offer())
	require.Equal(h.t, http.StatusCreated, status, body)
	p.accept(body)
	return p, location
}

func TestWHIPToWHEP(t *testing.T) {
	h := open(t, nil)
	mic, micAt := h.openSession("/rooms/a/whip?name=Ada", "", wire.MediaMic)
	ear, earAt := h.openSession("/rooms/a/whep", "", wire.MediaEar)
	info := h.liveRoom("a").Info()
	require.Len(t, info.Stage, 1, "a publisher is on stage")
	assert.Equal(t, "Ada", info.Stage[0].Name)
	assert.Equal(t, wire.RoleSpeaker, info.Stage[0].Role)
	assert.Equal(t, 1, info.Audience, "a player has a seat")
	ear.awaitFrame(info.Stage[0].Talker, 0)
	assert.EqualValues(t, 1, h.metric("earshot_joins_total", "ok", "whip"))

	// They are shown to people with a WebSocket.
	_, joined := h.enter("a", wire.RoleHost, "Bo")
	assert.Equal(t, info.Stage[0], joined.Stage[0])

	response, _ := h.call(http.MethodDelete, earAt, "", "")
	assert.Less(t, response.StatusCode, 300)
	ear.awaitEnd()
	assert.Equal(t, 0, h.audience("a"))
	response, answer := h.call(http.MethodDelete, earAt, "", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode, answer)
	response, _ = h.call(http.MethodDelete, strings.Replace(micAt, "/whip/", "/whep/", 1), "", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "a mic is no WHEP session")
	response, _ = h.call(http.MethodDelete, strings.Replace(micAt, "/rooms/a/", "/rooms/b/", 1), "", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "nor one of another room")

	mic.close()
	require.Eventually(t, func() bool { return len(h.liveRoom("a").Info().Stage) == 1 }, eventually, often, "the publisher has left with its session")
	response, _ = h.call(http.MethodDelete, micAt, "", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestWHEPSessionEndFreesTheSeat(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity, cfg.Halls = 1, 1 })
	mic, _ := h.openSession("/rooms/a/whip", "", wire.MediaMic)
	ear, _ := h.openSession("/rooms/a/whep", "", wire.MediaEar)
	ear.awaitFrame(h.liveRoom("a").Info().Stage[0].Talker, 0)
	status, _, body := h.post("/rooms/a/whep", "", newPeer(t, wire.MediaEar, 1).offer())
	assert.Equal(t, wire.CodeRoomFull.Status(), status)
	assert.Contains(t, body, `"room_full"`)
	ear.close()
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
	h.openSession("/rooms/a/whep", "", wire.MediaEar)
	assert.Equal(t, 1, h.audience("a"))
	mic.close()
}

func TestWHEPRefusedOfferTakesNoSeat(t *testing.T) {
	h := open(t, nil)
	// Well-formed as far as package whip looks, but its audio is not Opus.
	offer := strings.ReplaceAll(newPeer(t, wire.MediaEar, 1).offer(), "opus/48000/2", "speex/8000")
	status, _, body := h.post("/rooms/a/whep", "", offer)
	assert.GreaterOrEqual(t, status, 400, body)
	assert.Less(t, status, 500, body)
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
	status, _, body = h.post("/rooms/a/whip?name=%07", "", newPeer(t, wire.MediaMic, 1).offer())
	assert.Equal(t, http.StatusBadRequest, status, body)
}

func TestEndRoomEndsMediaSessions(t *testing.T) {
	h := open(t, nil)
	mic, _ := h.openSession("/rooms/a/whip", "", wire.MediaMic)
	ear, at := h.openSession("/rooms/a/whep", "", wire.MediaEar)
	ear.awaitFrame(h.liveRoom("a").Info().Stage[0].Talker, 0)
	response, _ := h.call(http.MethodDelete, "/api/rooms/a", "", "")
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	mic.awaitEnd()
	ear.awaitEnd()
	response, _ = h.call(http.MethodDelete, at, "", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestWHIPPublisherCanBeModerated(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	mic, _ := h.openSession("/rooms/a/whip?name=Bo", "", wire.MediaMic)
	mic.awaitConnected()
	member := host.stageChange(func(c wire.StageChange) bool { return c.Name == "Bo" }).Member
	host.awaitOK(wire.Mute{Member: member, Muted: true})
	host.awaitOK(wire.Remove{Member: member})
	mic.awaitEnd()
	assert.Len(t, h.liveRoom("a").Info().Stage, 1)
}

func TestWHIPAndWHEPTokens(t *testing.T) {
	h := closed(t, nil)
	_, answer := h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"The Lobby"}`)
	room, token := answer["room"].(string), answer["host_token"].(string)
	_, answer = h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"Another","visibility":"closed"}`)
	other := answer["room"].(string)
	offer := newPeer(t, wire.MediaEar, 1).offer()
	for _, row := range []struct {
		room, token string
		status      int
	}{{room, "", 401}, {"no-such", "", 401}, {room, "nonsense", 401}, {other, token, 404}, {"no-such", token, 404}} {
		status, _, body := h.post("/rooms/"+row.room+"/whep", row.token, offer)
		assert.Equal(t, row.status, status, body)
	}
	ear, at := h.openSession("/rooms/"+room+"/whep", token, wire.MediaEar)
	h.openSession("/rooms/"+room+"/whip", token, wire.MediaMic)
	ear.awaitFrame(h.liveRoom(room).Info().Stage[0].Talker, 0)
	response, _ := h.call(http.MethodDelete, at, "", "")
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "ending a session takes the token, too")
	response, _ = h.call(http.MethodDelete, at, token, "")
	assert.Less(t, response.StatusCode, 300)
}
