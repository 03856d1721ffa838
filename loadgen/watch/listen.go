package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/internal/reach"
)

// goodbyes is how long an ending server waits for what it is about to send.
const goodbyes = 2 * time.Second

// A site is an HTTP server on an address of its own.
type site struct {
	server *http.Server
	addr   net.Addr
	served chan error
}

// listen serves a handler on an address until close. If that is this machine's alone, so
// are its names.
func listen(address string, handler http.Handler) (*site, error) {
	l, err := net.Listen(reach.TCPNetwork(address), address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	s := &site{server: &http.Server{Handler: reach.Guard(address, handler), ReadHeaderTimeout: 10 * time.Second}, addr: l.Addr(), served: make(chan error, 1)}
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
