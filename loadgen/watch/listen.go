package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// goodbyes is how long an ending server waits for what it is about to send.
const goodbyes = 2 * time.Second

// A site is an HTTP server on an address of its own.
type site struct {
	server *http.Server
	addr   net.Addr
	served chan error
}

// TCPNetwork returns the network to listen on an address in, for net.Listen: told
// 0.0.0.0 in "tcp", it listens on all IPv6 addresses, too.
func TCPNetwork(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// listen serves a handler on an address until close.
func listen(address string, handler http.Handler) (*site, error) {
	l, err := net.Listen(TCPNetwork(address), address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	s := &site{server: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}, addr: l.Addr(), served: make(chan error, 1)}
	go func() { s.served <- s.server.Serve(l) }() // ends with close
	return s, nil
}

func (s *site) url() string { return "http://" + s.addr.String() }

// close waits for requests that are being answered, and cuts those that take too
// long.
func (s *site) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyes)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close() // a reader who does not read is no fault of the run
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
