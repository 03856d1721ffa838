package earshot

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A reverse proxy offers HTTP/2, which is good for requests, and no WebSocket opens over it.
func TestWebSocketOpensBesideHTTP2(t *testing.T) {
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			_, _ = w.Write([]byte(r.Proto))
			return
		}
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if assert.NoError(t, err) {
			assert.NoError(t, conn.Close())
		}
	}))
	proxy.EnableHTTP2 = true
	proxy.StartTLS()
	defer proxy.Close()
	roots := x509.NewCertPool()
	roots.AddCert(proxy.Certificate())

	d, err := New(proxy.URL, "", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	response, err := d.client.Get(proxy.URL)
	require.NoError(t, err)
	assert.Equal(t, 2, response.ProtoMajor)
	require.NoError(t, response.Body.Close())
	conn, _, err := d.dialer.Dial(t.Context(), "wss"+strings.TrimPrefix(proxy.URL, "https")+"/ws", nil)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	d.client.CloseIdleConnections()
}
