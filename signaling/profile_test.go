package signaling

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"

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
