package signaling

import (
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/signaling/apierr"
)

// behindProxies lets requests that trusted proxies pass on look like those of the clients
// themselves: everything after it goes by the request's remote address.
func (s *Server) behindProxies(next http.Handler) http.Handler {
	if len(s.cfg.TrustedProxies) == 0 {
		return next
	}
	refused := rate.Sometimes{Interval: time.Minute} // anybody can cause it
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.cfg.TrustedProxies.Trusts(from.Addr()) {
			client, known, err := s.cfg.TrustedProxies.Client(r.Header)
			if err != nil {
				refused.Do(func() { s.log.Warn("a proxy does not say who the client is", "proxy", from, "error", err) })
				apierr.Write(w, s.log, err)
				return
			}
			r = r.Clone(r.Context())
			if known {
				r.RemoteAddr = netip.AddrPortFrom(client, from.Port()).String()
			}
			if s.cfg.PublicURL != nil {
				r.Host = s.cfg.PublicURL.Host // it may have passed on its own name for the server
			}
		}
		next.ServeHTTP(w, r)
	})
}
