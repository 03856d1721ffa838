//go:build !linux

package udpbatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// controlSize is the room for what the kernel reports on a datagram.
const controlSize = 0

// HasPacketInfo means that the system has [Options.PacketInfo], which this one has not.
const HasPacketInfo = false

// open opens and binds a socket.
func open(ctx context.Context, address string, o Options, _ bool) (*net.UDPConn, error) {
	if o.PacketInfo {
		return nil, fmt.Errorf("listen on %s: the address that a datagram was sent to is not known on this system; bind that address instead: %w", address, errors.ErrUnsupported)
	}
	c, err := new(net.ListenConfig).ListenPacket(ctx, family(address), address)
	if err != nil {
		return nil, err
	}
	u := c.(*net.UDPConn)
	if o.ReadBuffer > 0 {
		err = u.SetReadBuffer(o.ReadBuffer)
	}
	if err == nil && o.WriteBuffer > 0 {
		err = u.SetWriteBuffer(o.WriteBuffer)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("size the buffers of %s; ask for less or raise the system's limit: %w", address, err), u.Close())
	}
	return u, nil
}

// share lets further sockets on a bound socket's port.
func share(*net.UDPConn) error { return errors.ErrUnsupported }

// newBatching reports that there is nothing faster than the portable way.
func newBatching(*net.UDPConn, Options) (Conn, bool, error) { return nil, false, nil }

// A platform is what this system reports on a socket: nothing.
type platform struct{ timestamps bool }

func newPlatform(_ *net.UDPConn, o Options) (*platform, error) {
	return &platform{timestamps: o.Timestamps}, nil
}

// read completes a message.
func (p *platform) read(_ []byte, m *Message) {
	m.Local, m.At, m.Segment = netip.Addr{}, 0, 0
	if p.timestamps {
		m.At = time.Now().UnixNano()
	}
}

// source is a control message that sets a datagram's source address.
func (p *platform) source(_ []byte, local netip.Addr) (int, error) {
	if local.IsValid() {
		return 0, fmt.Errorf("send from %s: %w", local, errors.ErrUnsupported)
	}
	return 0, nil
}

func (p *platform) drops() (uint64, bool) { return 0, false }
