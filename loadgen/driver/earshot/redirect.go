package earshot

import (
	"errors"
	"fmt"
	"net/url"
)

// maxHops is how many servers of a cluster may send a client to another in a row.
const maxHops = 3

// elsewhere is the answer of a server whose cluster has the room on another.
type elsewhere struct{ url string }

// Error implements error.
func (e elsewhere) Error() string { return "the room is at " + e.url }

// follow opens a connection at the target's WebSocket, or at those where its servers send
// it.
func (d *Driver) follow(open func(socket string) (*connection, error)) (*connection, error) {
	socket := d.socket
	for range maxHops {
		c, err := open(socket)
		var away elsewhere
		if !errors.As(err, &away) {
			return c, err
		}
		was, _ := url.Parse(socket) // it was made from a URL, or checked
		u, err := url.Parse(away.url)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss":
			return nil, fmt.Errorf("the server sends clients to %.80q, which is no URL of a WebSocket", away.url)
		case was.Scheme == "wss" && u.Scheme == "ws":
			return nil, fmt.Errorf("the server sends clients to %.80q, where the token would go unencrypted: give its nodes https URLs", away.url)
		}
		socket = away.url
	}
	return nil, fmt.Errorf("the servers send clients from one to another: %s is the last of %d", socket, maxHops)
}
