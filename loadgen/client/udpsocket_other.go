//go:build !linux

package client

import "net"

// On other systems the receive time is when the process reads the packet, and drops are
// unknown.
const controlSize = 0

func enableTimestamps(*net.UDPConn) error { return nil }

func readControl([]byte) (wall int64, dropped uint32) { return 0, 0 }
