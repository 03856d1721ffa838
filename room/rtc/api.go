package rtc

import (
	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// newMicAPI makes Pion's set-up for mics. Its only interceptor lets a mic report
// on what it receives (RFC 3550 section 6.4).
func newMicAPI(e *Engine, logs pionLogs) (*webrtc.API, error) {
	receiver, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	return newAPI(e, logs, receiver)
}

// newAPI makes Pion's set-up over the engine's port.
func newAPI(e *Engine, logs pionLogs, f interceptor.Factory) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(opusCodec(), webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if err := media.RegisterHeaderExtension(
		webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio,
	); err != nil {
		return nil, err
	}
	settings, err := newSettings(e, logs)
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	registry.Add(f)
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(registry)), nil
}

func newSettings(e *Engine, logs pionLogs) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: logs}
	s.SetLite(true)
	s.SetICEUDPMux(e.mux)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// A mic is one as soon as it sends, whatever its first packet holds.
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetIncludeLoopbackCandidate(true)
	// Pion counts any packet from the right address as a sign of life, which
	// anybody could send. Its timers are off; watchConsent does it by checks.
	s.SetICETimeouts(0, 0, 0)
	s.SetICEBindingRequestHandler(e.checked)
	// The client has proved its address by ICE before DTLS starts: the cookie
	// exchange (RFC 6347 section 4.2.1) would only cost a round trip.
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM,
		dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	return s, s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
}
