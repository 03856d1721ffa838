package client

import (
	"fmt"
	"net"
	"strings"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"

	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/stamp"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A clientNet is the network that one Pion client sees: interfaces that were listed once
// for the whole run, and sockets that record receive times.
type clientNet struct {
	*stdnet.Net
	interfaces []*transport.Interface
	clock      *timebase.Clock
	times      *receiveTimes
	impairment *netem.Impairment // the emulated network, or nil
	nominator  *nominator        // reads what its sockets receive
}

// listInterfaces lists the interfaces that clients offer candidates of: the loopback
// interface if the target is on it, otherwise all others.
func listInterfaces(loopback bool) (*stdnet.Net, []*transport.Interface, error) {
	system, err := stdnet.NewNet()
	if err != nil {
		return nil, nil, fmt.Errorf("list network interfaces: %w", err)
	}
	all, err := system.Interfaces()
	if err != nil {
		return nil, nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var chosen []*transport.Interface
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 && (i.Flags&net.FlagLoopback != 0) == loopback {
			chosen = append(chosen, withStandIn(i))
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("no network interface is up to reach the target with (target on loopback: %t)", loopback)
	}
	return system, chosen, nil
}

// standIn is what a client calls ::1. Pion takes that for an IPv4-compatible address,
// which cannot be a candidate (RFC 8445, section 5.1.1.1). The server learns the address
// from the client's checks.
var standIn = net.ParseIP("fd00::1")

// withStandIn returns an interface that has the stand-in in place of ::1.
func withStandIn(i *transport.Interface) *transport.Interface {
	addresses, err := i.Addrs()
	if err != nil {
		return i // it has none
	}
	other := transport.NewInterface(i.Interface)
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.IPv6loopback) {
			a = &net.IPNet{IP: standIn, Mask: n.Mask}
		}
		other.AddAddress(a)
	}
	return other
}

// Interfaces implements transport.Net.
func (n *clientNet) Interfaces() ([]*transport.Interface, error) { return n.interfaces, nil }

// ListenUDP implements transport.Net.
func (n *clientNet) ListenUDP(proto string, at *net.UDPAddr) (transport.UDPConn, error) {
	s, err := n.listen(proto, at)
	switch {
	case err != nil:
		return nil, err
	case n.impairment != nil:
		return newImpairedSocket(n, s), nil
	}
	return s, nil
}

// ListenPacket implements transport.Net; clients of STUN and TURN servers use it.
func (n *clientNet) ListenPacket(proto, address string) (net.PacketConn, error) {
	if n.impairment == nil || !strings.HasPrefix(proto, "udp") {
		return n.Net.ListenPacket(proto, address)
	}
	at, err := net.ResolveUDPAddr(proto, address)
	if err != nil {
		return nil, err
	}
	return n.ListenUDP(proto, at)
}

// listen opens a socket that records receive times.
func (n *clientNet) listen(proto string, at *net.UDPAddr) (*udpSocket, error) {
	if at != nil && at.IP.Equal(standIn) {
		at = &net.UDPAddr{IP: net.IPv6loopback, Port: at.Port}
	}
	c, err := stamp.ListenUDP(proto, at, n.clock)
	if err != nil {
		return nil, err
	}
	return &udpSocket{UDPConn: c, times: n.times, nominator: n.nominator}, nil
}
