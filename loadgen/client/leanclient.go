package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// candidateTimeout is how long one candidate of the server is tried before the next.
const candidateTimeout = 2 * time.Second

// ErrNoCandidate means that the server gave no address to connect to.
var ErrNoCandidate = errors.New("the server's answer has no UDP candidate with an IP address")

// ErrNoTCPCandidate means that the server gave no address for a client that goes by TCP.
var ErrNoTCPCandidate = errors.New("the server's answer has no passive TCP candidate with an IP address: does the server listen for ICE over TCP (earshot serve --ice-tcp)")

// A LeanClient is one listener of the crowd: a lean WebRTC client without a goroutine of
// its own. Most of its methods are those of [Subscriber], which it implements.
type LeanClient struct {
	// The fields that a received packet needs are next to each other.
	crowd      *Crowd
	remote     *sdp.Remote                // what the server said; set before there is a client
	later      atomic.Pointer[sdp.Remote] // what it said since, until the next packet
	account    *ledger.Listener
	gated                            // where its packets go instead
	impairment *netem.Impairment     // the emulated network, or nil
	nacks      *feedback.NACKTracker // only if it asks for lost packets
	redundancy *redundancy           // only if it offers redundant audio
	reports    feedback.ReceiverReports

	via      network.Transport
	sections int
	local    sdp.Credentials
	session  uint64 // the number of the SDP session
	offers   uint64 // after the first

	mu         sync.Mutex
	candidates []netip.AddrPort // the server's
	to         netip.AddrPort   // the one that is tried
	endpoint   *lite.Client
	path       *clientPath // the socket and address that it goes by
	closed     bool

	connected   chan struct{}
	at          time.Duration
	failed      chan struct{}
	connectOnce sync.Once // closes connected
	failOnce    sync.Once // closes failed
	err         error
}

// NewClient makes a client that offers to receive the given number of voices. With an
// impairment its packets go through the emulated network; it goes by UDP then. It offers to
// repair what is lost. What it receives goes to the account.
func (c *Crowd) NewClient(sections int, via network.Transport, l *netem.Impairment, repair network.Repair, account *ledger.Listener) *LeanClient {
	e := &LeanClient{
		crowd: c, via: via, sections: sections, account: account, local: sdp.NewCredentials(), session: sdp.NewSession(), impairment: l,
		connected: make(chan struct{}), failed: make(chan struct{}),
	}
	e.reports.Reserve(sections)
	if repair.NACK() {
		e.nacks = feedback.NewNACKTracker(c.recovery)
	}
	if repair.RED() {
		e.redundancy = &redundancy{}
	}
	return e
}

// Offer implements Subscriber.
func (e *LeanClient) Offer(context.Context) (string, error) {
	return e.receiver(e.nacks != nil).Offer(e.sections), nil
}

// OfferAgain implements Subscriber.
func (e *LeanClient) OfferAgain(_ context.Context, more int) (string, error) {
	e.offers++
	e.sections += more
	return e.receiver(e.nacks != nil).Offer(e.sections), nil
}

// AcceptAgain implements Subscriber: the transport stays as it is.
func (e *LeanClient) AcceptAgain(answer string) error {
	r, err := sdp.ReadAnswer(answer, e.sections)
	if err != nil {
		return fmt.Errorf("take the server's answer: %w", err)
	}
	e.later.Store(r)
	return nil
}

// Accept implements Subscriber.
func (e *LeanClient) Accept(answer string) error {
	r, err := sdp.ReadAnswer(answer, e.sections)
	if err != nil {
		return fmt.Errorf("take the server's answer: %w", err)
	}
	e.setRemote(r)
	return nil
}

// Answer implements Subscriber.
func (e *LeanClient) Answer(_ context.Context, offer string) (string, error) {
	r, sections, err := sdp.ReadServerOffer(offer, e.sections)
	if err != nil {
		return "", fmt.Errorf("take the server's offer: %w", err)
	}
	e.setRemote(r)
	return e.receiver(e.nacks != nil && r.NACK).Answer(sections), nil
}

// receiver returns what writes the client's descriptions.
func (e *LeanClient) receiver(nack bool) sdp.Receiver {
	return sdp.Receiver{ICE: e.local, Fingerprint: e.crowd.certificate.Fingerprint(), NACK: nack, RED: e.redundancy != nil, Session: e.session, Version: e.offers}
}

// setRemote keeps the server's description. Candidates at which other clients have
// reached a server come first, so that not every client has to find out that one is
// behind a firewall.
func (e *LeanClient) setRemote(r *sdp.Remote) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remote = r
	e.candidates = r.Addresses
	if e.via == network.TCP {
		e.candidates = r.TCP
	}
	slices.SortStableFunc(e.candidates, func(a, b netip.AddrPort) int {
		return e.crowd.answered(b.Addr()) - e.crowd.answered(a.Addr())
	})
}

