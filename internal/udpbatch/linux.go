//go:build linux

package udpbatch

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBatch is how many datagrams one system call takes. What a call costs is
// spread thin enough by then, and headers for more would only cost memory.
const maxBatch = 256

// minRead is how many datagrams a read asks for at least. It asks for twice as many
// as long as it gets them all: preparing the headers of 256 datagrams that don't
// come costs more than the call.
const minRead = 16

// batching is a Conn that makes one system call for many datagrams.
type batching struct {
	socket   socket
	platform *platform
	addr     netip.AddrPort
	gather   *gatheringSocket // the socket again, if it is one
	refused  atomic.Uint64
	single   atomic.Bool // the kernel does not cut messages into datagrams
	fallback func(error) // Options.OnUnsegmented

	rmu sync.Mutex // guards in, and lets one reader in at a time
	in  *headers

	omu sync.Mutex // guards out
	out []*headers // idle, for writers: as many as there ever were at once
}

// newBatching makes a batching Conn of a socket, or reports that the kernel or a
// sandbox refuses the system calls for it.
func newBatching(u *net.UDPConn, o Options) (Conn, bool, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, false, err
	}
	p, err := newPlatform(u, o)
	if err != nil {
		return nil, false, err
	}
	addr := plain(u.LocalAddr().(*net.UDPAddr).AddrPort())
	// With no datagrams the calls do nothing and succeed, or fail with ENOSYS or
	// what a seccomp filter answers.
	var refused bool
	err = p.raw.Control(func(fd uintptr) {
		for _, call := range []uintptr{unix.SYS_RECVMMSG, unix.SYS_SENDMMSG} {
			var none unix.Mmsghdr
			_, _, errno := unix.Syscall6(call, fd, uintptr(unsafe.Pointer(&none)), 0, unix.MSG_DONTWAIT, 0, 0)
			refused = refused || errno != 0
		}
	})
	if err != nil || refused {
		return nil, false, err
	}
	c := &batching{socket: &polledSocket{raw, u}, platform: p, addr: addr, in: new(headers), fallback: o.OnUnsegmented}
	if o.Gather > 0 {
		if c.gather, err = newGatheringSocket(u, o.Gather); err != nil {
			return nil, false, err
		}
		c.socket, p.raw = c.gather, c.gather
	}
	c.in.call = c.in.receive
	if err := canSegment(p.raw.Control); err != nil {
		c.unsegmented(err)
	}
	return c, true, nil
}

// headers is what the kernel reads and writes beside the datagrams of a call.
// They grow to the longest batch asked for, so that a socket with short batches
// stays small.
type headers struct {
	messages []unix.Mmsghdr
	places   []place // where what is sent lies
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6 // or RawSockaddrInet4 in the same place
	controls []byte

	// A call works on messages[from:to]. The functions are made once, because a
	// closure for each call would be an allocation for each call.
	from, to int
	errno    syscall.Errno
	ask      int // how many a read asks for
	call     func(fd uintptr) bool
	send     func(fd uintptr)
}

func (h *headers) grow(n int) {
	if n <= len(h.messages) {
		return
	}
	n = min(maxBatch, max(n, 2*len(h.messages)))
	h.messages, h.vectors, h.names, h.controls = make([]unix.Mmsghdr, n), make([]unix.Iovec, n), make([]unix.RawSockaddrInet6, n), make([]byte, n*controlSize)
	h.places = make([]place, n)
	for i := range h.messages {
		m := &h.messages[i].Hdr
		m.Name = (*byte)(unsafe.Pointer(&h.names[i]))
		m.Iov = &h.vectors[i]
		m.SetIovlen(1)
		m.Control = &h.controls[i*controlSize]
	}
}

func (h *headers) control(i int) []byte { return h.controls[i*controlSize : (i+1)*controlSize] }

func (h *headers) buffer(i int, b []byte) {
	h.vectors[i].Base = unsafe.SliceData(b)
	h.vectors[i].SetLen(len(b))
}

