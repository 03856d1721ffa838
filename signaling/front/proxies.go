package front

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Proxies are the addresses of trusted reverse proxies.
type Proxies []netip.Prefix

// errDisagree refuses a request whose headers name different clients: a proxy writes one
// of them, and passes on the other as the client sent it. Nobody can tell which.
var errDisagree = wire.NewError(wire.CodeBadRequest, "Forwarded and X-Forwarded-For disagree; the proxy has to remove the one that it does not write")

// errForwarded refuses a Forwarded header that is none. The client may have written its
// beginning so that it hides what the proxy has added.
var errForwarded = wire.NewError(wire.CodeBadRequest, "the Forwarded header is malformed (RFC 7239)")

// Trusts reports whether an address is a trusted proxy's.
func (p Proxies) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(trusted netip.Prefix) bool { return trusted.Contains(a) })
}

// Client returns who a request comes from, of which a trusted proxy has passed on these
// headers; false if it does not say, and the request counts as the proxy's own. A proxy
// adds the address that it was reached from at the end, so the client is the last one
// that is no trusted proxy: what stands before it, anybody may have written.
func (p Proxies) Client(header http.Header) (client netip.Addr, known bool, err error) {
	list := header.Values("X-Forwarded-For")
	if len(list) > 0 {
		client, known = p.last(strings.Split(strings.Join(list, ","), ","), parseAddress)
	}
	standard := header.Values("Forwarded")
	if len(standard) == 0 {
		return client, known, nil
	}
	nodes, ok := parseForwarded(strings.Join(standard, ","))
	if !ok {
		return netip.Addr{}, false, errForwarded
	}
	also, alsoKnown := p.last(nodes, parseNode)
	if len(list) > 0 && (also != client || alsoKnown != known) {
		return netip.Addr{}, false, errDisagree
	}
	return also, alsoKnown, nil
}

// last returns the last address of a list that is no trusted proxy's; false if there is
// none, or something that is no address stands behind it.
func (p Proxies) last(list []string, parse func(string) (netip.Addr, bool)) (netip.Addr, bool) {
	for _, text := range slices.Backward(list) {
		a, ok := parse(text)
		if !ok {
			return netip.Addr{}, false
		}
		if !p.Trusts(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// parseAddress reads an address of X-Forwarded-For, which no standard describes: some
// proxies write brackets, and some a port.
func parseAddress(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap().WithZone(""), err == nil
}
