package lite

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// earlyPackets is how many packets wait while the client's side of a handshake
// ends: the server may send as soon as its own has.
const earlyPackets = 16

// ClientEvents is what the owner of a client is told. Ready and Closed come from
// the goroutines of handshakes, of Handle or of Tick; the others from Handle
// alone. They have to be quick, and may call Client.Close and SendRTCP.
type ClientEvents interface {
	// Ready: the keys are there.
	Ready(c *Client)
	// RTP: an authentic packet came, at now as Handle was given it. index is its
	// rollover count and sequence number. The packet is valid during the call.
	RTP(c *Client, packet []byte, index uint64, now time.Time)
	// RTCP: an authentic compound packet came. It is valid during the call.
	RTCP(c *Client, packet []byte, now time.Time)
	// Refused: an RTP or RTCP packet was not taken: srtp.ErrUnauthentic, srtp.ErrReplayed
	// (which includes duplicates), srtp.ErrMalformed or srtp.ErrSources.
	Refused(c *Client, reason error, now time.Time)
	// Closed: the session is over: ErrPeerClosed, ErrConsent, ErrNoCheck or the
	// failure of the handshake. It is not called after Close.
	Closed(c *Client, reason error)
}

// Client is one receive-only client. Handle has one caller at a time; all other
// methods may be called from any goroutine. Its private methods are one for each kind of
// datagram and each step of ICE and DTLS: they share one lock.
type Client struct {
	// What a packet takes stands in one line of the cache: these, and what is first
	// of the configuration.
	opener  atomic.Pointer[srtp.Opener] // used by Handle's caller only
	waiting atomic.Bool                 // early is not empty
	cfg     ClientConfig
	group   *ClientGroup

	deadline  time.Time // guarded by group.timers.mu
	heapIndex int       // guarded by group.timers.mu

	mu        sync.Mutex
	closed    bool
	ice       checklist
	mapped    netip.AddrPort // how the server sees the client
	checked   bool           // by the server, which is a full ICE agent
	handshake *pendingHandshake
	dtls      *dtls.Session
	sealer    *srtp.Sealer
	early     []earlyPacket
}

type earlyPacket struct {
	b  []byte
	at time.Time
}

func newClient(g *ClientGroup, cfg ClientConfig, now time.Time) *Client {
	return &Client{group: g, cfg: cfg, ice: checklist{
		check: check{to: cfg.Remote.Ufrag, from: cfg.Local.Ufrag, key: cfg.Remote.Pwd,
			priority: hostPriority, tiebreaker: rand.Uint64(), controlling: true},
		next: now,
	}}
}

// Mapped is the client's address as the server sees it; invalid before the
// first answered check.
func (c *Client) Mapped() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mapped
}

// Checked is when the first check was answered; zero before that.
func (c *Client) Checked() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ice.first
}

// Handle takes a datagram that came in for this client. It writes into b
// (packets are opened in place) and keeps nothing of it, but for the few packets
// that come before the client has its keys: those are heard, with the times of
// their arrival, when the next datagram of any kind is handled.
func (c *Client) Handle(b []byte, from netip.AddrPort, now time.Time) {
	if c.waiting.Load() {
		c.openEarly()
	}
	from = unmap(from)
	k := classify(b)
	if k == kindSTUN {
		c.handleSTUN(b, from, now)
		return
	}
	if from != c.cfg.Server {
		return
	}
	switch k {
	case kindDTLS:
		c.handleDTLS(b, now)
	case kindRTP, kindRTCP:
		if opener := c.opener.Load(); opener != nil {
			c.open(opener, k, b, now)
		} else {
			c.keepEarly(b, now)
		}
	}
}

// Prefetch asks for the memory that the next packet to Handle takes, in four
// steps. What a step asks for is where the next finds what to ask for, so that
// others' steps go between. It may be called like Handle.
func (c *Client) Prefetch(step int) {
	if step == 0 {
		prefetch.Span(&c.opener, &c.cfg.Server)
		return
	}
	if opener := c.opener.Load(); opener != nil {
		opener.Prefetch(step)
	}
}

// keepEarly keeps a packet that came before the keys.
func (c *Client) keepEarly(b []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.early) < earlyPackets && !c.closed {
		c.early = append(c.early, earlyPacket{append([]byte(nil), b...), now})
		c.waiting.Store(true)
	}
}

// openEarly opens the packets that came before the keys, if the keys are there.
func (c *Client) openEarly() {
	opener := c.opener.Load()
	if opener == nil {
		return
	}
	c.mu.Lock()
	early := c.early
	c.early = nil
	c.waiting.Store(false)
	c.mu.Unlock()
	for _, e := range early {
		c.open(opener, classify(e.b), e.b, e.at)
	}
}

