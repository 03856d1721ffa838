package whip

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// newAPI makes a pion API that stays on the loopback interface. A lite peer
// makes no connectivity checks of its own.
func newAPI(t *testing.T, lite bool) *webrtc.API {
	t.Helper()
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterDefaultCodecs())
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetLite(lite)
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(s))
}

// pionEndpoint is an Endpoint whose sessions are pion PeerConnections. What publishers
// send comes out of heard; players are sent what is written to the session's
// track.
type pionEndpoint struct {
	api   *webrtc.API
	heard chan []byte

	mu       sync.Mutex
	sessions map[string]*peer
	readers  sync.WaitGroup
}

type peer struct {
	endpoint *pionEndpoint
	pc       *webrtc.PeerConnection
	id       string
	answer   string
	track    *webrtc.TrackLocalStaticRTP // of a player

	mu         sync.Mutex
	candidates int
}

func newPeers(t *testing.T) *pionEndpoint {
	p := &pionEndpoint{api: newAPI(t, false), heard: make(chan []byte, 1000), sessions: map[string]*peer{}}
	t.Cleanup(func() {
		p.mu.Lock()
		open := p.sessions
		p.sessions = map[string]*peer{}
		p.mu.Unlock()
		for _, s := range open {
			_ = s.pc.GracefulClose()
		}
		p.readers.Wait()
	})
	return p
}

func (p *pionEndpoint) Open(ctx context.Context, kind Kind, _, _ string, _ *http.Request, offer string) (Resource, error) {
	pc, err := p.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	s := &peer{endpoint: p, pc: pc, id: rand.Text()}
	if err := s.negotiate(ctx, kind, offer); err != nil {
		_ = pc.GracefulClose()
		return nil, wire.NewError(wire.CodeBadRequest, err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[s.id] = s
	return s, nil
}

func (p *pionEndpoint) Find(_ Kind, _, id, _ string) (Resource, error) {
	s := p.session(id)
	if s == nil {
		return nil, wire.NewError(wire.CodeNotFound, "")
	}
	return s, nil
}

func (p *pionEndpoint) session(id string) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[id]
}

func (s *peer) negotiate(ctx context.Context, kind Kind, offer string) error {
	if kind == Play {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "voice", "room")
		if err != nil {
			return err
		}
		if _, err := s.pc.AddTrack(track); err != nil {
			return err
		}
		s.track = track
	} else {
		s.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			s.endpoint.readers.Go(func() {
				for {
					packet, _, err := track.ReadRTP()
					if err != nil {
						return
					}
					s.endpoint.heard <- packet.Payload
				}
			})
		})
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.answer = s.pc.LocalDescription().SDP
	return nil
}

func (s *peer) ID() string     { return s.id }
func (s *peer) Answer() string { return s.answer }

func (s *peer) AddCandidate(text string) error {
	f, err := sdp.ParseFragment(text)
	if err != nil {
		return err
	}
	for _, section := range f.Sections {
		for _, c := range section.Candidates {
			if err := s.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.String(), SDPMid: &section.MID}); err != nil {
				return err
			}
			s.mu.Lock()
			s.candidates++
			s.mu.Unlock()
		}
	}
	return nil
}

func (s *peer) ICE() sdp.Credentials {
	offer, err := sdp.Parse(s.pc.RemoteDescription().SDP)
	if err != nil {
		return sdp.Credentials{}
	}
	return offer.ICE()
}

func (s *peer) Restart(string) (string, error) {
	return "", wire.NewError(wire.CodeUnprocessable, "a fragment does not restart Pion")
}

func (s *peer) trickled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.candidates
}

func (s *peer) Close(context.Context) error {
	s.endpoint.mu.Lock()
	delete(s.endpoint.sessions, s.id)
	s.endpoint.mu.Unlock()
	return s.pc.GracefulClose()
}

// withoutCandidates is an offer of a client that trickles all of its candidates.
func withoutCandidates(offer string) string {
	var out strings.Builder
	for line := range strings.Lines(offer) {
		if !strings.HasPrefix(line, "a=candidate:") && !strings.HasPrefix(line, "a=end-of-candidates") {
			out.WriteString(line)
		}
	}
	return out.String()
}
