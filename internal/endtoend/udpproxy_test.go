package endtoend_test

import (
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/internal/udpproxy"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

// proxyHost is the address of a proxy.
const proxyHost = "127.0.0.2"

// A traffic records what each client sends to a server's media port.
type traffic struct {
	mu      sync.Mutex
	clients map[netip.AddrPort]clientTraffic
}

// clientTraffic is when one address sent STUN checks and RTCP reports.
type clientTraffic struct {
	checks, reports []time.Time
}

// serveBehindUDPProxy starts an open server that can be reached by a proxy alone,
// which records what passes.
func serveBehindUDPProxy(t *testing.T) (string, *traffic) {
	t.Helper()
	host := netip.MustParseAddr(proxyHost)
	url, media := serveMedia(t, rtc.Config{Media: "127.0.0.1:0", Advertise: host}, signaling.Config{Open: true})
	recorded := &traffic{clients: map[netip.AddrPort]clientTraffic{}}
	udpproxy.Start(t, netip.AddrPortFrom(host, media.Port()), media).Filter(recorded.record, nil)
	return url, recorded
}

func (r *traffic) record(client netip.AddrPort, b []byte) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[client]
	switch {
	case isCheck(b):
		c.checks = append(c.checks, time.Now())
	case isReport(b):
		c.reports = append(c.reports, time.Now())
	}
	r.clients[client] = c
	return [][]byte{b}
}

// all is what has come so far, by the client's address.
func (r *traffic) all() map[netip.AddrPort]clientTraffic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.clients)
}
