//go:build !linux

package stamp

import "net"

// On other systems the receive time is when the process reads the packet, and drops are
// unknown.
const controlSize = 0

func enableTimestamps(*net.UDPConn) error { return nil }

func readControl([]byte) (wall int64, dropped uint32) { return 0, 0 }

func readStamped(c *net.TCPConn) (func(b, oob []byte) (n, oobn int, err error), error) {
	return func(b, _ []byte) (int, int, error) {
		n, err := c.Read(b)
		return n, 0, err
	}, nil
}
