package driver

import (
	"crypto/tls"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// dialTimeout is how long a WebSocket may take to open.
	dialTimeout = 10 * time.Second
	// writeBuffer holds an offer in one frame. Connections share the buffers, since each
	// writes only a few times.
	writeBuffer = 8 << 10
)

// SocketDialer returns a dialer for thousands of WebSockets to one host. A nil trust uses
// the system's certificate authorities. It leaves trust as it is.
func SocketDialer(trust *tls.Config) *websocket.Dialer {
	sockets := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust != nil {
		sockets = trust.Clone()
	}
	// A proxy that is offered HTTP/2 takes it, and WebSockets need HTTP/1.1 (RFC 6455).
	sockets.NextProtos = []string{"http/1.1"}
	return &websocket.Dialer{
		TLSClientConfig: sockets, HandshakeTimeout: dialTimeout,
		ReadBufferSize: 1024, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{},
	}
}

// SocketURL returns the URL of the WebSocket at a path of an http or https URL.
func SocketURL(base *url.URL, path string) string {
	socket := base.JoinPath(path)
	socket.Scheme = map[string]string{"http": "ws", "https": "wss"}[base.Scheme]
	return socket.String()
}
