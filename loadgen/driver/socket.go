package driver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// dialTimeout is how long a WebSocket may take to open.
	dialTimeout = 10 * time.Second
	// writeTimeout is how long a message may wait for a server that does not read.
	writeTimeout = 5 * time.Second
	// writeBuffer holds an offer in one frame. Connections share the buffers, since each
	// writes only a few times.
	writeBuffer = 8 << 10
)

// SocketOptions say what the WebSockets to a server are like.
type SocketOptions struct {
	Trust       *tls.Config // nil: the system's certificate authorities. It is left as it is
	MaxMessage  int64       // of the server's, in bytes: a longer one ends the WebSocket
	Binary      bool        // messages to the server are binary, and not text
	Subprotocol string      // that is asked for; empty: none
	// DialContext opens the connections below the WebSockets. Nil means that of [net.Dialer].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// A SocketDialer opens thousands of WebSockets to one host, which share their buffers. It may be
// used from any goroutine.
type SocketDialer struct {
	dialer     websocket.Dialer
	maxMessage int64
	kind       int       // of the messages to the server
	messages   sync.Pool // of *bytes.Buffer, in which messages are read
}

// NewSocketDialer returns a dialer of such WebSockets.
func NewSocketDialer(o SocketOptions) *SocketDialer {
	sockets := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.Trust != nil {
		sockets = o.Trust.Clone()
	}
	// A proxy that is offered HTTP/2 takes it, and WebSockets need HTTP/1.1 (RFC 6455).
	sockets.NextProtos = []string{"http/1.1"}
	if o.DialContext == nil {
		o.DialContext = new(net.Dialer).DialContext
	}
	d := &SocketDialer{
		dialer: websocket.Dialer{
			TLSClientConfig: sockets, HandshakeTimeout: dialTimeout, NetDialContext: gathering(o.DialContext),
			ReadBufferSize: 1024, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{},
		},
		maxMessage: o.MaxMessage, kind: websocket.TextMessage,
	}
	if o.Binary {
		d.kind = websocket.BinaryMessage
	}
	if o.Subprotocol != "" {
		d.dialer.Subprotocols = []string{o.Subprotocol}
	}
	return d
}

// Dial opens a WebSocket. If the server answers by something else, the answer comes with the error,
// without its body. The error of no answer is that of [NoAnswer].
func (d *SocketDialer) Dial(ctx context.Context, url string, header http.Header) (*Socket, *http.Response, error) {
	conn, resp, err := d.dialer.DialContext(ctx, url, header)
	switch {
	case err != nil && resp == nil:
		return nil, nil, NoAnswer(err)
	case err != nil:
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body) // as much as gorilla keeps
		return nil, resp, Refusal(resp, body.Bytes())
	}
	conn.SetReadLimit(d.maxMessage)
	return &Socket{conn: conn, below: below(conn.NetConn()), dialer: d}, resp, nil
}

// A Socket is a client's WebSocket. One goroutine at a time may read it, and any may call the other
// methods. It ends with the first error of Read, or by Close, and without a closing handshake, as when a
// person's browser is gone. It has no goroutine of its own.
type Socket struct {
	conn    *websocket.Conn
	below   *gatheringConn
	dialer  *SocketDialer
	writing sync.Mutex
}

// Write sends messages, all at once: who is sent several is woken once. It fails if the server does
// not take them within 5 s.
func (s *Socket) Write(messages ...[]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	for i, message := range messages {
		s.below.setGather(i < len(messages)-1)
		if err := s.conn.WriteMessage(s.dialer.kind, message); err != nil {
			return err
		}
	}
	return nil
}

// Read waits for one message and hands it over. take must not keep it: its memory is used again. Read
// fails with take's error, too.
func (s *Socket) Read(take func(message []byte) error) error {
	_, r, err := s.conn.NextReader()
	if err != nil {
		return err
	}
	b, ok := s.dialer.messages.Get().(*bytes.Buffer)
	if !ok {
		b = new(bytes.Buffer)
	}
	defer s.dialer.messages.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	return take(b.Bytes())
}

// SetReadDeadline makes a Read fail that has no message by then, and with it the Socket. The zero time
// is no deadline.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Subprotocol returns the one that the server has chosen; empty: none.
func (s *Socket) Subprotocol() string { return s.conn.Subprotocol() }

// LocalAddr returns this machine's end.
func (s *Socket) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// Close ends a Read that waits. To close twice is no error.
func (s *Socket) Close() error {
	if err := s.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// SocketURL returns the URL of the WebSocket at a path of an http or https URL.
func SocketURL(base *url.URL, path string) string {
	socket := base.JoinPath(path)
	socket.Scheme = map[string]string{"http": "ws", "https": "wss"}[base.Scheme]
	return socket.String()
}
