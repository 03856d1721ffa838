package signaling

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behindProxies lets requests that trusted proxies pass on look like those of the clients
// themselves: everything after it goes by the request's remote address. A proxy adds the
// address that it was reached from to X-Forwarded-For, so the client is the last one
// there that is no trusted proxy; what stands before it, anybody may have written.
func (s *Server) behindProxies(next http.Handler) http.Handler {
	if len(s.cfg.TrustedProxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.trusts(from.Addr()) {
			r = r.Clone(r.Context())
			if client, ok := s.forwardedFor(r.Header.Values("X-Forwarded-For")); ok {
				r.RemoteAddr = netip.AddrPortFrom(client, from.Port()).String()
			}
			if s.cfg.PublicURL != nil {
				r.Host = s.cfg.PublicURL.Host // it may have passed on its own name for the server
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// forwardedFor returns the last address of the header fields that is no trusted proxy's;
// false if there is none, or it is no address: then the request counts as the proxy's.
func (s *Server) forwardedFor(fields []string) (netip.Addr, bool) {
	list := strings.Split(strings.Join(fields, ","), ",")
	for _, text := range slices.Backward(list) {
		a, ok := parseForwarded(strings.TrimSpace(text))
		if !ok {
			return netip.Addr{}, false
		}
		if !s.trusts(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// parseForwarded reads an address, which some proxies give a port.
func parseForwarded(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap().WithZone(""), err == nil
}