func (c *batching) ReadBatch(ms []Message) (int, error) {
	ms = ms[:min(len(ms), maxBatch)]
	if len(ms) == 0 {
		return 0, nil
	}
	c.rmu.Lock()
	defer c.rmu.Unlock()
	h := c.in
	ms = ms[:min(len(ms), max(h.ask, minRead))]
	h.grow(len(ms))
	room := 0
	if c.platform.control {
		room = controlSize
	}
	for i := range ms {
		m := &h.messages[i].Hdr
		m.Namelen = unix.SizeofSockaddrInet6
		m.SetControllen(room)
		h.buffer(i, ms[i].Buf)
	}
	h.to, h.errno = len(ms), 0
	if err := c.socket.Read(h.call); err != nil {
		return 0, err
	}
	if h.errno != 0 {
		return 0, os.NewSyscallError("recvmmsg", h.errno)
	}
	if c.gather != nil {
		c.gather.more = h.to == len(ms)
	}
	switch {
	case h.to == len(ms):
		h.ask = 2 * len(ms)
	case h.to < len(ms)/4:
		h.ask = len(ms) / 2
	}
	for i := range ms[:h.to] {
		m, header := &ms[i], &h.messages[i]
		m.N, m.Addr = int(header.Len), address(&h.names[i])
		if header.Hdr.Flags&unix.MSG_TRUNC != 0 {
			m.N = 0
		}
		c.platform.read(h.control(i)[:header.Hdr.Controllen], m)
	}
	return h.to, nil
}

// receive fills messages[:to] and sets to to how many it has filled, or asks to
// be called again when there is something to read.
//
// Neither call waits (MSG_DONTWAIT), so neither tells Go's scheduler that it might: a thread
// that leaves for the kernel for 100 µs would have to queue for its core behind all that
// became ready meanwhile, and does so forty times for a frame of 5,000 ears.
func (h *headers) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&h.messages[0])), uintptr(h.to), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			h.to = int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			h.errno = errno
			return true
		}
	}
}

// transmit sends messages[from:to] up to the first that fails and moves from to
// it. The kernel gives the reason only to a call that begins with it.
func (h *headers) transmit(fd uintptr) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&h.messages[h.from])), uintptr(h.to-h.from), unix.MSG_DONTWAIT, 0, 0)
	if errno == 0 {
		h.from += int(n)
	}
	h.errno = errno
}

// take lends a writer headers of its own.
func (c *batching) take() *headers {
	c.omu.Lock()
	defer c.omu.Unlock()
	if last := len(c.out) - 1; last >= 0 {
		h := c.out[last]
		c.out = c.out[:last]
		return h
	}
	h := new(headers)
	h.send = h.transmit
	return h
}

func (c *batching) put(h *headers) {
	c.omu.Lock()
	c.out = append(c.out, h)
	c.omu.Unlock()
}

func (c *batching) Drops() (uint64, bool)             { return c.platform.drops() }
func (c *batching) Refused() uint64                   { return c.refused.Load() }
func (c *batching) LocalAddr() netip.AddrPort         { return c.addr }
func (c *batching) SetReadDeadline(t time.Time) error { return c.socket.SetReadDeadline(t) }

// SetGather implements Conn.
func (c *batching) SetGather(every time.Duration) {
	if c.gather != nil {
		c.gather.every.Store(int64(every))
	}
}

func (c *batching) Close() error {
	c.platform.drops() // the last figure, kept
	return c.socket.Close()
}

// setAddress encodes an address for a socket of a family and returns its length,
// or 0 if it has none there. Ports are big-endian wherever they are.
func setAddress(s *unix.RawSockaddrInet6, a netip.AddrPort, v6 bool) uint32 {
	ip, port := a.Addr(), a.Port()
	if !ip.IsValid() {
		return 0
	}
	if !v6 {
		ip = ip.Unmap()
		if !ip.Is4() {
			return 0
		}
		s4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		s4.Family, s4.Addr = unix.AF_INET, ip.As4()
		*(*[2]byte)(unsafe.Pointer(&s4.Port)) = [2]byte{byte(port >> 8), byte(port)}
		return unix.SizeofSockaddrInet4
	}
	s.Family, s.Addr, s.Flowinfo, s.Scope_id = unix.AF_INET6, ip.As16(), 0, 0
	*(*[2]byte)(unsafe.Pointer(&s.Port)) = [2]byte{byte(port >> 8), byte(port)}
	if zone := ip.Zone(); zone != "" {
		s.Scope_id = zoneIndex(zone)
	}
	return unix.SizeofSockaddrInet6
}

// address decodes an address that the kernel wrote.
func address(s *unix.RawSockaddrInet6) netip.AddrPort {
	p := *(*[2]byte)(unsafe.Pointer(&s.Port))
	port := uint16(p[0])<<8 | uint16(p[1])
	if s.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(s)).Addr), port)
	}
	ip := netip.AddrFrom16(s.Addr).Unmap()
	if s.Scope_id != 0 && ip.Is6() {
		ip = ip.WithZone(zoneName(s.Scope_id))
	}
	return netip.AddrPortFrom(ip, port)
}

// zoneName returns an interface's zone by its number: to ask for its name would be a
// system call for each datagram.
func zoneName(index uint32) string { return strconv.FormatUint(uint64(index), 10) }

// zoneIndex returns the number of an interface, or 0 if there is none with that name.
func zoneIndex(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(i.Index)
}
