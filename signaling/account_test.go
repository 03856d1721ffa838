package signaling

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// stored is all that a store holds, as text.
func stored(t *testing.T, s *store.Store) string {
	t.Helper()
	audit, err := s.AuditLog(t.Context(), "", store.MaxEntries)
	require.NoError(t, err)
	all, err := json.Marshal([]any{s.Accounts(), s.Invites(), s.Rooms(), s.Plans(), audit})
	require.NoError(t, err)
	return string(all)
}

// An account that deletes itself leaves nothing behind, in memory and on the disk, but
// the bans that keep it out.
func TestDeletedAccountLeavesNothingButItsBans(t *testing.T) {
	const name = "Zebediah"
	onDisk := diskStore{t, store.Config{Dir: t.TempDir()}}
	var zed, bo credentials
	var banned string
	gone := func(h *testServer, when string) {
		h.must(http.StatusUnauthorized, http.MethodGet, "/api/me", zed.token, "")
		h.must(http.StatusUnauthorized, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+zed.refresh+`"}`)
		h.must(http.StatusUnauthorized, http.MethodPost, "/api/login", "", `{"key":"`+zed.key+`"}`)
		kept := h.server.api.Club.Store
		text := stored(t, kept)
		assert.NotContains(t, text, name, when)
		assert.Equal(t, 1, strings.Count(text, zed.account), "only the ban has the id: %s", text)
		l, err := h.server.rooms.Find(banned)
		require.NoError(t, err)
		assert.NoError(t, l.Ask(func(rules *room.Room) error {
			assert.True(t, rules.Blocked(room.Identity{Account: zed.account}), "the ban holds %s", when)
			return nil
		}))
		me := h.must(http.StatusOK, http.MethodGet, "/api/me", bo.token, "")
		assert.Equal(t, "Bo", me["name"], "who came by its invite stays")
	}

	onDisk.serve(func(h *testServer) {
		code, _ := h.invite("", `{"name":"`+name+`"}`)
		zed = h.redeem(code, "", name)
		own := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", zed.token, `{"name":"`+name+`'s salon"}`)["room"].(string)
		bo = h.redeem(h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/invites", zed.token, `{"name":"Bo"}`)), "", "Bo")

		// They are put out of one room, and on stage in another, where they invite.
		var host credentials
		banned, host.token = h.room(`{"name":"no"}`)
		ada := h.as(host.token)
		ada.join(banned, "", "Ada")
		there := h.as(zed.token)
		ada.expectOK(wire.Ban{Member: there.join(banned, "", name).Member})
		there.drain()
		// Out of a third they are put by another name than their account's, which is not the first either.
		out, outHost := h.room(`{"name":"out"}`)
		door := h.as(outHost)
		door.join(out, "", "Door")
		there = h.as(zed.token)
		door.expectOK(wire.Remove{Member: there.join(out, "", name+" the guest").Member})
		there.drain()
		h.must(http.StatusOK, http.MethodPut, "/api/me/profile", zed.token, `{"name":"`+name+` II"}`)
		panel, panelHost := h.room(`{"name":"panel"}`)
		chair := h.as(panelHost)
		chair.join(panel, "", "Chair")
		there = h.as(zed.token)
		member := there.join(panel, "", name).Member
		chair.expectOK(wire.Promote{Member: member, Role: wire.RoleHost})
		chair.expectOK(wire.Mute{Member: member, Muted: true})
		offer := h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/rooms/"+panel+"/invites", zed.token, `{"role":"speaker"}`))
		guest := h.redeem(offer, "", "Guest")

		plan := h.plan(zed, name+"'s radio", "open", time.Now().Add(time.Hour), 60)
		code = h.must(http.StatusCreated, http.MethodPost, "/api/plans/"+h.plan(bo, "Radio", "open", time.Now().Add(time.Hour), 60)+"/hosts", bo.token, "")["url"].(string)
		theirs, code, _ := strings.Cut(code[strings.Index(code, "/#/h/")+len("/#/h/"):], ".")
		h.must(http.StatusOK, http.MethodPost, "/api/plans/"+theirs+"/hosts/"+code, zed.token, "")

		export := h.must(http.StatusOK, http.MethodGet, "/api/me?export=true", zed.token, "")
		assert.Equal(t, name+" II", export["name"])
		assert.EqualValues(t, 1, export["members_invited"])
		assert.Len(t, export["planned_rooms"], 2)
		assert.Len(t, export["invites_made"], 2)
		assert.Contains(t, export["rooms"], map[string]any{"room": own, "name": name + "'s salon", "owner": true})
		assert.Contains(t, export["rooms"], map[string]any{"room": banned, "name": "no", "banned": true})
		assert.Contains(t, export["rooms"], map[string]any{"room": out, "name": "out", "removed": true})
		assert.Contains(t, export["rooms"], map[string]any{"room": panel, "name": "panel", "here": true, "role": "host", "muted": true})
		var actions []string
		for _, e := range export["audit"].([]any) {
			actions = append(actions, e.(map[string]any)["did"].(string))
		}
		for _, action := range []string{"invite.create", "invite.redeem", "room.create", "member.ban", "member.promote", "member.mute", "account.rename"} {
			assert.Contains(t, actions, action)
		}
		for who, token := range map[string]string{"a guest": guest.token, "the operator": operatorToken, "a host": panelHost} {
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				response, _ := h.call(method, "/api/me?export=true", token, "")
				assert.Equal(t, http.StatusForbidden, response.StatusCode, "%s has no account: %s", who, method)
			}
		}

		h.must(http.StatusNoContent, http.MethodDelete, "/api/me", zed.token, "")
		there.drain() // their session has ended
		chair.stageChange(func(c wire.StageChange) bool { return c.Member == member && c.Gone })
		_, err := h.server.rooms.Find(own)
		assert.Error(t, err, "the room that they made has ended")
		h.must(http.StatusGone, http.MethodGet, "/api/invites/"+offer, "", "")
		h.must(http.StatusNotFound, http.MethodGet, "/api/plans/"+plan, "", "")
		assert.Equal(t, []any{"Bo"}, h.must(http.StatusOK, http.MethodGet, "/api/plans/"+theirs, "", "")["hosts"])
		gone(h, "at once")
	})
	onDisk.serve(func(h *testServer) { gone(h, "after a restart") })
}
