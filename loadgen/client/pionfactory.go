package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	resend "github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// Clients check consent (RFC 7675) and send receiver reports as often as browsers
	// do.
	consentInterval = 2500 * time.Millisecond
	reportInterval  = 5 * time.Second

	// A lost connection counts as loss; Pion must not give up before the run ends.
	disconnectedAfter = 10 * time.Second
	failedAfter       = 30 * time.Second
)

// A PionFactory makes the run's Pion peer connections and holds what they share: one
// certificate and one list of interfaces.
//
// It is safe for concurrent use.
type PionFactory struct {
	clock       *timebase.Clock
	certificate webrtc.Certificate
	system      *stdnet.Net
	interfaces  []*transport.Interface
	recovery    *feedback.NACKCounter
	servers     func() []webrtc.ICEServer // by which clients gather candidates
	turn        TURN                      // of those who go by one
	delayed     QueueDelayFunc
	unauthentic atomic.Uint64 // packets that failed authentication
	replayed    atomic.Uint64 // packets that were replays
}

// NewPionFactory returns a factory whose clients reach their target over the loopback
// interface, or over all other interfaces. servers returns the ICE servers for a new
// client. relay may be of no server.
func NewPionFactory(clock *timebase.Clock, loopback bool, servers func() []webrtc.ICEServer, r *feedback.NACKCounter, waited QueueDelayFunc, relay TURN) (*PionFactory, error) {
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
	return &PionFactory{clock: clock, turn: relay, recovery: r, delayed: waited, servers: servers, certificate: *certificate, system: system, interfaces: interfaces}, nil
}

// Refused returns how many packets failed authentication, and how many were replays.
func (s *PionFactory) Refused() (unauthentic, replayed uint64) {
	return s.unauthentic.Load(), s.replayed.Load()
}

// newConnection makes a peer connection with sockets of its own, and returns the receive
// times of its packets. With an impairment its sockets are behind the emulated network,
// and what is lost is repaired as far as the server supports that. opus are the parameters of Opus.
func (s *PionFactory) newConnection(via network.Transport, l *netem.Impairment, repair network.Repair, opus string) (*webrtc.PeerConnection, *receiveTimes, error) {
	arrived := &receiveTimes{}
	media := &webrtc.MediaEngine{}
	var feedback []webrtc.RTCPFeedback
	if repair.NACK() {
		feedback = append(feedback, webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK})
	}
	if repair.RED() { // first, since it is preferred
		if err := media.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: red.MIMEType, ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111", RTCPFeedback: feedback,
			},
			PayloadType: 63,
		}, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, nil, fmt.Errorf("register redundant audio: %w", err)
		}
	}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: opus, RTCPFeedback: feedback,
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
	if repair.NACK() {
		resender, err := resend.NewResponderInterceptor()
		if err != nil {
			return nil, nil, fmt.Errorf("set up retransmissions: %w", err)
		}
		reports.Add(resender)
	}

	settings := webrtc.SettingEngine{LoggerFactory: &srtpLogFactory{factory: s}}
	nominator := &nominator{}
	settings.SetNet(&clientNet{Net: s.system, interfaces: s.interfaces, clock: s.clock, times: arrived, impairment: l, nominator: nominator})
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	settings.SetICETimeouts(disconnectedAfter, failedAfter, consentInterval)
	settings.DisableActiveTCP(via != network.TCP)
	// Pion would wait for a better pair of candidates for a second. Browsers do not, and the time would be the server's.
	settings.SetSrflxAcceptanceMinWait(0)
	settings.SetPrflxAcceptanceMinWait(0)
	servers, policy := s.servers(), webrtc.ICETransportPolicyAll
	switch {
	case via == network.TCP:
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	case via.Relayed():
		if _, err := s.turn.Server(via); err != nil {
			return nil, nil, err
		}
		servers, policy = s.turn.servers(via), webrtc.ICETransportPolicyRelay
		settings.SetRelayAcceptanceMinWait(0) // there is no other pair
	}
	if via == network.TURNTLS {
		settings.SetICEProxyDialer(turnDialer{s.turn})
	}
	settings.SetSRTPReplayProtectionWindow(srtp.ReplayWindow)
	settings.SetHandleUndeclaredSSRCWithoutAnswer(true) // servers need not signal their SSRCs

	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(reports), webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates:       []webrtc.Certificate{s.certificate},
		ICEServers:         servers,
		ICETransportPolicy: policy,
		BundlePolicy:       webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make a peer connection: %w", err)
	}
	nominator.pc.Store(pc)
	return pc, arrived, nil
}

// offer returns the connection's offer with all its candidates.
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

// accept sets the server's answer.
func accept(pc *webrtc.PeerConnection, answer string) error {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("take the server's answer: %w", err)
	}
	return nil
}

// srtpLogFactory makes Pion's loggers. They only count packets that SRTP refused, which
// Pion reports nowhere else.
type srtpLogFactory struct{ factory *PionFactory }

// NewLogger implements logging.LoggerFactory.
func (l *srtpLogFactory) NewLogger(scope string) logging.LeveledLogger {
	if scope == "srtp" {
		return srtpLogger{l.factory}
	}
	return srtpLogger{}
}

// An srtpLogger counts refused packets, which SRTP sessions log at level info.
type srtpLogger struct{ factory *PionFactory }

func (srtpLogger) Trace(string)          {}
func (srtpLogger) Tracef(string, ...any) {}
func (srtpLogger) Debug(string)          {}
func (srtpLogger) Debugf(string, ...any) {}
func (r srtpLogger) Info(said string) {
	switch {
	case r.factory == nil:
	case strings.Contains(said, "duplicated"): // only the text says it
		r.factory.replayed.Add(1)
	default:
		r.factory.unauthentic.Add(1)
	}
}
func (r srtpLogger) Infof(format string, args ...any) { r.Info(fmt.Sprintf(format, args...)) }
func (srtpLogger) Warn(string)                        {}
func (srtpLogger) Warnf(string, ...any)               {}
func (srtpLogger) Error(string)                       {}
func (srtpLogger) Errorf(string, ...any)              {}

var errConnection = errors.New("the connection failed")
