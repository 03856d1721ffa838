package earshot

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// maxHops is how many servers of a cluster may send a client to another in a row.
const maxHops = 3

// elsewhere is the answer of a server whose cluster has the room on another.
type elsewhere struct{ url string }

// Error implements error.
func (e elsewhere) Error() string { return "the room is at " + e.url }

// follow opens a connection to a room: at the target's WebSocket, or where the room has moved, or where
// the servers send it.
func (d *Driver) follow(room string, open func(socket string) (*connection, error)) (*connection, error) {
	socket := d.socket
	if moved, ok := d.moved.Load(room); ok {
		if err := sentTo(socket, moved.(string)); err != nil {
			return nil, err
		}
		socket = moved.(string)
	}
	for range maxHops {
		c, err := open(socket)
		var away elsewhere
		if !errors.As(err, &away) {
			if err != nil && !driver.Refused(err) {
				d.moved.CompareAndDelete(room, socket) // that server is gone, too: the target knows
			}
			return c, err
		}
		if err := sentTo(socket, away.url); err != nil {
			return nil, err
		}
		socket = away.url
	}
	return nil, fmt.Errorf("the servers send clients from one to another: %s is the last of %d", socket, maxHops)
}

// sentTo checks a URL that a server at another sends clients to.
func sentTo(from, to string) error {
	was, _ := url.Parse(from) // it was made from a URL, or checked
	u, err := url.Parse(to)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("the server sends clients to %.80q, which is no URL of a WebSocket", to)
	case was.Scheme == "wss" && u.Scheme == "ws":
		return fmt.Errorf("the server sends clients to %.80q, where the token would go unencrypted: give its nodes https URLs", to)
	}
	return nil
}
