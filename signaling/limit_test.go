package signaling

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestAMeterLetsABurstThroughAndThenARate(t *testing.T) {
	now := time.Now()
	m := newMeter(Limit{Rate: 2, Burst: 3})
	for range 3 {
		assert.Zero(t, m.take("a", now))
	}
	for range 5 {
		assert.Equal(t, 500*time.Millisecond, m.take("a", now), "a refusal costs nothing")
	}
	assert.Zero(t, m.take("b", now), "another key is counted apart")
	assert.Zero(t, m.take("a", now.Add(500*time.Millisecond)))
	assert.Positive(t, m.take("a", now.Add(500*time.Millisecond)))
}

func TestAMeterForgetsWhoHasNotBeenSeenAndNothingElse(t *testing.T) {
	now := time.Now()
	m := newMeter(Limit{Rate: 1, Burst: 10}) // full again after 10 s
	for n := range 1000 {
		m.take(fmt.Sprint(n), now)
	}
	for range 9 {
		m.take("busy", now)
	}
	// Busy all along, turn after turn: its count is kept.
	for second := range 35 {
		at := now.Add(time.Duration(second+1) * time.Second)
		assert.Zero(t, m.take("busy", at))
		for m.take("busy", at) == 0 {
		}
	}
	assert.Len(t, m.young, 1)
	assert.LessOrEqual(t, len(m.old), 1)
}

func TestFromWhereARequestIsCounted(t *testing.T) {
	l := newLimits(&Config{Limits: Limits{Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}}.withDefaults(nil)})
	for remote, want := range map[string]origin{
		"192.0.2.1:1":                   "192.0.2.1",
		"192.0.2.1:2":                   "192.0.2.1",
		"[::ffff:192.0.2.1]:3":          "192.0.2.1",
		"[2001:db8::1]:4":               "2001:db8::/64",
		"[2001:db8::2:3:4:5]:6":         "2001:db8::/64",
		"[fe80::1%eth0]:7":              "fe80::/64",
		"10.1.2.3:8":                    "",
		"[::ffff:10.1.2.3]:9":           "",
		"[2001:db8:1:ffff::1]:10":       "",
		"not the address of any socket": "not the address of any socket",
	} {
		assert.Equal(t, want, l.origin(&http.Request{RemoteAddr: remote}), remote)
	}
}

func TestNobodyIsExemptUnlessItIsSaid(t *testing.T) {
	l := newLimits(&Config{Limits: Limits{}.withDefaults(nil)})
	for _, remote := range []string{"127.0.0.1:1", "[::1]:1"} {
		assert.NotEmpty(t, l.origin(&http.Request{RemoteAddr: remote}), remote)
	}
}

func TestALimitThatMakesNoSenseIsRefused(t *testing.T) {
	for _, bad := range []Limit{{Rate: -1, Burst: 1}, {Rate: 1, Burst: -1}, {Rate: 1}, {Burst: 1}, {Rate: math.NaN(), Burst: 1}} {
		_, err := Config{Open: true, Limits: Limits{OfferByAccount: bad}}.withDefaults()
		assert.ErrorContains(t, err, "offers by account")
	}
}

// limited makes a server with tight limits, for which nobody is exempt.
func tight(t *testing.T, limits Limits) *house {
	return closed(t, func(cfg *Config) { cfg.Limits = limits })
}

func TestGuessingAtInvitesIsLimitedByAddress(t *testing.T) {
	h := tight(t, Limits{SignInByAddress: Limit{0.001, 5}})
	for n := range 8 {
		response, answer := h.call(http.MethodPost, "/api/invites/"+newID()+"/redeem", "", `{"name":"Bo"}`)
		if n < 5 {
			assert.Equal(t, wire.CodeInviteUnavailable, code(answer))
			continue
		}
		assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
		assert.Equal(t, wire.CodeRateLimited, code(answer))
		assert.NotEmpty(t, response.Header.Get("Retry-After"))
	}
	// All the ways of signing in are one kind.
	for path, body := range map[string]string{"/api/login": `{"key":"x-y"}`, "/api/refresh": `{"refresh_token":"x"}`} {
		_, answer := h.call(http.MethodPost, path, "", body)
		assert.Equal(t, wire.CodeRateLimited, code(answer), path)
	}
	_, answer := h.call(http.MethodGet, "/api/invites/"+newID(), "", "")
	assert.Equal(t, wire.CodeRateLimited, code(answer))
}

func TestLoginsAreLimitedByAccountWhateverTheAddress(t *testing.T) {
	h := tight(t, Limits{SignInByAccount: Limit{0.001, 2}})
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

func TestMakingRoomsAndInvitesIsLimitedButForTheOperator(t *testing.T) {
	h := tight(t, Limits{CreateByAccount: Limit{0.001, 2}})
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

func TestLookingForRoomsIsLimitedByAddress(t *testing.T) {
	h := tight(t, Limits{RequestByAddress: Limit{0.001, 3}})
	for n := range 5 {
		_, answer := h.call(http.MethodGet, "/api/rooms/"+newID(), operatorToken, "")
		assert.Equal(t, []wire.Code{wire.CodeNotFound, wire.CodeNotFound, wire.CodeNotFound, wire.CodeRateLimited, wire.CodeRateLimited}[n], code(answer))
	}
}

func TestWebSocketsAreLimitedByAddress(t *testing.T) {
	h := tight(t, Limits{ConnectByAddress: Limit{0.001, 2}})
	h.dial()
	h.dial()
	response := h.upgrade(http.Header{})
	assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
}

func TestMessagesAreLimitedAndWhoGoesOnIsCutOff(t *testing.T) {
	h := tight(t, Limits{MessageBySession: Limit{0.001, 3}})
	c := h.dial()
	c.send(wire.Hello{Version: wire.Version, Token: operatorToken})
	await[wire.Welcome](c)
	c.refused(wire.Join{Room: "no-such"}, wire.CodeNotFound)
	c.refused(wire.Join{Room: "no-such"}, wire.CodeNotFound)
	refusal := c.refused(wire.Join{ID: "7", Room: "no-such"}, wire.CodeRateLimited)
	assert.Equal(t, "7", refusal.ID)
	for range h.server.cfg.MaxMalformed {
		c.send(wire.RaiseHand{})
	}
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeProtocol, reason)
	other := h.dial()
	other.send(wire.Hello{Version: wire.Version, Token: operatorToken})
	await[wire.Welcome](other)
}

func TestOffersAreLimitedOverEveryPath(t *testing.T) {
	h := tight(t, Limits{OfferByAddress: Limit{0.001, 2}})
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
	c.refused(wire.Offer{Media: wire.MediaMic, SDP: offer}, wire.CodeRateLimited)
}
