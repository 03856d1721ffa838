package rtc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// connection is a session's link that Pion does all of.
type connection struct {
	*session
	pc         *webrtc.PeerConnection
	ufrag, pwd string // this side's
	// onUp, if there is one, is called once DTLS is up, with the time of that.
	onUp func(time.Time)

	lastCheck atomic.Int64
	packets   atomic.Uint64
	bytes     atomic.Uint64

	// waiting is how many datagrams of the client wait for Pion.
	waiting atomic.Int32

	// readers are the goroutines that read from the connection.
	readers sync.WaitGroup

	// addresses belongs to the routes: where the client checks from, the oldest
	// first.
	addresses []netip.AddrPort
}

// connect makes a session with a connection of its own, which answers nothing
// yet.
func connect(r *MediaRoom, o *sdp.Offer, api *webrtc.API) (*connection, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{r.engine.pionCert},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, fmt.Errorf("new connection: %w", err)
	}
	c := &connection{pc: pc}
	c.session = newSession(r, o, c)
	return c, nil
}

// stats implements link.
func (c *connection) stats(st *Stats) {
	st.Packets, st.Bytes = c.packets.Load(), c.bytes.Load()
	if t := c.lastCheck.Load(); t != 0 {
		st.LastCheck = time.Unix(0, t)
	}
}

// disconnect implements link.
func (c *connection) disconnect(finish func(error)) {
	go func() {
		err := c.pc.GracefulClose()
		c.readers.Wait()
		c.room.engine.routes.remove(c)
		finish(err)
	}()
}

// admit takes the session into its room, and lets datagrams find it.
func (c *connection) admit() error {
	c.room.engine.routes.add(c)
	return c.room.add(c.session)
}

// errNoAddress says that there is no candidate to tell.
var errNoAddress = errors.New("no address to be reached at: is the network up?")

// negotiate lets Pion answer, and writes the answer that the client gets.
func (c *connection) negotiate(ctx context.Context, sources func() []sdp.Source) error {
	gathered := webrtc.GatheringCompletePromise(c.pc)
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: c.offer.Reduced()}
	if err := c.pc.SetRemoteDescription(offer); err != nil {
		return fmt.Errorf("take the offer: %w", err)
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make the answer: %w", err)
	}
	c.pc.OnConnectionStateChange(c.stateChanged)
	c.pc.SCTP().Transport().OnStateChange(c.transportChanged)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	select {
	case <-gathered: // at once: there is nothing to ask anybody
	case <-ctx.Done():
		return fmt.Errorf("make the answer: %w", ctx.Err())
	}
	t, err := c.room.engine.transport(c.pc.LocalDescription().SDP)
	if err != nil {
		return fmt.Errorf("make the answer: %w", err)
	}
	c.ufrag, c.pwd = t.ICE.Ufrag, t.ICE.Pwd
	c.answer = c.offer.Answer(randomUint64(), t, sources())
	return nil
}

// transport takes this side of the transport out of Pion's answer.
func (e *Engine) transport(answer string) (sdp.Transport, error) {
	desc, err := sdp.Parse(answer)
	if err != nil {
		return sdp.Transport{}, err
	}
	t := sdp.Transport{ICE: desc.ICE().Clone(), Fingerprint: e.fingerprint}
	for _, c := range desc.Candidates() {
		if c.Component == 1 { // 2 is for RTCP on a port of its own
			t.Candidates = append(t.Candidates, c.Value)
		}
	}
	if e.advertise.IsValid() {
		t.Candidates = []string{sdp.HostCandidate(0, netip.AddrPortFrom(e.advertise, e.addr.Port()))}
	}
	if t.ICE == (sdp.Credentials{}) || len(t.Candidates) == 0 {
		return sdp.Transport{}, errNoAddress
	}
	return t, nil
}

func randomUint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// transportChanged follows DTLS. Pion calls it with the transport's lock held.
func (c *connection) transportChanged(state webrtc.DTLSTransportState) {
	if state != webrtc.DTLSTransportStateConnected {
		return
	}
	up := c.room.engine.now()
	c.lastCheck.CompareAndSwap(0, time.Now().UnixNano())
	c.connected.Store(true)
	if c.onUp != nil {
		c.read(func() { c.onUp(up) })
	}
}

// stateChanged follows the connection. Pion calls it in a new goroutine each
// time, so that calls may come out of order.
func (c *connection) stateChanged(state webrtc.PeerConnectionState) {
	switch {
	case state != webrtc.PeerConnectionStateFailed && state != webrtc.PeerConnectionStateClosed:
	case c.connected.Load():
		c.end(ErrHangup)
	default:
		c.end(ErrHandshake)
	}
}

// read starts a reader, unless the session has ended.
func (c *connection) read(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.readers.Go(f)
	}
}

// drain reads RTCP until the connection ends, and counts it; Pion's
// interceptors, which sit in the reader, need that.
func (c *connection) drain(read func([]byte) error) {
	b := make([]byte, receiveMTU)
	for read(b) == nil {
		c.reports.Add(1)
	}
}
