package signaling

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

var (
	errHost   = wire.NewError(wire.CodeForbidden, "this open server is for this machine alone: call it 127.0.0.1, [::1] or localhost, or start it with --public-url")
	errOrigin = wire.NewError(wire.CodeForbidden, "this open server is for this machine alone, and a page from elsewhere may not use it; start it with --public-url if the page is its own")
)

// forThisMachine keeps pages from elsewhere out of an open server that only this machine
// can reach: its browser can be led there by a page whose name is made to mean 127.0.0.1
// (DNS rebinding), and no token stops it. The name in the request tells, and the page's
// origin.
func (s *Server) forThisMachine(next http.Handler) http.Handler {
	if !s.cfg.Open || !s.cfg.LoopbackOnly {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !ownName(r.Host, s.cfg.PublicURL):
			apierr.Write(w, s.log, errHost)
			return
		case !ownOrigin(r.Header.Values("Origin"), s.cfg.PublicURL):
			apierr.Write(w, s.log, errOrigin)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownName reports whether a host, with a port or without, is this machine or the public URL's.
func ownName(host string, public *url.URL) bool {
	if public != nil && strings.EqualFold(host, public.Host) {
		return true
	}
	return !reach.Outside(host)
}

// ownOrigin reports whether a request comes from no page, or from one of this machine or
// of the public URL. A page without an origin ("null") may be anybody's.
func ownOrigin(origins []string, public *url.URL) bool {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.User != nil || !ownName(u.Host, public) {
			return false
		}
	}
	return true
}
