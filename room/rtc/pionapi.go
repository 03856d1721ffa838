package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/sdp"
)

// clockRate is that of Opus in RTP (RFC 7587, section 4.1).
const clockRate = 48000

// pionConfig is what all of Pion's connections share.
type pionConfig struct {
	logs         pionLogs
	certificate  webrtc.Certificate
	media        *webrtc.MediaEngine
	interceptors *interceptor.Registry
}

// newPionConfig sets Pion up for mics. The only interceptor lets a mic report on
// what it receives (RFC 3550, section 6.4).
func newPionConfig(logs pionLogs, certificate webrtc.Certificate) (*pionConfig, error) {
	receiver, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	c := &pionConfig{
		logs: logs, certificate: certificate, media: &webrtc.MediaEngine{},
		interceptors: &interceptor.Registry{},
	}
	c.interceptors.Add(receiver)
	for _, codec := range []webrtc.RTPCodecParameters{opusCodec(), redCodec()} {
		if err := c.media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	level := webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}
	return c, c.media.RegisterHeaderExtension(level, webrtc.RTPCodecTypeAudio)
}

// newPeerConnection makes a connection that has the ICE credentials local and
// uses mux, and answers with a role in DTLS. checked is called for each authenticated ICE check.
func (c *pionConfig) newPeerConnection(local sdp.Credentials, role webrtc.DTLSRole, mux ice.UDPMux, sources *sources, checked func()) (*webrtc.PeerConnection, error) {
	s := webrtc.SettingEngine{LoggerFactory: c.logs, BufferFactory: sources.buffer}
	s.SetLite(true)
	s.SetICEUDPMux(mux)
	s.SetICECredentials(local.Ufrag, local.Pwd)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// A mic is one as soon as it sends, whatever its first packet holds.
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetIncludeLoopbackCandidate(true)
	// Pion counts any packet from the right address as a sign of life, and anybody
	// could send one. Its timers are off; watchConsent counts checks.
	s.SetICETimeouts(0, 0, 0)
	s.SetICEBindingRequestHandler(func(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool {
		checked()    // Pion has verified the integrity
		return false // the choice of the pair is Pion's
	})
	// The client has proved its address by ICE before DTLS starts: the cookie
	// exchange (RFC 6347, section 4.2.1) would only cost a round trip.
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM,
		dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	if err := s.SetAnsweringDTLSRole(role); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(c.media), webrtc.WithSettingEngine(s),
		webrtc.WithInterceptorRegistry(c.interceptors))
	return api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{c.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
}

// opusCodec is Opus as Pion describes it. The payload type is a default; the
// one that the client offered is used.
func opusCodec() webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeOpus,
			ClockRate:   clockRate,
			Channels:    2,
			SDPFmtpLine: sdp.OpusParameters,
		},
		PayloadType: 111,
	}
}

// redCodec is redundant audio (RFC 2198) as Pion describes it: it accepts what the client
// offered.
func redCodec() webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: red.MIMEType, ClockRate: clockRate, Channels: 2, SDPFmtpLine: "111/111"},
		PayloadType:        63,
	}
}

// pionLogs lets Pion log to slog. Pion warns of much that is normal (a client that
// left, a packet that came late), so that its warnings are debug messages here, and
// its errors warnings.
type pionLogs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

type pionLog struct{ log *slog.Logger }

func (p pionLog) put(level slog.Level, msg string) { p.log.Log(context.Background(), level, msg) }

func (p pionLog) putf(level slog.Level, format string, args []any) {
	if p.log.Enabled(context.Background(), level) {
		p.put(level, fmt.Sprintf(format, args...))
	}
}

// Trace and Debug are one message per packet in places: they are left out.

func (pionLog) Trace(string)          {}
func (pionLog) Tracef(string, ...any) {}
func (pionLog) Debug(string)          {}
func (pionLog) Debugf(string, ...any) {}

func (p pionLog) Info(msg string)                   { p.put(slog.LevelDebug, msg) }
func (p pionLog) Infof(format string, args ...any)  { p.putf(slog.LevelDebug, format, args) }
func (p pionLog) Warn(msg string)                   { p.put(slog.LevelDebug, msg) }
func (p pionLog) Warnf(format string, args ...any)  { p.putf(slog.LevelDebug, format, args) }
func (p pionLog) Error(msg string)                  { p.put(slog.LevelWarn, msg) }
func (p pionLog) Errorf(format string, args ...any) { p.putf(slog.LevelWarn, format, args) }
