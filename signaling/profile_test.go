package signaling

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// picture sends a picture as a member's.
func (h *testServer) picture(token, kind string, data []byte) (*http.Response, map[string]any) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodPut, h.http.URL+"/api/me/picture", bytes.NewReader(data))
	require.NoError(h.t, err)
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", "Bearer "+token)
	return h.do(request)
}

// TestProfileIsShownOnStage gives a member words and a picture: others see them on stage,
// and follow her. What is served is a JPEG whatever was sent; without either she has no
// profile, and nobody is told her account's id.
func TestProfileIsShownOnStage(t *testing.T) {
	h := closed(t, nil)
	ada, bo := h.member("Ada"), h.member("Bo")
	room := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", ada.token, `{"name":"x"}`)["room"].(string)
	stage := func() map[string]any {
		return h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room, operatorToken, "")["stage"].([]any)[0].(map[string]any)
	}
	h.as(ada.token).join(room, "", "")
	assert.NotContains(t, stage(), "profile")
	h.must(http.StatusNotFound, http.MethodGet, "/api/profiles/"+ada.account, bo.token, "")
	h.must(http.StatusNotFound, http.MethodPut, "/api/me/following/"+ada.account, bo.token, "")

	h.must(http.StatusOK, http.MethodPut, "/api/me/profile", ada.token, `{"about":" Radio and <b>tea</b> "}`)
	face := image.NewRGBA(image.Rect(0, 0, 64, 64))
	face.Set(3, 3, color.White)
	var data bytes.Buffer
	require.NoError(t, png.Encode(&data, face))
	for what, row := range map[string]struct {
		token, kind string
		data        []byte
		code        wire.Code
	}{
		"another type":     {ada.token, "image/svg+xml", []byte("<svg/>"), wire.CodeUnsupportedMediaType},
		"a type that lies": {ada.token, "image/png", []byte("<svg/>"), wire.CodeUnprocessable},
		"too long":         {ada.token, "image/png", make([]byte, 300<<10), wire.CodeTooLarge},
		"no account":       {operatorToken, "image/png", data.Bytes(), wire.CodeForbidden},
	} {
		_, answer := h.picture(row.token, row.kind, row.data)
		assert.Equal(t, row.code, code(answer), what)
	}
	response, answer := h.picture(ada.token, "image/png", append(data.Bytes(), "<script>"...))
	require.Equal(t, http.StatusOK, response.StatusCode, answer)
	name := answer["picture"].(string)
	assert.Equal(t, map[string]any{"profile": ada.account, "name": "Ada", "about": "Radio and <b>tea</b>", "picture": name, "self": true}, answer)
	response, served := h.file("/pictures/" + name)
	assert.Equal(t, "image/jpeg", response.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.True(t, strings.HasPrefix(served, "\xff\xd8\xff"))
	assert.NotContains(t, served, "<script>")

	assert.Equal(t, []any{ada.account, name}, []any{stage()["profile"], stage()["picture"]})
	shown := h.as(bo.token).join(h.must(http.StatusCreated, http.MethodPost, "/api/rooms", bo.token, `{"name":"y"}`)["room"].(string), "", "")
	assert.Empty(t, shown.Stage[0].Profile, "he shows nothing of himself")

	h.must(http.StatusNoContent, http.MethodPut, "/api/me/following/"+ada.account, bo.token, "")
	h.must(http.StatusNotFound, http.MethodPut, "/api/me/following/"+ada.account, ada.token, "")
	h.must(http.StatusForbidden, http.MethodPut, "/api/me/following/"+ada.account, operatorToken, "")
	assert.Equal(t, true, h.must(http.StatusOK, http.MethodGet, "/api/profiles/"+ada.account, bo.token, "")["following"])
	followed := h.must(http.StatusOK, http.MethodGet, "/api/me/following", bo.token, "")["following"]
	assert.Equal(t, []any{map[string]any{"profile": ada.account, "name": "Ada", "about": "Radio and <b>tea</b>", "picture": name, "following": true}}, followed)
	assert.Equal(t, followed, h.must(http.StatusOK, http.MethodGet, "/api/me?export=true", bo.token, "")["following"])
	h.must(http.StatusUnauthorized, http.MethodGet, "/api/profiles/"+ada.account, "", "")

	for _, bad := range []string{strings.Repeat("x", wire.MaxAbout+1), `a\nb`, `a\u202eb`} {
		_, answer := h.call(http.MethodPut, "/api/me/profile", ada.token, `{"about":"`+bad+`"}`)
		assert.Equal(t, wire.CodeBadRequest, code(answer))
	}

	h.must(http.StatusForbidden, http.MethodDelete, "/api/profiles/"+ada.account, bo.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/profiles/"+ada.account, operatorToken, "")
	response, _ = h.file("/pictures/" + name)
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	assert.NotContains(t, stage(), "profile")
	assert.Empty(t, h.must(http.StatusOK, http.MethodGet, "/api/me/following", bo.token, "")["following"])

	_, answer = h.picture(ada.token, "image/png", data.Bytes())
	h.must(http.StatusNoContent, http.MethodDelete, "/api/me", ada.token, "")
	response, _ = h.file("/pictures/" + answer["picture"].(string))
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "the picture goes with the account")
}

