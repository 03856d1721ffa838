package signaling

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func tight(t *testing.T, limits auth.Limits) *testServer {
	return closed(t, func(cfg *Config) { cfg.Limits = limits })
}

func TestRateLimitOfInviteGuesses(t *testing.T) {
	h := tight(t, auth.Limits{SignInByAddress: auth.Limit{Rate: 0.001, Burst: 5}})
	for n := range 8 {
		response, answer := h.call(http.MethodPost, "/api/invites/"+auth.NewID()+"/redeem", "", `{"name":"Bo"}`)
		if n < 5 {
			assert.Equal(t, wire.CodeInviteUnavailable, code(answer))
			continue
		}
		assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
		assert.Equal(t, wire.CodeRateLimited, code(answer))
		assert.NotEmpty(t, response.Header.Get("Retry-After"))
	}
	// All ways to sign in count as one kind.
	for path, body := range map[string]string{"/api/login": `{"key":"x-y"}`, "/api/refresh": `{"refresh_token":"x"}`} {
		_, answer := h.call(http.MethodPost, path, "", body)
		assert.Equal(t, wire.CodeRateLimited, code(answer), path)
	}
	_, answer := h.call(http.MethodGet, "/api/invites/"+auth.NewID(), "", "")
	assert.Equal(t, wire.CodeRateLimited, code(answer))
}

func TestRateLimitOfLoginsByAccount(t *testing.T) {
	h := tight(t, auth.Limits{SignInByAccount: auth.Limit{Rate: 0.001, Burst: 2}})
	ada, bo := h.member("Ada"), h.member("Bo")
	login := func(key string) wire.Code {
		_, answer := h.call(http.MethodPost, "/api/login", "", `{"key":"`+key+`"}`)
		return code(answer)
	}
	for range 5 {
		assert.Equal(t, wire.CodeUnauthorized, login(ada.account+"-guess"), "who guesses keeps nobody out")
	}
	for n := range 4 {
		assert.Equal(t, []wire.Code{"", "", wire.CodeRateLimited, wire.CodeRateLimited}[n], login(ada.key))
	}
	assert.Empty(t, login(bo.key), "another account is counted apart")
}

func TestRateLimitOfCreation(t *testing.T) {
	h := tight(t, auth.Limits{CreateByAccount: auth.Limit{Rate: 0.001, Burst: 2}})
	ada, bo := h.member("Ada"), h.member("Bo")
	for n := range 3 {
		_, answer := h.call(http.MethodPost, "/api/rooms", ada.token, `{"name":"x"}`)
		assert.Equal(t, []wire.Code{"", "", wire.CodeRateLimited}[n], code(answer))
	}
	_, answer := h.call(http.MethodPost, "/api/invites", ada.token, `{}`)
	assert.Equal(t, wire.CodeRateLimited, code(answer), "rooms and invites are one kind")
	_, answer = h.call(http.MethodPost, "/api/invites", bo.token, `{}`)
	assert.Empty(t, code(answer))
	for range 10 {
		_, answer := h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"x"}`)
		assert.Empty(t, code(answer))
	}
}

func TestRateLimitOfRequests(t *testing.T) {
	h := tight(t, auth.Limits{RequestByAddress: auth.Limit{Rate: 0.001, Burst: 3}})
	for n := range 5 {
		_, answer := h.call(http.MethodGet, "/api/rooms/"+auth.NewID(), operatorToken, "")
		assert.Equal(t, []wire.Code{wire.CodeNotFound, wire.CodeNotFound, wire.CodeNotFound, wire.CodeRateLimited, wire.CodeRateLimited}[n], code(answer))
	}
}

func TestRateLimitOfWebSockets(t *testing.T) {
	h := tight(t, auth.Limits{ConnectByAddress: auth.Limit{Rate: 0.001, Burst: 2}})
	h.dial()
	h.dial()
	response := h.upgrade(http.Header{})
	assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
}

func TestRateLimitOfMessages(t *testing.T) {
	h := tight(t, auth.Limits{MessageBySession: auth.Limit{Rate: 0.001, Burst: 3}})
	c := h.dial()
	c.send(wire.Hello{Version: wire.Version, Token: operatorToken})
	await[wire.Welcome](c)
	c.expectError(wire.Join{Room: "no-such"}, wire.CodeNotFound)
	c.expectError(wire.Join{Room: "no-such"}, wire.CodeNotFound)
	limited := c.errorOf(wire.Join{ID: "7", Room: "no-such"}, wire.CodeRateLimited)
	assert.Equal(t, "7", limited.id)
	for range h.server.cfg.MaxMalformed - 1 { // the first was refused already
		c.send(wire.RaiseHand{})
	}
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeProtocol, reason)
	other := h.dial()
	other.send(wire.Hello{Version: wire.Version, Token: operatorToken})
	await[wire.Welcome](other)
}

func TestRateLimitOfOffers(t *testing.T) {
	h := tight(t, auth.Limits{OfferByAddress: auth.Limit{Rate: 0.001, Burst: 2}})
	_, answer := h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"x"}`)
	room, token := answer["room"].(string), answer["host_token"].(string)
	c := h.dial()
	c.send(wire.Hello{Version: wire.Version, Token: token})
	await[wire.Welcome](c)
	c.join(room, "", "Ada")
	c.send(wire.Offer{Media: wire.MediaEar, SDP: newPeer(t, wire.MediaEar, 1).offer()})
	await[wire.Answer](c)
	offer := newPeer(t, wire.MediaEar, 1).offer()
	status, _, body := h.post("/rooms/"+room+"/whep", token, offer)
	require.Equal(t, http.StatusCreated, status, body)
	status, _, body = h.post("/rooms/"+room+"/whep", token, offer)
	assert.Equal(t, http.StatusTooManyRequests, status, body)
	c.expectError(wire.Offer{Media: wire.MediaMic, SDP: offer}, wire.CodeRateLimited)
}
