package stamp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// controlSize holds a socket's control messages: a timestamp and a drop counter.
const controlSize = 128

// enableTimestamps asks the kernel for the receive time of each packet (SO_TIMESTAMPNS)
// and for the number of packets dropped because the socket's buffer was full
// (SO_RXQ_OVFL).
func enableTimestamps(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("open socket for options: %w", err)
	}
	var stamps, drops error
	err = raw.Control(func(fd uintptr) {
		stamps = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		drops = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	})
	switch {
	case err != nil:
		return fmt.Errorf("set socket options: %w", err)
	case stamps != nil:
		return fmt.Errorf("ask for receive time stamps (SO_TIMESTAMPNS): %w", stamps)
	case drops != nil:
		return fmt.Errorf("ask for receive drops (SO_RXQ_OVFL): %w", drops)
	}
	return nil
}

// readControl returns the receive time (nanoseconds since 1970, or 0) and the drop count
// of a packet's control messages.
func readControl(oob []byte) (wall int64, dropped uint32) {
	for len(oob) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		oob = rest
		switch {
		case header.Level != unix.SOL_SOCKET:
		case header.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16:
			wall = int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:]))
		case header.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			dropped = binary.NativeEndian.Uint32(data)
		}
	}
	return wall, dropped
}

// readStamped asks for receive time stamps of a TCP connection, and returns what reads it
// with its control messages. The time is that of the last segment of what was read.
func readStamped(c *net.TCPConn) (func(b, oob []byte) (n, oobn int, err error), error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("open connection for options: %w", err)
	}
	var stamps error
	err = raw.Control(func(fd uintptr) {
		stamps = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
	if err = errors.Join(err, stamps); err != nil {
		return nil, fmt.Errorf("ask for receive time stamps (SO_TIMESTAMPNS): %w", err)
	}
	return func(b, oob []byte) (n, oobn int, err error) {
		waited := raw.Read(func(fd uintptr) bool {
			for {
				n, oobn, _, _, err = unix.Recvmsg(int(fd), b, oob, 0)
				if !errors.Is(err, unix.EINTR) {
					break
				}
			}
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case waited != nil: // closed, or too late
			return 0, 0, waited
		case err == nil && n == 0 && len(b) > 0:
			return 0, 0, io.EOF
		}
		return max(n, 0), oobn, err
	}, nil
}
