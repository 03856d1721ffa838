package earshot

import (
	"context"
	"net"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// A turnConn is the connection of somebody who joins, and takes turns with others who do:
// while it waits for the server it is others' turn.
type turnConn struct {
	net.Conn
	ctx  context.Context // of the join
	turn *driver.Turn
}

// dialInTurn dials for a WebSocket.
func dialInTurn(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if turn := driver.TurnOf(ctx); turn != nil && err == nil {
		return &turnConn{Conn: conn, ctx: ctx, turn: turn}, nil
	}
	return conn, err
}

// Read implements net.Conn.
func (c *turnConn) Read(b []byte) (int, error) {
	c.turn.Give()
	n, err := c.Conn.Read(b)
	c.turn.Take(c.ctx)
	return n, err
}
