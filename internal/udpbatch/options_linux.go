package udpbatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize is the room for what the kernel reports on a datagram: a time stamp,
// a packet info and the length of segments, 96 bytes on 64-bit systems. Multiples of
// it are aligned for a Cmsghdr.
const controlSize = 128

// HasPacketInfo means that the system has [Options.PacketInfo] (IP_PKTINFO).
const HasPacketInfo = true

// open opens and binds a socket; if shared, on a port that others have.
func open(ctx context.Context, address string, o Options, shared bool) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) {
			err = prepare(int(fd), strings.HasSuffix(network, "6"), o, shared)
		}), err)
	}}
	c, err := config.ListenPacket(ctx, family(address), address)
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

func prepare(fd int, v6 bool, o Options, shared bool) error {
	set := func(what string, level, option int) error {
		return os.NewSyscallError("set "+what, unix.SetsockoptInt(fd, level, option, 1))
	}
	err := keepWhole(fd, v6)
	if shared {
		err = errors.Join(err, set("SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT))
	}
	if o.Timestamps {
		err = errors.Join(err, set("SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS))
	}
	if o.PacketInfo && v6 {
		err = errors.Join(err, set("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO))
	} else if o.PacketInfo {
		err = errors.Join(err, set("IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO))
	}
	if o.Segments {
		// Where the option is not known, each datagram is a message.
		_ = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1)
	}
	return errors.Join(err,
		size(fd, o.ReadBuffer, "receive buffer", "net.core.rmem_max", unix.SO_RCVBUF, unix.SO_RCVBUFFORCE),
		size(fd, o.WriteBuffer, "send buffer", "net.core.wmem_max", unix.SO_SNDBUF, unix.SO_SNDBUFFORCE))
}

// keepWhole sends datagrams that nobody may fragment (RFC 8899, section 3). None
// of ours is as long as a path's MTU, and the kernel need not number each of them
// for its fragments, by a counter that all of its destinations share.
func keepWhole(fd int, v6 bool) error {
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	if v6 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE))
	}
	return os.NewSyscallError("set IP_MTU_DISCOVER", err)
}

// size sets the size of a buffer, beyond the system's limit if the process may.
func size(fd, bytes int, what, limit string, option, force int) error {
	if bytes <= 0 {
		return nil
	}
	for _, attempt := range []int{option, force} {
		// The kernel reports nothing when it sets less, and doubles the size for
		// its own bookkeeping (socket(7)).
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, attempt, bytes) == nil {
			if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err == nil && got/2 >= bytes {
				return nil
			}
		}
	}
	return fmt.Errorf("%s of %d bytes is more than the system allows; ask for less or run: sysctl -w %s=%d", what, bytes, limit, bytes)
}

// share lets further sockets on a bound socket's port.
func share(u *net.UDPConn) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, os.NewSyscallError("set SO_REUSEPORT", set))
}

// A platform is what Linux reports on a socket and on its datagrams, however they
// are read. Its methods may be called concurrently.
type platform struct {
	raw     interface{ Control(func(fd uintptr)) error }
	v6      bool
	control bool // whether datagrams come with control messages

	mu      sync.Mutex
	ask     func(fd uintptr) // reads meminfo; made once, so that asking does not allocate
	meminfo [unix.SK_MEMINFO_VARS]uint32
	known   bool
	total   uint64
}

func newPlatform(u *net.UDPConn, o Options) (*platform, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := &platform{raw: raw, control: o.Timestamps || o.PacketInfo || o.Segments}
	var domain int
	var asked error
	err = raw.Control(func(fd uintptr) {
		domain, asked = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	})
	if err = errors.Join(err, os.NewSyscallError("get SO_DOMAIN", asked)); err != nil {
		return nil, err
	}
	p.v6 = domain == unix.AF_INET6
	p.ask = func(fd uintptr) {
		size := uint32(unsafe.Sizeof(p.meminfo))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&p.meminfo)), uintptr(unsafe.Pointer(&size)), 0)
		p.known = errno == 0 && size == uint32(unsafe.Sizeof(p.meminfo))
	}
	return p, nil
}

// drops asks for the socket's own counter (SO_MEMINFO, Linux 4.12). The control
// message SO_RXQ_OVFL has the same counter, but as of when a datagram was queued that
// is read later: it misses those dropped after the last.
func (p *platform) drops() (uint64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.meminfo[unix.SK_MEMINFO_DROPS]
	if p.raw.Control(p.ask) == nil {
		p.total += uint64(p.meminfo[unix.SK_MEMINFO_DROPS] - before) // it wraps
	}
	return p.total, p.known
}

// read completes a message by its control messages.
func (p *platform) read(oob []byte, m *Message) {
	m.Local, m.At, m.Segment = netip.Addr{}, 0, 0
	for len(oob) >= unix.SizeofCmsghdr {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return
		}
		oob = rest
		switch {
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			m.At = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		case header.Level == unix.SOL_UDP && header.Type == unix.UDP_GRO && len(data) >= 4:
			if size := int(binary.NativeEndian.Uint32(data)); size < m.N {
				m.Segment = size
			}
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// Addr is where the datagram was sent to; Spec_dst differs from it
			// for broadcasts alone, which have no address to answer from.
			m.Local = netip.AddrFrom4([4]byte(data[8:12]))
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			m.Local = netip.AddrFrom16([16]byte(data[:16])).Unmap()
			if m.Local.IsLinkLocalUnicast() && m.Local.Is6() {
				m.Local = m.Local.WithZone(zoneName(binary.NativeEndian.Uint32(data[16:])))
			}
		}
	}
}

// source writes to b the control message that sets a datagram's source address,
// and returns how much it wrote: nothing for the zero address.
func (p *platform) source(b []byte, local netip.Addr) (int, error) {
	if !local.IsValid() {
		return 0, nil
	}
	header, data := (*unix.Cmsghdr)(unsafe.Pointer(&b[0])), b[unix.CmsgLen(0):]
	if p.v6 {
		header.Level, header.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		header.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		a := local.As16()
		copy(data, a[:])
		clear(data[16:20]) // any interface
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo), nil
	}
	local = local.Unmap()
	if !local.Is4() {
		return 0, errFamily
	}
	header.Level, header.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	header.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	a := local.As4()
	clear(data[:4]) // any interface
	copy(data[4:], a[:])
	clear(data[8:12])
	return unix.CmsgSpace(unix.SizeofInet4Pktinfo), nil
}

// errFamily refuses a datagram between families.
var errFamily = errors.New("an IPv4 socket has no IPv6 addresses")
