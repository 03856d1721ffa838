package signaling

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// by makes a member who came by another's invite.
func (h *testServer) by(inviter credentials, name string) credentials {
	h.t.Helper()
	return h.redeem(h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/invites", inviter.token, `{}`)), "", name)
}

// TestManyAccountsGetNoMoreRooms has somebody make account after account, each invited by the one before:
// all of them get a quarter of the rooms, since a member invited them whom the operator had invited.
func TestManyAccountsGetNoMoreRooms(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.MaxRoomsByAccount, cfg.MaxRooms = 2, 16 })
	ada, bo := h.member("Ada"), h.member("Bo")
	create := func(who credentials) int {
		response, answer := h.call(http.MethodPost, "/api/rooms", who.token, `{"name":"x"}`)
		if response.StatusCode != http.StatusCreated {
			assert.Equal(t, wire.CodeAccountLimit, code(answer))
		}
		return response.StatusCode
	}
	mal := h.by(ada, "Mal")
	made := 0
	last, all := mal, []credentials{mal}
	for range 6 {
		last = h.by(last, "Mal")
		all = append(all, last)
	}
	for _, who := range all {
		for range 3 {
			if create(who) == http.StatusCreated {
				made++
			}
		}
	}
	assert.Equal(t, 4, made, "a half of Ada's, who has a half of all")
	assert.Equal(t, http.StatusConflict, create(all[3]), "for every one of them")
	for _, honest := range []credentials{ada, bo, h.by(ada, "Cy"), h.by(bo, "Di")} {
		assert.Equal(t, http.StatusCreated, create(honest))
	}
}

// TestManyAccountsFillNoClub has as many members as a branch may have: the next one is refused, and whom
// somebody else invites comes in.
func TestManyAccountsFillNoClub(t *testing.T) {
	kept := store.Memory()
	defer func() { assert.NoError(t, kept.Close()) }()
	h := closed(t, func(cfg *Config) { cfg.Store, cfg.MaxMembers = kept, 250 })
	ada, bo := h.member("Ada"), h.member("Bo")
	for range 125 - 1 {
		_, _, err := kept.CreateAccount(t.Context(), "Mal", ada.account, 2, time.Now())
		require.NoError(t, err)
	}
	full := h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/invites", ada.token, `{}`))
	_, answer := h.call(http.MethodPost, "/api/invites/"+full+"/redeem", "", `{"name":"Mal"}`)
	assert.Equal(t, wire.CodeAccountLimit, code(answer))
	h.by(bo, "Cy")
	gone := kept.Accounts()[2].ID
	require.NoError(t, kept.DeleteAccount(t.Context(), gone, func(string) bool { return false }))
	h.redeem(full, "", "Di") // it has stayed good
	for kept.CountMembers() < 250 {
		_, _, err := kept.CreateAccount(t.Context(), "x", "", 2, time.Now())
		require.NoError(t, err)
	}
	invite, _ := h.invite("", `{}`)
	_, answer = h.call(http.MethodPost, "/api/invites/"+invite+"/redeem", "", `{"name":"Ed"}`)
	assert.Equal(t, wire.CodeUnavailable, code(answer))
}

// TestBanBindsTheAccountsThatAreMadeAfterIt bans somebody who then invites themselves to the club.
func TestBanBindsTheAccountsThatAreMadeAfterIt(t *testing.T) {
	kept := store.Memory()
	defer func() { assert.NoError(t, kept.Close()) }()
	h := closed(t, func(cfg *Config) { cfg.Store, cfg.Persister = kept, kept })
	host := h.member("Ada")
	room := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", host.token, `{"name":"x","visibility":"members"}`)["room"].(string)
	mal := h.member("Mal")
	friend := h.by(mal, "Bo")
	chair := h.as(host.token)
	chair.join(room, "", "Ada")
	chair.expectOK(wire.Ban{Member: h.as(mal.token).join(room, "", "Mal").Member})

	again := h.by(mal, "Mel")
	third := h.by(again, "Mol")
	refused := func(all ...credentials) {
		for _, who := range all {
			h.must(http.StatusForbidden, http.MethodGet, "/api/rooms/"+room, who.token, "")
			h.as(who.token).expectError(wire.Join{Room: room}, wire.CodeBarred)
		}
	}
	refused(mal, again, third)
	// Nor does it help to be deleted.
	fourth := h.by(third, "Mil")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/me", third.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/me", mal.token, "")
	refused(again, fourth)
	h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room, friend.token, "")
	h.as(friend.token).join(room, "", "Bo")
	newcomer := h.by(friend, "Cy")
	h.as(newcomer.token).join(room, "", "Cy")

	code := h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/rooms/"+room+"/invites", host.token, `{"role":"listener"}`))
	invited := h.redeem(code, again.token, "Mel")
	h.as(invited.token).join(room, "", "Mel") // a host wants them
}
