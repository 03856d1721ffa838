package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Lab is some machines on one network. It ends with its test.
type Lab struct {
	t        testing.TB
	name     string
	machines int
}

var labs atomic.Int64

// New makes machines, numbered from 0. It skips the test if it may not.
func New(t testing.TB, machines int) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are for root alone")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip command (Debian: iproute2)")
	}
	l := &Lab{t: t, name: fmt.Sprintf("es%d-%d", os.Getpid(), labs.Add(1)), machines: machines}
	if out, err := exec.Command("ip", "netns", "add", l.bridge()).CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not allowed here: %s", strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() { l.ip("netns", "del", l.bridge()) })
	l.ip("-n", l.bridge(), "link", "add", "name", "br0", "type", "bridge")
	l.ip("-n", l.bridge(), "addr", "add", l.address(255).String()+"/16", "dev", "br0")
	l.ip("-n", l.bridge(), "link", "set", "br0", "up")
	for i := range machines {
		l.add(i)
	}
	return l
}

func (l *Lab) add(i int) {
	l.t.Helper()
	port := fmt.Sprintf("port%d", i)
	l.ip("netns", "add", l.machine(i))
	l.t.Cleanup(func() { l.end(i); l.ip("netns", "del", l.machine(i)) })
	l.ip("-n", l.machine(i), "link", "set", "lo", "up")
	l.ip("-n", l.machine(i), "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", l.bridge())
	l.ip("-n", l.bridge(), "link", "set", port, "master", "br0", "up")
	l.ip("-n", l.machine(i), "addr", "add", l.Address(i).String()+"/16", "dev", "eth0")
	l.ip("-n", l.machine(i), "link", "set", "eth0", "up")
}

func (l *Lab) bridge() string { return l.name + "-br" }

func (l *Lab) machine(i int) string { return fmt.Sprintf("%s-%d", l.name, i) }

func (l *Lab) address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 213, byte(i), 1}) }

// Address is that of a machine.
func (l *Lab) Address(i int) netip.Addr {
	l.t.Helper()
	require.Less(l.t, i, l.machines)
	return l.address(i)
}

// Command is a command on a machine. Its process is the command's own, so that it can be
// stopped and killed.
func (l *Lab) Command(i int, name string, args ...string) *exec.Cmd {
	l.t.Helper()
	require.Less(l.t, i, l.machines)
	return exec.CommandContext(l.t.Context(), "ip", append([]string{"netns", "exec", l.machine(i), name}, args...)...)
}

// ip runs a command of iproute2.
func (l *Lab) ip(args ...string) {
	l.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(l.t, err, "ip %s: %s", strings.Join(args, " "), out)
}
