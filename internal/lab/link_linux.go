package lab

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// Slow puts a network between a machine and the others, for all that it sends and
// receives: up is what it sends. Packets do not overtake one another.
func (l *Lab) Slow(i int, up, down network.Direction) {
	l.t.Helper()
	sends, receives := network.NewPath(up, uint64(i), 1), network.NewPath(down, uint64(i), 2)
	l.slow(i, func([]byte) *network.Path { return sends }, func([]byte) *network.Path { return receives })
}

// SlowBetween puts a network between machines, for all that they send one another. What they send others, or others
// them, arrives at once. Packets between two machines do not overtake one another.
func (l *Lab) SlowBetween(machines []int, way network.Direction) {
	l.t.Helper()
	for _, i := range machines {
		paths := map[netip.Addr]*network.Path{}
		for _, to := range machines {
			if to != i {
				paths[l.Address(to)] = network.NewPath(way, uint64(i), uint64(to))
			}
		}
		l.slow(i, func(packet []byte) *network.Path {
			if len(packet) < ipv4Header {
				return nil
			}
			return paths[netip.AddrFrom4([4]byte(packet[ipv4Header-4:ipv4Header]))] // where it goes
		}, func([]byte) *network.Path { return nil })
	}
}

// ipv4Header is the length of an IPv4 header without options.
const ipv4Header = 20

// slow has a machine's packets pass through the paths that are returned for them; nil: at once.
func (l *Lab) slow(i int, up, down func(packet []byte) *network.Path) {
	l.t.Helper()
	// The machine's packets leave by a TUN device instead of its Ethernet, and come out of
	// another beside the bridge, which routes there and answers ARP for the machine.
	device := fmt.Sprintf("slow%d", i)
	near, far := l.tun(l.machine(i), device), l.tun(l.bridge(), device)
	l.ip("-n", l.machine(i), "link", "del", "eth0")
	l.ip("-n", l.machine(i), "addr", "add", l.Address(i).String()+"/16", "dev", device)
	l.ip("-n", l.machine(i), "link", "set", device, "up")
	l.ip("-n", l.bridge(), "link", "set", device, "up")
	l.ip("-n", l.bridge(), "route", "add", l.Address(i).String()+"/32", "dev", device)
	l.within(l.bridge(), func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	l.within(l.bridge(), func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/br0/proxy_arp", []byte("1"), 0) })
	var running sync.WaitGroup
	running.Go(func() { forward(near, far, up) })
	running.Go(func() { forward(far, near, down) })
	l.t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
		running.Wait()
	})
}

// within runs f in the network of a namespace.
func (l *Lab) within(namespace string, f func() error) {
	l.t.Helper()
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine, which never gives it back: no other
		// goroutine shall find itself in another network.
		runtime.LockOSThread()
		done <- func() error {
			fd, err := unix.Open("/run/netns/"+namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	require.NoError(l.t, <-done)
}

// tun makes a TUN device in a namespace, and returns its other end.
func (l *Lab) tun(namespace, device string) (f *os.File) {
	l.t.Helper()
	l.within(namespace, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			l.t.Skipf("TUN devices are not allowed here: %v", err)
		}
		request, err := unix.NewIfreq(device)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), device)
		return nil
	})
	return f
}

// delayed is a packet, and when it is to arrive.
type delayed struct {
	at   time.Duration
	data []byte
}

// forward passes packets on until one of the files is closed.
func forward(from, to *os.File, pathOf func(packet []byte) *network.Path) {
	began := time.Now()
	queues := map[*network.Path]chan delayed{}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer func() {
		for _, q := range queues {
			close(q)
		}
	}()
	queueOf := func(path *network.Path) chan delayed {
		if queues[path] == nil {
			// As many as two seconds of a fast link: what is more is lost, as in a router.
			queue := make(chan delayed, 10_000)
			queues[path] = queue
			sending.Go(func() {
				for p := range queue {
					time.Sleep(p.at - time.Since(began))
					_, _ = to.Write(p.data) // a packet that can't be sent is lost
				}
			})
		}
		return queues[path]
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		path := pathOf(buffer[:n])
		if path == nil {
			_, _ = to.Write(buffer[:n])
			continue
		}
		at, fate := path.Pass(time.Since(began), n)
		if fate != network.Delivered {
			continue
		}
		select {
		case queueOf(path) <- delayed{at, append([]byte(nil), buffer[:n]...)}:
		default:
		}
	}
}