// AddCandidate implements Subscriber.
func (e *LeanClient) AddCandidate(attribute string) error {
	c, err := sdp.ParseCandidate(strings.TrimPrefix(attribute, "candidate:"))
	if err != nil {
		return nil // which a client ignores
	}
	to, ok := addressOf(e.via)(c)
	if !ok {
		return nil // of another kind
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.candidates = sdp.AppendAddress(e.candidates, to)
	return nil
}

// connect tries one address of the server.
func (e *LeanClient) connect(ctx context.Context, to netip.AddrPort) error {
	w, err := e.crowd.path(ctx, to, e)
	switch {
	case err != nil && e.via == network.UDP:
		return fmt.Errorf("open a socket to %s: %w", to, err)
	case err != nil:
		return err // of the link, which says to whom
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.Join(errConnection, w.Close())
	}
	old, oldWay := e.endpoint, e.path
	e.endpoint, e.path, e.to = nil, w, to
	if old != nil {
		old.CloseSilently()
		if err := oldWay.Close(); err != nil {
			return err
		}
	}
	client, err := e.crowd.lite.Connect(lite.ClientConfig{
		Local: e.local, Remote: e.remote.ICE, Fingerprint: e.remote.Fingerprint,
		ServerLite: e.remote.Lite, Server: to, Send: w, Events: (*leanClientEvents)(e), RoundTrip: e.roundTrip,
	}, time.Now())
	if err != nil {
		return err
	}
	e.endpoint = client
	w.setEndpoint(client)
	return nil
}

// connectInTime is [LeanClient.connect], but a TCP connection may take [candidateTimeout] and no
// longer while there are other candidates: a firewall may leave it without an answer for minutes.
func (e *LeanClient) connectInTime(ctx context.Context, to netip.AddrPort, others bool) error {
	if e.via == network.TCP && others {
		limited, cancel := context.WithTimeout(ctx, candidateTimeout)
		defer cancel()
		ctx = limited
	}
	return e.connect(ctx, to)
}

// Wait tries the server's candidates one after the other.
func (e *LeanClient) Wait(ctx context.Context) (Connected, error) {
	for tried := 0; ; {
		if to, more := e.candidateAt(tried); more {
			tried++
			_, others := e.candidateAt(tried)
			err := e.connectInTime(ctx, to, others)
			if err != nil && e.via == network.TCP && others {
				continue // that address may be one that this machine does not reach
			}
			if err != nil {
				return Connected{}, err
			}
		} else if tried == 0 && e.via == network.TCP {
			return Connected{}, ErrNoTCPCandidate
		} else if tried == 0 {
			return Connected{}, ErrNoCandidate
		}
		select {
		case <-e.connected:
			e.crowd.answering.Store(e.server().Addr(), true)
			return Connected{ICE: e.iceAt(), DTLS: e.at}, nil
		case <-e.failed:
			return Connected{ICE: e.iceAt()}, fmt.Errorf("%w: %w", errConnection, e.err)
		case <-ctx.Done():
			return Connected{ICE: e.iceAt()}, e.stalled(ctx.Err())
		case <-time.After(candidateTimeout):
		}
	}
}

// roundTrip enters the round trip of a check.
func (e *LeanClient) roundTrip(sent, received time.Time) {
	at := e.crowd.clock.Since(sent)
	e.account.RoundTrip(at, e.crowd.clock.Since(received), e.crowd.tickTime(at))
}

// iceAt returns when the first check was answered, or 0 if none was.
func (e *LeanClient) iceAt() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.endpoint == nil || e.endpoint.Checked().IsZero() {
		return 0
	}
	return e.crowd.clock.Since(e.endpoint.Checked())
}

// server returns the address that was tried last.
func (e *LeanClient) server() netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.to
}

// candidateAt returns the candidate with a number. It reports false if there is none or
// the present one already works.
func (e *LeanClient) candidateAt(number int) (netip.AddrPort, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.endpoint != nil && e.endpoint.Mapped().IsValid() || number >= len(e.candidates) {
		return netip.AddrPort{}, false
	}
	return e.candidates[number], true
}

// pendingClient returns the client of a path that is being connected, or nil if there is
// none.
func (e *LeanClient) pendingEndpoint(w *clientPath) *lite.Client {
	e.mu.Lock() // which connect holds
	defer e.mu.Unlock()
	return w.endpoint.Load()
}

// Losses implements Subscriber.
func (e *LeanClient) Losses() (dropped, unstamped uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.path == nil {
		return 0, 0
	}
	return e.path.dropped(), 0
}

// Downstream returns what the server says to have sent; false if it does not say.
func (e *LeanClient) Downstream() (feedback.Downstream, bool) { return e.reports.Downstream() }