// TestFollowedAreFoundInTheAudience seats a member with a profile in the audience. Whoever looks at it
// is told her profile; who follows her finds her there by asking for it, in the list of rooms too.
func TestFollowedAreFoundInTheAudience(t *testing.T) {
	h := closed(t, nil)
	ada, bo, cy := h.member("Ada"), h.member("Bo"), h.member("Cy")
	room := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", bo.token, `{"name":"x","visibility":"members"}`)["room"].(string)
	host, listener := h.as(bo.token), h.as(cy.token)
	host.join(room, "", "")
	listener.join(room, "", "")
	h.as(ada.token).join(room, "", "Ada O.")
	ask := func(c *client, m wire.ListAudience) []wire.AudienceMember {
		c.send(m)
		return await[wire.Audience](c).People
	}
	assert.Empty(t, ask(host, wire.ListAudience{})[1].Profile, "she shows nothing of herself")

	h.must(http.StatusOK, http.MethodPut, "/api/me/profile", ada.token, `{"about":"Radio"}`)
	all := ask(listener, wire.ListAudience{})
	require.Len(t, all, 2)
	assert.Equal(t, wire.AudienceMember{Member: all[1].Member, Name: "Ada O.", Profile: ada.account}, all[1])
	assert.Empty(t, ask(listener, wire.ListAudience{Followed: true}), "he follows nobody")
	listed := func(token string) any {
		rooms := h.must(http.StatusOK, http.MethodGet, "/api/rooms", token, "")["rooms"].([]any)
		shown := h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+room, token, "")
		assert.Equal(t, shown["followed"], rooms[0].(map[string]any)["followed"])
		return shown["followed"]
	}
	assert.Nil(t, listed(cy.token))

	h.must(http.StatusNoContent, http.MethodPut, "/api/me/following/"+ada.account, cy.token, "")
	assert.Equal(t, all[1:], ask(listener, wire.ListAudience{Followed: true}))
	assert.Empty(t, ask(host, wire.ListAudience{Followed: true}), "whom others follow is theirs")
	assert.Equal(t, []any{map[string]any{"member": all[1].Member, "name": "Ada O.", "profile": ada.account}}, listed(cy.token))
	assert.Nil(t, listed(bo.token))
	assert.Nil(t, listed(operatorToken))

	h.must(http.StatusNoContent, http.MethodDelete, "/api/profiles/"+ada.account, operatorToken, "")
	assert.Empty(t, ask(listener, wire.ListAudience{Followed: true}), "without a profile nobody is followed")
}

// TestMemberIsRenamed gives a member another name. It is the one that others see from then on, in her
// invites and plans too, and the one by which she comes into a room if she gives none; two members may
// have the same. Who she is does not change, and the audit log has both names.
func TestMemberIsRenamed(t *testing.T) {
	h := closed(t, nil)
	ada, bo := h.member("Ada"), h.member("Bo")
	invite := h.codeOf(h.must(http.StatusCreated, http.MethodPost, "/api/invites", ada.token, "{}"))
	plan := h.plan(ada, "Radio", "open", time.Now().Add(time.Hour), 60)
	for _, bad := range []string{"", " ", strings.Repeat("x", wire.MaxName+1), `a\nb`, `a\u202eb`} {
		_, answer := h.call(http.MethodPut, "/api/me/profile", ada.token, `{"name":"`+bad+`","about":"kept as it is"}`)
		assert.Equal(t, wire.CodeBadRequest, code(answer), bad)
	}
	h.must(http.StatusForbidden, http.MethodPut, "/api/me/profile", operatorToken, `{"name":"Root"}`)

	answer := h.must(http.StatusOK, http.MethodPut, "/api/me/profile", ada.token, `{"about":"Radio"}`)
	assert.Equal(t, []any{"Ada", "Radio"}, []any{answer["name"], answer["about"]}, "what is left out stays")
	answer = h.must(http.StatusOK, http.MethodPut, "/api/me/profile", ada.token, `{"name":" Bo "}`)
	assert.Equal(t, []any{"Bo", "Radio"}, []any{answer["name"], answer["about"]})
	for _, token := range []string{ada.token, h.must(http.StatusOK, http.MethodPost, "/api/refresh", "", `{"refresh_token":"`+ada.refresh+`"}`)["token"].(string)} {
		me := h.must(http.StatusOK, http.MethodGet, "/api/me", token, "")
		assert.Equal(t, []any{"Bo", ada.account}, []any{me["name"], me["account"]})
	}
	assert.Equal(t, "Bo", h.must(http.StatusOK, http.MethodGet, "/api/invites/"+invite, "", "")["inviter"])
	assert.Equal(t, []any{"Bo"}, h.must(http.StatusOK, http.MethodGet, "/api/plans/"+plan, "", "")["hosts"])
	assert.Equal(t, "Bo", h.must(http.StatusOK, http.MethodGet, "/api/profiles/"+ada.account, bo.token, "")["name"])
	room := h.must(http.StatusCreated, http.MethodPost, "/api/rooms", ada.token, `{"name":"x"}`)["room"].(string)
	assert.Equal(t, "Bo", h.as(ada.token).join(room, "", "").Stage[0].Name)

	log := h.must(http.StatusOK, http.MethodGet, "/api/audit", operatorToken, "")["entries"].([]any)
	var renamed []any
	for _, e := range log {
		if e := e.(map[string]any); e["did"] == "account.rename" {
			renamed = append(renamed, e["who"], e["detail"])
		}
	}
	assert.Equal(t, []any{ada.account, `"Ada" is now "Bo"`}, renamed)
}
