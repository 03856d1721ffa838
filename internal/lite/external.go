package lite

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// External is an ICE agent of another library that shares the server's port. The
// server finds its datagrams and leaves the rest to it: answers, consent and DTLS.
type External struct {
	server  *Server
	route   route
	receive func(b []byte, from netip.AddrPort)
}

// AddExternal lets an external agent with these credentials have its datagrams:
// ICE checks that name it, and whatever comes from an address that an authentic
// check for it came from, of which the latest four are known. Checks from these
// addresses are passed on as they come; the agent has to authenticate them.
//
// receive is called from the goroutines that call Handle. It must not block, nor
// keep b or call the server.
func (s *Server) AddExternal(local sdp.Credentials, receive func(b []byte, from netip.AddrPort)) (*External, error) {
	if err := local.Validate(); err != nil {
		return nil, fmt.Errorf("local credentials: %w", err)
	}
	if receive == nil {
		return nil, errors.New("an external agent needs a receiver for its datagrams")
	}
	x := &External{server: s, receive: receive}
	x.route = route{local: local, external: x}
	if err := s.demux.add(&x.route); err != nil {
		return nil, err
	}
	return x, nil
}

// Remove forgets the agent and its addresses. A datagram may still be on its way
// to receive when Remove returns. It may be called more than once.
func (x *External) Remove() { x.server.demux.remove(&x.route) }