// Close closes the connection and releases the address.
func (e *LeanClient) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.endpoint != nil {
		e.endpoint.Close()
	}
	e.failOnce.Do(func() {
		e.err = lite.ErrClosed
		close(e.failed)
	})
	if e.path != nil {
		return e.path.Close()
	}
	return nil
}

// report sends a receiver report if there is something to report.
func (e *LeanClient) report() error {
	e.mu.Lock()
	client := e.endpoint
	e.mu.Unlock()
	if client == nil {
		return nil
	}
	packet, err := e.reports.Build(e.crowd.clock.Now())
	if packet == nil || err != nil {
		return err
	}
	return client.SendRTCP(packet)
}

// leanClientEvents receives the events of a LeanClient's endpoint. It keeps these
// methods out of LeanClient's own.
type leanClientEvents LeanClient

// Ready implements lite.ClientEvents.
func (e *leanClientEvents) Ready(*lite.Client) {
	e.connectOnce.Do(func() {
		e.at = e.crowd.clock.Now()
		close(e.connected)
	})
}

// RTP implements lite.ClientEvents.
func (e *leanClientEvents) RTP(c *lite.Client, packet []byte, index uint64, now time.Time) {
	if e.later.Load() != nil {
		if later := e.later.Swap(nil); later != nil {
			e.remote.Update(later)
		}
	}
	p, ok := readRTP(packet)
	redundant := ok && e.redundancy != nil && e.remote.RED.Has(packet[1]&0x7f)
	if !ok || !redundant && !e.remote.Opus.Has(packet[1]&0x7f) {
		return // of another format, which a browser does not play either
	}
	section := e.remote.Section(binary.BigEndian.Uint32(packet[8:]))
	if section < 0 {
		return
	}
	p.Section = section
	p.At = e.crowd.clock.Since(now)
	e.reports.Receive(section, binary.BigEndian.Uint32(packet[8:]), index, p.Timestamp, p.At)
	if e.impairment != nil { // otherwise the socket has reported it
		e.crowd.delayed(e.crowd.clock.Now()-p.At, 1)
	}
	if redundant {
		e.redundancy.split(&p)
	}
	switch {
	case len(p.Payload) == 0:
	case e.gate.Load() == nil: // as nearly always: without a call more
		e.account.Receive(p)
	default:
		e.pass(p, e.account.Receive)
	}
	if e.nacks != nil && e.remote.NACK {
		e.askAgain(c, binary.BigEndian.Uint32(packet[8:]), p)
	}
}

// askAgain requests the packets that the section of a packet misses.
func (e *leanClientEvents) askAgain(c *lite.Client, ssrc uint32, p ledger.Packet) {
	sequences := e.nacks.Receive(p.Section, ssrc, p.Sequence, e.crowd.clock.Now())
	if len(sequences) == 0 {
		return
	}
	request, err := rtcp.Marshal(feedback.NACK(e.reports.Source(), ssrc, sequences))
	if err != nil {
		return // of what was just made
	}
	_ = c.SendRTCP(request) // not connected any more: there is nothing to ask for
}

// RTCP implements lite.ClientEvents.
func (e *leanClientEvents) RTCP(_ *lite.Client, packet []byte, now time.Time) {
	e.reports.HandleRTCP(packet, e.crowd.clock.Since(now))
}

// Refused implements lite.ClientEvents.
func (e *leanClientEvents) Refused(_ *lite.Client, reason error, _ time.Time) {
	if errors.Is(reason, srtp.ErrReplayed) {
		e.crowd.replayed.Add(1)
		return
	}
	e.crowd.unauthentic.Add(1)
}

// Closed implements lite.ClientEvents.
func (e *leanClientEvents) Closed(_ *lite.Client, reason error) {
	e.failOnce.Do(func() {
		e.err = reason
		close(e.failed)
	})
}

// readRTP reads a packet's header (RFC 3550, section 5.1), skips header extensions and
// removes the padding.
func readRTP(b []byte) (p ledger.Packet, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return p, false
	}
	sources := int(b[0] & 0x0f)
	start := 12 + 4*sources
	if len(b) < start {
		return p, false
	}
	p.Talker = binary.BigEndian.Uint32(b[8:]) // the source, unless it names another
	if sources > 0 {
		p.Talker = binary.BigEndian.Uint32(b[12:])
	}
	if b[0]&0x10 != 0 {
		if len(b) < start+4 {
			return p, false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 {
		end -= int(b[len(b)-1])
	}
	if start > end {
		return p, false
	}
	p.Sequence = binary.BigEndian.Uint16(b[2:])
	p.Timestamp = binary.BigEndian.Uint32(b[4:])
	p.Payload = b[start:end]
	return p, true
}
