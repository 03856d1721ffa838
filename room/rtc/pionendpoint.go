package rtc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// receiveMTU is the largest packet read.
const receiveMTU = 1500

// pionEndpoint is the endpoint of a session that Pion does all of.
type pionEndpoint struct {
	*session
	pc    *webrtc.PeerConnection
	local sdp.Credentials
	mux   *mediaport.Mux
	agent *lite.External // nil before admit

	lastCheck atomic.Int64
	packets   atomic.Uint64
	bytes     atomic.Uint64

	// readers are the goroutines that read from the connection.
	readers sync.WaitGroup
}

// newPionEndpoint makes a session with a connection of its own, which answers
// nothing yet.
func newPionEndpoint(r *MediaRoom, o *sdp.Offer, config *pionConfig) (*pionEndpoint, error) {
	c := &pionEndpoint{local: sdp.NewCredentials(), mux: r.engine.port.NewMux()}
	role := webrtc.DTLSRoleServer
	if o.WaitsForHello {
		role = webrtc.DTLSRoleClient
	}
	pc, err := config.newPeerConnection(c.local, role, c.mux, newSources(func() { c.end(ErrTooManySources) }),
		func() { c.lastCheck.Store(time.Now().UnixNano()) })
	if err != nil {
		return nil, fmt.Errorf("new connection: %w", err)
	}
	c.pc = pc
	c.session = newSession(r, o, c)
	return c, nil
}

// stats implements endpoint.
func (c *pionEndpoint) stats(st *Stats) {
	st.Packets, st.Bytes = c.packets.Load(), c.bytes.Load()
	if t := c.lastCheck.Load(); t != 0 {
		st.LastCheck = time.Unix(0, t)
	}
}

// restart implements endpoint. The session's lock is held.
func (c *pionEndpoint) restart(local, remote sdp.Credentials) error {
	if c.agent == nil {
		return ErrClosed
	}
	if err := c.agent.Restart(local, remote); errors.Is(err, lite.ErrClosed) {
		return ErrClosed
	} else if err != nil {
		return err
	}
	return nil
}

// disconnect implements endpoint.
func (c *pionEndpoint) disconnect(finish func(error)) {
	go func() {
		err := c.pc.GracefulClose()
		c.readers.Wait()
		c.mu.Lock()
		agent := c.agent
		c.mu.Unlock()
		if agent != nil {
			agent.Remove()
		}
		_ = c.mux.Close() // never fails; Pion closes only what it has begun to use
		c.room.engine.consents.removeConnection(c)
		finish(err)
	}()
}

// admit lets datagrams find the session, and takes it into its room.
func (c *pionEndpoint) admit() error {
	if err := c.listen(); err != nil {
		return err
	}
	return c.room.add(c.session)
}

// listen lets datagrams find the session.
func (c *pionEndpoint) listen() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return fmt.Errorf("session: %w", ErrClosed)
	}
	e := c.room.engine
	agent, err := e.lite.AddExternal(c.local, c.offer.ICE, c.mux.Receive)
	if errors.Is(err, lite.ErrClosed) {
		return fmt.Errorf("engine: %w", ErrClosed)
	} else if err != nil {
		return err
	}
	c.agent = agent
	c.mux.SetAgent(agent)
	e.consents.addConnection(c)
	return nil
}

// errNoAddress says that the port has no address to put into a candidate.
var errNoAddress = errors.New("no address to be reached at: is the network up?")

// negotiate lets Pion answer, and returns this side of the transport for the
// answer that the client gets.
func (c *pionEndpoint) negotiate(ctx context.Context) (sdp.Transport, error) {
	e := c.room.engine
	if len(e.candidates) == 0 {
		return sdp.Transport{}, errNoAddress
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: c.offer.Reduced()}
	if err := c.pc.SetRemoteDescription(offer); err != nil {
		return sdp.Transport{}, fmt.Errorf("take the offer: %w", err)
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return sdp.Transport{}, fmt.Errorf("make the answer: %w", err)
	}
	c.pc.OnConnectionStateChange(c.stateChanged)
	c.pc.SCTP().Transport().OnStateChange(c.transportChanged)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return sdp.Transport{}, fmt.Errorf("take the answer: %w", err)
	}
	select {
	case <-gathered: // at once: there is nothing to ask anybody
	case <-ctx.Done():
		return sdp.Transport{}, fmt.Errorf("make the answer: %w", ctx.Err())
	}
	return sdp.Transport{ICE: c.local, Fingerprint: e.fingerprint, Candidates: e.candidates}, nil
}

func randomUint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// transportChanged follows DTLS. Pion calls it with the transport's lock held.
func (c *pionEndpoint) transportChanged(state webrtc.DTLSTransportState) {
	if state == webrtc.DTLSTransportStateConnected {
		c.lastCheck.CompareAndSwap(0, time.Now().UnixNano())
		c.connected.Store(true)
		if agent := c.mux.Agent(); agent != nil {
			agent.HandshakeDone()
		}
	}
}

// stateChanged follows the connection. Pion calls it in a new goroutine each
// time, so that calls may come out of order.
func (c *pionEndpoint) stateChanged(state webrtc.PeerConnectionState) {
	switch {
	case state != webrtc.PeerConnectionStateFailed && state != webrtc.PeerConnectionStateClosed:
	case c.connected.Load():
		c.end(ErrHangup)
	default:
		c.end(ErrHandshake)
	}
}

// startReader starts a goroutine that reads from the connection, unless the
// session has ended.
func (c *pionEndpoint) startReader(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.readers.Go(f)
	}
}

// readRTCP reads RTCP until the connection ends, and counts it; Pion's
// interceptors, which sit in the reader, need that.
func (c *pionEndpoint) readRTCP(read func([]byte) error) {
	b := make([]byte, receiveMTU)
	for read(b) == nil {
		c.reports.Add(1)
	}
}
