package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// A Server takes publishers at /rooms/{room}/whip and listeners at /rooms/{room}/whep,
// and forwards what a room's publisher sends to all of the room's listeners, as far
// as its fault lets it. Whoever makes it calls Close.
type Server struct {
	// URL is where it serves, on the loopback.
	URL string

	fault  Fault
	die    func()
	http   *http.Server
	media  net.PacketConn
	api    *webrtc.API
	closed chan struct{}
	work   sync.WaitGroup

	mu        sync.Mutex
	rooms     map[string][]*track
	peers     []*webrtc.PeerConnection
	offers    int       // of listeners, so far
	first     time.Time // when the first of them came
	began     time.Time // when it was told to do wrong by chance
	done      Account
	published int // offers of publishers
	sessions  int
	addresses map[string]struct{} // of the clients
	mixers    map[string]*mixer   // by room
}

// NewServer starts a server with a fault. If the fault is to die, it calls die when
// the time has come.
func NewServer(f Fault, die func()) (*Server, error) {
	media, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	front, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, media.Close())
	}
	s := &Server{
		URL: "http://" + front.Addr().String(), fault: f, die: die,
		rooms: map[string][]*track{}, mixers: map[string]*mixer{}, addresses: map[string]struct{}{}, closed: make(chan struct{}),
	}
	s.media = &watchedConn{PacketConn: media, server: s, random: rand.New(rand.NewPCG(2, 2))}
	if s.api, err = newAPI(s.media, f.reports); err != nil {
		return nil, errors.Join(err, media.Close(), front.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rooms/{room}/whip", s.publish)
	mux.HandleFunc("POST /rooms/{room}/whep", s.listen)
	mux.HandleFunc("GET /clients", s.clients)
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("POST /begin", s.begin)
	mux.HandleFunc("/sessions/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	s.work.Go(func() { _ = s.http.Serve(front) }) // it ends with Close
	return s, nil
}

// newAPI makes peer connections that share a socket, and know Opus and no feedback but
// perhaps reports.
func newAPI(conn net.PacketConn, reports bool) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        111,
	}, webrtc.RTPCodecTypeAudio)
	interceptors := &interceptor.Registry{}
	if reports {
		err = errors.Join(err, webrtc.ConfigureRTCPReports(interceptors))
	}
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	log := logging.NewDefaultLoggerFactory()
	log.DefaultLogLevel = logging.LogLevelDisabled
	settings.LoggerFactory = log
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(log.NewLogger("mux"), conn))
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(interceptors)), err
}

// A watchedConn notes the addresses of a server's clients, and loses packets.
type watchedConn struct {
	net.PacketConn

	server *Server

	mu     sync.Mutex
	random *rand.Rand
}

// ReadFrom implements net.PacketConn.
func (c *watchedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err == nil {
			c.server.mu.Lock()
			c.server.addresses[from.String()] = struct{}{}
			c.server.mu.Unlock()
			if c.loses(b[:n], c.server.fault.way.in) {
				continue
			}
		}
		return n, from, err
	}
}

