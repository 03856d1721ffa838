package rtc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/udpproxy"
)

// startProxy starts a proxy between a client and an engine, on which a test
// decides what arrives, and in which order.
func startProxy(t *testing.T, e *Engine) *udpproxy.Proxy {
	t.Helper()
	return udpproxy.Start(t, netip.MustParseAddrPort("127.0.0.1:0"), e.Addr())
}

// viaProxy gives an answer whose only candidate is the proxy.
func viaProxy(p *udpproxy.Proxy, answer string) string {
	var lines []string
	for line := range strings.SplitSeq(answer, "\r\n") {
		if strings.HasPrefix(line, "a=candidate:") {
			line = "a=candidate:" + sdp.HostCandidate(0, p.Addr())
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\r\n")
}

// onlyAlerts passes DTLS alerts on and nothing else.
func onlyAlerts(_ netip.AddrPort, b []byte) [][]byte {
	if b[0] == 21 {
		return [][]byte{b}
	}
	return nil
}
