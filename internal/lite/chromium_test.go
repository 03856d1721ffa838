package lite

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionsdp "github.com/pion/sdp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

func TestServerWithChromium(t *testing.T) {
	var present atomic.Pointer[testServer]
	on := func(tune ...func(*ServerConfig)) {
		s := newTestServer(t, tune...)
		every(t, s.Tick)
		present.Store(s)
	}
	on()
	ears, peers := make(chan *peerRecorder, 2), make(chan *Peer, 2)
	url := chromium.ServeListeningPage(t, func(text string) (string, error) {
		s := present.Load()
		var offer pionsdp.SessionDescription
		if err := offer.UnmarshalString(text); err != nil {
			return "", err
		}
		remote, fingerprint := identity(t, &offer)
		local, e := sdp.NewCredentials(), newPeerRecorder(s.port)
		p, err := s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: fingerprint, Events: e}, time.Now())
		if err != nil {
			return "", err
		}
		ears <- e
		peers <- p
		return litesdp(local, s.cert.Fingerprint(), s.port.addr(), true, "passive", "sendonly", 42), nil
	})
	tab := chromium.Start(t)
	chromium.Open(t, tab, url)
	call := func(expression string) string {
		t.Helper()
		return chromium.Eval[string](t, tab, expression)
	}

	listen := func(seq uint16, profile string) (*peerRecorder, *Peer) {
		s := present.Load()
		call("listen()")
		e, p := within(t, ears, "an ear"), within(t, peers, "a peer")
		within(t, e.ready, "the server's readiness")
		st := e.stream(t, 42)
		for i := range uint16(100) {
			header, _ := testPacket(t, seq+i, 42, nil)
			header[1] &= 0x7f
			sealed, err := st.Seal(make([]byte, 0, 500), header, []byte{0xf8, 0xff, 0xfe}) // 20 ms of silence
			require.NoError(t, err)
			s.port.Send(sealed, p.Addr())
			time.Sleep(5 * time.Millisecond)
		}
		heard := call("hear(100)")
		assert.Equal(t, "100 0 "+profile+" TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 FEFD", heard)
		parsed, err := rtcp.Unmarshal(within(t, e.rtcp, "a receiver report"))
		require.NoError(t, err)
		assert.IsType(t, &rtcp.ReceiverReport{}, parsed[0])
		return e, p
	}
	// Chromium offers all that this package speaks; the server chooses.
	const favourite = "SRTP_AEAD_AES_128_GCM"
	for profile, name := range map[srtp.Profile]string{srtp.GCM128: favourite, srtp.GCM256: "SRTP_AEAD_AES_256_GCM", srtp.CM128SHA1: "SRTP_AES128_CM_HMAC_SHA1_80"} {
		on(func(cfg *ServerConfig) { cfg.Profiles = []srtp.Profile{profile} })
		e, _ := listen(32700, name)
		call("hangup()")
		assert.ErrorIs(t, within(t, e.closed, "the end of a peer with "+name), ErrPeerClosed)
	}

	on()
	e, _ := listen(32700, favourite)
	call("hangup()")
	assert.ErrorIs(t, within(t, e.closed, "the end of a closed page's peer"), ErrPeerClosed)

	_, p := listen(7, favourite)
	p.Close()
	call("reach('closed')")
}
