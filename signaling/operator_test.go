package signaling

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/panel"
)

// page fetches a page as text.
func (h *testServer) page(path, token string) (int, http.Header, string) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodGet, h.http.URL+path, nil)
	require.NoError(h.t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.http.Client().Do(request)
	require.NoError(h.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return response.StatusCode, response.Header, string(body)
}

func TestOperatorPageNeedsTheOperator(t *testing.T) {
	h := closed(t, nil)
	_, made := h.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"the secret room","visibility":"closed"}`)
	host := made["host_token"].(string)
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"nobody", "", http.StatusUnauthorized},
		{"a made-up token", "0123456789abcdef", http.StatusUnauthorized},
		{"a host of a room", host, http.StatusForbidden},
		{"the operator", operatorToken, http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, body := h.page("/operator/now", c.token)
			assert.Equal(t, c.status, status)
			if c.status == http.StatusOK {
				assert.Contains(t, body, "the secret room")
				assert.Contains(t, body, `<dt data-text="operator.rooms"></dt><dd data-figures>1</dd>`)
				return
			}
			assert.NotContains(t, body, "secret")
		})
	}
	for _, path := range []string{"/operator", "/operator/panel.js", "/operator/panel.css"} {
		status, header, body := h.page(path, "")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, panel.Policy, header.Get("Content-Security-Policy"))
		assert.NotContains(t, body, "secret")
	}
	status, _, _ := h.page("/operator/now.tmpl", "")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestOperatorPageOfAnOpenServer(t *testing.T) {
	h := open(t, nil)
	h.enter("lobby", "", "")
	status, _, body := h.page("/operator/now", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "lobby")
	assert.Contains(t, body, `<dt data-text="operator.audience"></dt><dd data-figures>1</dd>`)

	from := func(address string) int {
		r := httptest.NewRequest(http.MethodGet, "/operator/now", nil)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, http.StatusOK, from("[::1]:4000"))
	assert.Equal(t, http.StatusForbidden, from("192.0.2.7:4000"))
	assert.Equal(t, http.StatusForbidden, from("somewhere"))
}
