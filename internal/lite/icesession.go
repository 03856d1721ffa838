package lite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// iceSession is one ICE session of a route (RFC 8445, section 9): the credentials of
// both sides. A restart begins another; a session itself does not change.
type iceSession struct {
	route  *route
	local  sdp.Credentials // this side's
	remote sdp.Credentials // the client's; the password may be empty
}

// Restart begins another ICE session with other credentials of both sides (RFC 8445,
// section 9). The client is reached as before, and its old credentials hold, until a check
// of the new session nominates an address: from then on the old ones are unknown. Another
// Restart before that takes the place of this one. DTLS and SRTP go on.
func (p *Peer) Restart(local, remote sdp.Credentials) error {
	return p.server.restart(&p.route, local, remote)
}

// Restart begins another ICE session as [Peer.Restart] does. The agent does not learn of
// it: the server answers the session's checks and passes them on as checks of the agent's own.
func (x *External) Restart(local, remote sdp.Credentials) error {
	return x.server.restart(&x.route, local, remote)
}

func (s *Server) restart(r *route, local, remote sdp.Credentials) error {
	if err := local.Validate(); err != nil {
		return fmt.Errorf("local credentials: %w", err)
	}
	if err := remote.Validate(); err != nil {
		return fmt.Errorf("the client's credentials: %w", err)
	}
	return s.demux.restart(&iceSession{route: r, local: local, remote: remote})
}

// restart makes a route known by the credentials of another session, too.
func (d *demux) restart(next *iceSession) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := next.route
	switch {
	case d.closed || r.removed:
		return fmt.Errorf("session: %w", ErrClosed)
	case d.byUfrag[next.local.Ufrag] != nil:
		return fmt.Errorf("ICE user name fragment %q is in use", next.local.Ufrag)
	case r.session.remote == next.remote:
		return errors.New("a restart needs other credentials than the session's")
	}
	if r.next != nil {
		delete(d.byUfrag, r.next.local.Ufrag)
	}
	r.next = next
	d.byUfrag[next.local.Ufrag] = next
	return nil
}

// confirm makes the session that a restart has begun the only one of its route.
func (d *demux) confirm(s *iceSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := s.route
	if r.removed || r.next != s {
		return // by another check meanwhile
	}
	delete(d.byUfrag, r.session.local.Ufrag)
	r.session, r.next = s, nil
}

// authenticate reports whether a check of the session can be answered with success. If it
// is authentic and can't, it is answered with the reason.
func (s *Server) authenticate(m *stunMessage, session *iceSession, h *stunHMAC, from netip.AddrPort, reply Sender) bool {
	pwd := session.local.Pwd
	switch {
	case !m.authentic(h, pwd):
		s.unauthentic.Add(1)
	case m.unknown != 0:
		reply.Send(appendBindingError(h.out[:0], h, m.transaction, codeUnknown, m.unknown, pwd), from)
	case m.controlled: // so are we, always
		reply.Send(appendBindingError(h.out[:0], h, m.transaction, codeRoleConflict, 0, pwd), from)
	default:
		return true
	}
	return false
}

// appendReadressed writes a check anew, as if it had been made in another session.
func (m *stunMessage) appendReadressed(b []byte, h *stunHMAC, as *iceSession) []byte {
	b = appendSTUN(b, m.kind, m.transaction)
	b = appendUsername(b, as.local.Ufrag, as.remote.Ufrag)
	for at := stunHeader; at < m.integrityAt; {
		attr, n := binary.BigEndian.Uint16(m.raw[at:]), (int(binary.BigEndian.Uint16(m.raw[at+2:]))+3)&^3
		if attr != attrUsername {
			b = append(b, m.raw[at:at+4+n]...)
		}
		at += 4 + n
	}
	return appendIntegrity(b, h, as.local.Pwd)
}
