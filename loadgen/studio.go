package loadgen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

const (
	// Clients check that the peer is there (RFC 7675) and send receiver
	// reports as often as browsers do.
	consentInterval = 2500 * time.Millisecond
	reportInterval  = 5 * time.Second

	// A connection that is lost stays lost in the figures; Pion shall not give
	// up on it before the run ends.
	disconnectedAfter = 10 * time.Second
	failedAfter       = 30 * time.Second
)

// A studio makes the run's WebRTC clients, which are Pion peer connections. It
// holds what they share: one certificate and one listing of the interfaces.
//
// A studio is safe for concurrent use.
type studio struct {
	clock       *measure.Clock
	certificate webrtc.Certificate
	system      *stdnet.Net
	interfaces  []*transport.Interface
	unauthentic atomic.Uint64 // packets that failed authentication, or were replayed
}

// newStudio makes a studio whose clients reach their target over the loopback
// interface, or over all the others.
func newStudio(clock *measure.Clock, loopback bool) (*studio, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the clients' key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make the clients' certificate: %w", err)
	}
	system, interfaces, err := listInterfaces(loopback)
	if err != nil {
		return nil, err
	}
	return &studio{clock: clock, certificate: *certificate, system: system, interfaces: interfaces}, nil
}

// connect makes a peer connection of its own sockets, whose receive times are
// found in the arrivals.
func (s *studio) connect() (*webrtc.PeerConnection, *arrivals, error) {
	arrived := &arrivals{}
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
		PayloadType: 111,
	}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, nil, fmt.Errorf("register Opus: %w", err)
	}
	if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, nil, fmt.Errorf("register the audio level: %w", err)
	}
	reports := &interceptor.Registry{}
	receiver, err := report.NewReceiverInterceptor(report.ReceiverInterval(reportInterval))
	if err != nil {
		return nil, nil, fmt.Errorf("set up receiver reports: %w", err)
	}
	sender, err := report.NewSenderInterceptor(report.SenderInterval(reportInterval))
	if err != nil {
		return nil, nil, fmt.Errorf("set up sender reports: %w", err)
	}
	reports.Add(receiver)
	reports.Add(sender)

	settings := webrtc.SettingEngine{LoggerFactory: &securityLog{refused: &s.unauthentic}}
	settings.SetNet(&network{Net: s.system, interfaces: s.interfaces, clock: s.clock, arrived: arrived})
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	settings.SetICETimeouts(disconnectedAfter, failedAfter, consentInterval)
	settings.DisableActiveTCP(true)

	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(reports), webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{s.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make a peer connection: %w", err)
	}
	return pc, arrived, nil
}

// offer is the connection's offer with all its candidates.
func offer(ctx context.Context, pc *webrtc.PeerConnection) (string, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	o, err := pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	if err := pc.SetLocalDescription(o); err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	select {
	case <-gathered:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("gather candidates: %w", ctx.Err())
	}
}

// accept takes the server's answer.
func accept(pc *webrtc.PeerConnection, answer string) error {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("take the server's answer: %w", err)
	}
	return nil
}

// securityLog is Pion's log, cut down to a count of the packets that its SRTP
// sessions refused: nothing else tells.
type securityLog struct{ refused *atomic.Uint64 }

// NewLogger implements logging.LoggerFactory.
func (l *securityLog) NewLogger(scope string) logging.LeveledLogger {
	if scope == "srtp" {
		return refusals{count: l.refused}
	}
	return refusals{}
}

// refusals counts what is logged at level info, where SRTP sessions say which
// packets they refused.
type refusals struct{ count *atomic.Uint64 }

func (refusals) Trace(string)          {}
func (refusals) Tracef(string, ...any) {}
func (refusals) Debug(string)          {}
func (refusals) Debugf(string, ...any) {}
func (r refusals) Info(string) {
	if r.count != nil {
		r.count.Add(1)
	}
}
func (r refusals) Infof(string, ...any) { r.Info("") }
func (refusals) Warn(string)            {}
func (refusals) Warnf(string, ...any)   {}
func (refusals) Error(string)           {}
func (refusals) Errorf(string, ...any)  {}

var errConnection = errors.New("the connection failed")
