package loadgen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/loadgen/measure"
)

// candidatePatience is how long one candidate of the server is tried before the next.
const candidatePatience = 2 * time.Second

// A leanEar is one listener of the crowd: a lean WebRTC client without a
// goroutine of its own.
type leanEar struct {
	crowd    *crowd
	sections int
	hear     hearing
	local    lite.Credentials
	answer   *leanAnswer
	reports  reports
	link     *link  // the simulated network, or nil
	nacks    *nacks // with a link: what is to be asked for again

	mu     sync.Mutex
	client *lite.Client
	way    *way // the socket and address that it goes by
	closed bool

	connected chan struct{}
	at        time.Duration
	failed    chan struct{}
	once      sync.Once // closes connected
	end       sync.Once // closes failed
	err       error
}

// newEar makes an ear of so many sections, behind a simulated network unless l
// is nil. One behind a network asks again for what it misses.
func (c *crowd) newEar(sections int, l *link, hear hearing) *leanEar {
	e := &leanEar{
		crowd: c, sections: sections, hear: hear, local: lite.NewCredentials(), link: l,
		connected: make(chan struct{}), failed: make(chan struct{}),
	}
	if l != nil {
		e.nacks = &nacks{count: c.recovery}
	}
	return e
}

func (e *leanEar) offer(context.Context) (string, error) {
	return leanOffer(e.local, e.crowd.certificate.Fingerprint(), e.sections, e.nacks != nil), nil
}

func (e *leanEar) accept(answer string) error {
	a, err := readAnswer(answer, e.sections)
	if err != nil {
		return fmt.Errorf("take the server's answer: %w", err)
	}
	e.answer = a
	return e.connect(a.candidates[0])
}

// connect tries one address of the server.
func (e *leanEar) connect(to netip.AddrPort) error {
	w, err := e.crowd.way(to, e)
	if err != nil {
		return fmt.Errorf("open a socket to %s: %w", to, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.Join(errConnection, w.Close())
	}
	old, oldWay := e.client, e.way
	e.client, e.way = nil, w
	if old != nil {
		old.Vanish()
		if err := oldWay.Close(); err != nil {
			return err
		}
	}
	client, err := e.crowd.lite.Connect(lite.ClientConfig{
		Local: e.local, Remote: e.answer.credentials, Fingerprint: e.answer.fingerprint,
		Server: to, Send: w, Events: (*leanEvents)(e),
	}, time.Now())
	if err != nil {
		return err
	}
	e.client = client
	w.begin(client)
	return nil
}

// wait tries the server's candidates one after the other.
func (e *leanEar) wait(ctx context.Context) (time.Duration, error) {
	for next := 1; ; next++ {
		select {
		case <-e.connected:
			return e.at, nil
		case <-e.failed:
			return 0, fmt.Errorf("%w: %w", errConnection, e.err)
		case <-ctx.Done():
			return 0, fmt.Errorf("connect: %w", ctx.Err())
		case <-time.After(candidatePatience):
		}
		if e.answered() || next >= len(e.answer.candidates) {
			next--
			continue
		}
		if err := e.connect(e.answer.candidates[next]); err != nil {
			return 0, err
		}
	}
}

// connecting is the client of a way that is just being made; nil if there will
// be none.
func (e *leanEar) connecting(w *way) *lite.Client {
	e.mu.Lock() // which connect holds
	defer e.mu.Unlock()
	return w.client.Load()
}

// answered tells whether the server has answered a check.
func (e *leanEar) answered() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.client != nil && e.client.Mapped().IsValid()
}

func (e *leanEar) losses() (dropped, unstamped uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.way == nil {
		return 0, 0
	}
	return e.way.dropped(), 0
}

func (e *leanEar) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.client != nil {
		e.client.Close()
	}
	e.end.Do(func() {
		e.err = lite.ErrClosed
		close(e.failed)
	})
	if e.way != nil {
		return e.way.Close()
	}
	return nil
}

// report sends a receiver report, if there is something to report.
func (e *leanEar) report() error {
	e.mu.Lock()
	client := e.client
	e.mu.Unlock()
	if client == nil {
		return nil
	}
	packet, err := e.reports.build(e.crowd.clock.Now())
	if packet == nil || err != nil {
		return err
	}
	return client.SendRTCP(packet)
}

// leanEvents is the ear as its client tells it of things; it keeps these
// methods out of the ear's own.
type leanEvents leanEar

// Ready implements lite.ClientEvents.
func (e *leanEvents) Ready(*lite.Client) {
	e.once.Do(func() {
		e.at = e.crowd.clock.Now()
		close(e.connected)
	})
}

// RTP implements lite.ClientEvents.
func (e *leanEvents) RTP(c *lite.Client, packet []byte, index uint64, now time.Time) {
	p, ok := readRTP(packet)
	if !ok {
		return
	}
	section := e.answer.section(binary.BigEndian.Uint32(packet[8:]))
	if section < 0 {
		return
	}
	p.Section = section
	p.At = e.crowd.clock.Since(now)
	e.reports.received(section, binary.BigEndian.Uint32(packet[8:]), index, p.Timestamp, p.At)
	if len(p.Payload) > 0 {
		e.hear(p, e.crowd.clock.Now()-p.At)
	}
	if e.nacks != nil && e.answer.nack {
		e.askAgain(c, binary.BigEndian.Uint32(packet[8:]), p)
	}
}

// askAgain asks for what the section of a packet misses.
func (e *leanEvents) askAgain(c *lite.Client, ssrc uint32, p measure.Packet) {
	sequences := e.nacks.received(p.Section, ssrc, p.Sequence, p.At)
	if len(sequences) == 0 {
		return
	}
	request, err := rtcp.Marshal(nack(e.reports.source(), ssrc, sequences))
	if err != nil {
		return // of what was just made
	}
	_ = c.SendRTCP(request) // not connected any more: there is nothing to ask for
}

// RTCP implements lite.ClientEvents.
func (e *leanEvents) RTCP(_ *lite.Client, packet []byte, now time.Time) {
	e.reports.heard(packet, e.crowd.clock.Since(now))
}

// Refused implements lite.ClientEvents.
func (e *leanEvents) Refused(_ *lite.Client, reason error, _ time.Time) {
	if errors.Is(reason, lite.ErrReplayed) {
		e.crowd.replayed.Add(1)
		return
	}
	e.crowd.unauthentic.Add(1)
}

// Closed implements lite.ClientEvents.
func (e *leanEvents) Closed(_ *lite.Client, reason error) {
	e.end.Do(func() {
		e.err = reason
		close(e.failed)
	})
}

// readRTP reads a packet's header (RFC 3550 §5.1), skips what extends it, and
// takes the padding off.
func readRTP(b []byte) (p measure.Packet, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return p, false
	}
	sources := int(b[0] & 0x0f)
	start := 12 + 4*sources
	if len(b) < start {
		return p, false
	}
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

// section is the section that an SSRC belongs to, or -1 if there is none left
// for one that the answer did not name. It is called by one goroutine.
func (a *leanAnswer) section(ssrc uint32) int {
	if i := slices.Index(a.ssrcs, ssrc); i >= 0 {
		return i
	}
	if i := slices.Index(a.ssrcs, 0); i >= 0 {
		a.ssrcs[i] = ssrc
		return i
	}
	return -1
}
