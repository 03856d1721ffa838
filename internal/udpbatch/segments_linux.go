package udpbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxSegments is how many datagrams Linux makes of one message: 64 before
	// Linux 6.9, and more since.
	maxSegments = 64
	// maxPayload is what one message may hold, whatever is made of it.
	maxPayload = 65507
)

// segmentControl is the room that setSegment takes.
var segmentControl = unix.CmsgSpace(2)

// setSegment writes the control message that has the kernel cut a message into
// datagrams of so many bytes.
func setSegment(b []byte, size int) {
	header := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	header.Level, header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(size))
}

// refusesSegments reports whether an error of sendmmsg can mean that a message was
// refused for its segments: a device that can't work out their checksums, an IPsec
// route (EIO), a socket without checksums (EINVAL), a small MTU (EMSGSIZE, EINVAL).
func refusesSegments(errno error) bool {
	return errors.Is(errno, unix.EIO) || errors.Is(errno, unix.EINVAL) || errors.Is(errno, unix.EMSGSIZE)
}

// probeSegments says why this system does not cut messages into datagrams, or nil
// if it does. A kernel older than Linux 4.18 passes over the control message, and
// would send one datagram of them all; so might whatever stands in for a kernel,
// even if it takes the option.
var probeSegments = sync.OnceValue(func() error {
	const size = 8
	ends := [2]*net.UDPConn{}
	for i := range ends {
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return fmt.Errorf("try UDP_SEGMENT on the loopback: %w", err)
		}
		defer func() { _ = u.Close() }()
		ends[i] = u
	}
	oob := make([]byte, segmentControl)
	setSegment(oob, size)
	if _, _, err := ends[0].WriteMsgUDPAddrPort(make([]byte, 2*size), oob, ends[1].LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		return fmt.Errorf("try UDP_SEGMENT on the loopback: %w", err)
	}
	raw, err := ends[1].SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		// The loopback has delivered them when the call that sent them returns.
		for range 2 {
			n, _, err := unix.Recvfrom(int(fd), make([]byte, 2*size), unix.MSG_DONTWAIT)
			if failed == nil && (err != nil || n != size) {
				failed = fmt.Errorf("try UDP_SEGMENT on the loopback: %d bytes came instead of %d (%w)", n, size, errors.Join(err, errors.ErrUnsupported))
			}
		}
	})
	return errors.Join(err, failed)
})

// canSegment says why messages on a socket are not cut by the kernel, or nil if
// they are. It sets a size of 0, which is none, and is refused where the option is
// not known.
func canSegment(control func(f func(fd uintptr)) error) error {
	if err := probeSegments(); err != nil {
		return err
	}
	var set error
	err := control(func(fd uintptr) {
		set = os.NewSyscallError("set UDP_SEGMENT", unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 0))
	})
	return errors.Join(err, set)
}