func (c *Client) open(opener *srtp.Opener, k datagramKind, b []byte, now time.Time) {
	if k == kindRTP {
		plain, index, err := opener.OpenRTP(b)
		if err != nil {
			c.cfg.Events.Refused(c, err, now)
			return
		}
		c.cfg.Events.RTP(c, plain, index, now)
		return
	}
	plain, err := opener.OpenRTCP(b)
	if err != nil {
		c.cfg.Events.Refused(c, err, now)
		return
	}
	c.cfg.Events.RTCP(c, plain, now)
}

// SendRTCP seals a compound packet and sends it; before Ready it gives
// ErrNotReady.
func (c *Client) SendRTCP(packet []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealer == nil || c.closed {
		return ErrNotReady
	}
	h := c.group.hmacs.get() // for its memory
	defer c.group.hmacs.put(h)
	dst := h.out[:0]
	if need := len(packet) + c.sealer.OverheadRTCP(); need > cap(dst) {
		dst = make([]byte, 0, need)
	}
	sealed, err := c.sealer.SealRTCP(dst, packet)
	if err != nil {
		return err
	}
	c.cfg.Send.Send(sealed, c.cfg.Server)
	return nil
}

func (c *Client) handleDTLS(b []byte, now time.Time) {
	c.mu.Lock()
	var closed bool
	var reply []byte
	switch {
	case c.closed:
	case c.dtls != nil:
		closed, reply = c.dtls.Handle(b, now)
	case c.handshake != nil:
		c.handshake.pipe.put(b)
	}
	c.mu.Unlock()
	if len(reply) > 0 {
		c.cfg.Send.Send(reply, c.cfg.Server)
	}
	if closed {
		c.end(ErrPeerClosed)
	}
}

// startHandshake starts the handshake. c.mu is held.
func (c *Client) startHandshake(now time.Time) {
	g := c.group
	pipe := newPipe(g.cfg.Limit, func(b []byte) { c.cfg.Send.Send(b, c.cfg.Server) })
	h := handshake{pipe: pipe, client: true, config: g.dtls, fingerprint: c.cfg.Fingerprint, limit: g.cfg.Limit}
	begun := g.startWorker(func() {
		if err := c.completeHandshake(h.run()); err != nil {
			c.end(err)
		}
	})
	if begun {
		c.handshake = &pendingHandshake{pipe: pipe, since: now}
		c.hurry()
	}
}

// hurry has the handshake send its hello again soon, if the server checks the path itself. libnice takes
// no DTLS before its own check is answered, and what came earlier is lost. c.mu is held.
func (c *Client) hurry() {
	if c.checked && c.handshake != nil {
		c.handshake.pipe.hurry()
	}
}

// completeHandshake takes over the result of the handshake.
func (c *Client) completeHandshake(s *handshakeResult, err error) error {
	if err != nil {
		return err
	}
	k := &s.keys
	sealer, err := srtp.NewRTCPSealer(k.Profile, k.LocalKey, k.LocalSalt)
	if err != nil {
		return err
	}
	opener, err := srtp.NewOpener(k.Profile, k.RemoteKey, k.RemoteSalt)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	rest, since := c.handshake.pipe.drain(), c.handshake.since
	c.handshake, c.dtls, c.sealer = nil, s.dtls, sealer
	c.mu.Unlock()
	c.cfg.Events.Ready(c)
	c.opener.Store(opener) // from here on Handle calls RTP
	for _, b := range rest {
		c.handleDTLS(b, since)
	}
	return nil
}

// end forgets the client and tells its owner.
func (c *Client) end(reason error) {
	if !c.group.remove(c) {
		return
	}
	c.stop(!errors.Is(reason, ErrPeerClosed))
	c.cfg.Events.Closed(c, reason)
}

// Close forgets the client and tells the server so with a close_notify, if
// there is a session. A callback that has begun may still be running when Close
// returns.
func (c *Client) Close() {
	if c.group.remove(c) {
		c.stop(true)
	}
}

// CloseSilently forgets the client and sends nothing, as if it had lost its
// network.
func (c *Client) CloseSilently() {
	if c.group.remove(c) {
		c.stop(false)
	}
}

// stop ends everything of the client that runs.
func (c *Client) stop(notify bool) {
	c.group.timers.set(c, time.Time{})
	c.mu.Lock()
	c.closed = true
	c.early = nil
	if c.handshake != nil {
		c.handshake.pipe.close()
		c.handshake = nil
	}
	var alert []byte
	if notify && c.dtls != nil {
		alert = c.dtls.CloseNotify()
	}
	c.mu.Unlock()
	if alert != nil {
		c.cfg.Send.Send(alert, c.cfg.Server)
	}
}
