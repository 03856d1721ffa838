// Package reach tells which addresses others than this machine can reach, and keeps
// services that are for this machine alone from the pages of its browsers. Its functions
// are safe for concurrent use.
package reach

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Outside reports whether others than this machine can reach a service that listens on an
// address, or may be at one: a host, with a port or without. A name other than localhost
// counts as outside, whatever it means at present, and so does no host at all, which is
// every interface.
func Outside(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.Unmap().IsLoopback()
}

// A NATSConn is a connection to a NATS server, as nats.Conn has it.
type NATSConn interface {
	TLSConnectionState() (tls.ConnectionState, error)
	ConnectedAddr() string
}

// Plain reports whether a connection goes over a network unencrypted. A server of a nats://
// URL may have asked for TLS.
func Plain(c NATSConn) bool {
	_, err := c.TLSConnectionState()
	return err != nil && Outside(c.ConnectedAddr())
}

// TCPNetwork returns the network to listen on an address in, for net.Listen: told
// 0.0.0.0 in "tcp", it listens on all IPv6 addresses, too.
func TCPNetwork(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// Guard keeps pages from elsewhere out of a service that asks for no password. If only
// this machine can reach the address on which it listens, it must be called by a name of
// this machine: a page whose name is made to mean 127.0.0.1 (DNS rebinding) calls it by its
// own.
func Guard(address string, next http.Handler) http.Handler {
	if Outside(address) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Outside(r.Host) {
			http.Error(w, "this is for this machine alone: call it 127.0.0.1, [::1] or localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// WithScheme returns the URL that people mean by an address such as 127.0.0.1:7080: of
// plain HTTP. Anything else is returned as it is.
func WithScheme(target string) string {
	host, _, _ := strings.Cut(target, "/")
	if strings.Contains(target, "://") {
		return target
	}
	if _, port, err := net.SplitHostPort(host); err != nil || port == "" || strings.Trim(port, "0123456789") != "" {
		return target
	}
	return "http://" + target
}