// WriteTo implements net.PacketConn.
func (c *watchedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.loses(b, c.server.fault.way.out) {
		return len(b), nil
	}
	if late := c.server.fault.slowDTLS; late > 0 && len(b) > 0 && b[0] >= 20 && b[0] < 64 && c.server.hasListeners() { // RFC 7983
		datagram := slices.Clone(b)
		time.AfterFunc(late, func() { _, _ = c.PacketConn.WriteTo(datagram, to) }) // the server may have ended
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

// loses reports whether a packet is lost, if it is media (RFC 7983, RFC 5761).
func (c *watchedConn) loses(packet []byte, share float64) bool {
	if share == 0 || len(packet) < 2 || packet[0]>>6 != 2 || packet[1] >= 192 && packet[1] < 224 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Float64() < share
}

// clients answers with the addresses at which the clients receive, as JSON.
func (s *Server) clients(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	all := []string{}
	for a := range s.addresses {
		all = append(all, a)
	}
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(all) // the asker may have gone
}

// Close ends all connections, and returns when nothing runs any more.
func (s *Server) Close() error {
	close(s.closed)
	err := s.http.Close()
	s.mu.Lock()
	peers := s.peers
	s.mu.Unlock()
	for _, pc := range peers {
		err = errors.Join(err, pc.GracefulClose())
	}
	err = errors.Join(err, s.media.Close())
	s.work.Wait()
	return err
}

// hasListeners reports whether a listener has made an offer.
func (s *Server) hasListeners() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offers > 0
}

// endAll ends the sessions of all listeners and publishers.
func (s *Server) endAll() {
	s.mu.Lock()
	peers := slices.Clone(s.peers)
	s.mu.Unlock()
	for _, pc := range peers {
		_ = pc.Close() // Close asks again
	}
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	number := s.published
	s.published++
	s.mu.Unlock()
	if s.fault.ofPublishers && !s.admits(w, r, number) {
		return
	}
	room := r.PathValue("room")
	s.answer(w, r, func(pc *webrtc.PeerConnection) error {
		pc.OnTrack(func(in *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			for {
				p, _, err := in.ReadRTP()
				if err != nil {
					return
				}
				if s.fault.mixes {
					s.mix(room, p)
				} else {
					s.pass(room, p)
				}
			}
		})
		return nil
	})
}

// pass gives a packet to all listeners of a room.
func (s *Server) pass(room string, p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, l := range s.rooms[room] {
		l.take(p, now)
	}
}

func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	number := s.offers
	if number == 0 {
		s.first = time.Now()
	}
	s.offers++
	s.done.Listeners = append(s.done.Listeners, nil)
	s.mu.Unlock()
	if !s.fault.ofPublishers && !s.admits(w, r, number) {
		return
	}
	room := r.PathValue("room")
	s.answer(w, r, func(pc *webrtc.PeerConnection) error {
		l := newTrack(s, room, number)
		sender, err := pc.AddTrack(l)
		if err != nil {
			return err
		}
		s.work.Go(func() { // ends with the connection
			b := make([]byte, 1500)
			for {
				if _, _, err := sender.Read(b); err != nil {
					return
				}
			}
		})
		s.work.Go(l.send)
		if s.fault.lies {
			s.work.Go(func() { l.lie(pc) })
		}
		return nil
	})
}

// admits reports whether the server answers the offer with a number. With the first of them
// the time begins after which it does something.
func (s *Server) admits(w http.ResponseWriter, r *http.Request, number int) bool {
	if number == 0 && s.fault.diesAfter > 0 {
		s.work.Go(func() {
			select {
			case <-s.closed:
			case <-time.After(s.fault.diesAfter):
				s.die()
			}
		})
	}
	if number == 0 && s.fault.closesAfter > 0 {
		s.work.Go(func() {
			select {
			case <-s.closed:
			case <-time.After(s.fault.closesAfter):
				s.endAll()
			}
		})
	}
	switch {
	case s.fault.refuses != nil && s.fault.refuses(number):
		http.Error(w, "no such room", http.StatusNotFound)
		return false
	case s.fault.hangs:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		return false
	}
	return true
}

// answer makes a peer connection from an offer.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, prepare func(*webrtc.PeerConnection) error) {
	answer, err := s.connect(r, prepare)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	s.sessions++
	id := s.sessions
	s.mu.Unlock()
	w.Header().Set("Location", fmt.Sprint("/sessions/", id))
	w.Header().Set("Content-Type", "application/sdp")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // the client may have gone
}

func (s *Server) connect(r *http.Request, prepare func(*webrtc.PeerConnection) error) (answer string, err error) {
	offer, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	s.peers = append(s.peers, pc)
	s.mu.Unlock()
	if err := prepare(pc); err != nil {
		return "", err
	}
	return describe(r.Context(), pc, string(offer))
}

// describe answers an offer when all candidates are known.
func describe(ctx context.Context, pc *webrtc.PeerConnection, offer string) (string, error) {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	select {
	case <-gathered:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", errors.New("the client left before the answer was ready")
	}
}
