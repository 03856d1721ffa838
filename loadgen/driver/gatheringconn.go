package driver

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A gatheringConn is a connection that can keep what is written until the next write. Its
// methods may be called from any goroutine.
type gatheringConn struct {
	net.Conn

	mu     sync.Mutex
	gather bool
	kept   []byte
}

// gathering makes the connections of a dial gathering ones.
func gathering(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatheringConn{Conn: conn}, nil
	}
}

// below is the gathering connection of a WebSocket's, which may be a TLS connection over it.
func below(conn net.Conn) *gatheringConn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return conn.(*gatheringConn) // what the dialer has dialled
}

// setGather has what is written wait for the next write that does not.
func (c *gatheringConn) setGather(gather bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gather = gather
}

// Write implements net.Conn.
func (c *gatheringConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gather:
		c.kept = append(c.kept, b...)
		return len(b), nil
	case len(c.kept) == 0:
		return c.Conn.Write(b)
	}
	c.kept = append(c.kept, b...)
	_, err := c.Conn.Write(c.kept)
	c.kept = nil
	if err != nil {
		return 0, err
	}
	return len(b), nil
}
