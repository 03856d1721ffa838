package scoreboard

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/meter"
)

// SameMachine reports whether the server is known to be on the generator's machine, where both want the same
// cores: its process is measured here, or its address is one of this machine's.
func SameMachine(c Config) bool {
	if _, measured := c.Server.(meter.Process); measured {
		return true
	}
	return c.Driver.Loopback() || here(c.Driver.Target())
}

// here reports whether a target's address is one of this machine's, or its name is this machine's. Other names are
// not looked up. A server may be here though its media do not go by the loopback interface ([driver.Driver.Loopback]).
func here(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	if name, err := os.Hostname(); driver.OnLoopback(u) || err == nil && strings.EqualFold(u.Hostname(), name) {
		return true
	}
	at, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == at.Unmap().WithZone("") {
			return true
		}
	}
	return false
}
