package lite

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// FuzzKindOf holds that a datagram is what RFC 7983, section 7 and RFC 5761,
// section 4 say, and that nothing is taken for DTLS whose first record could not
// be a record, however it begins.
func FuzzKindOf(f *testing.F) {
	for _, first := range []byte{0, 3, 4, 19, 20, 22, 63, 64, 79, 80, 127, 128, 191, 192, 255} {
		for _, second := range []byte{0, 72, 191, 192, 200, 223, 224, 255} {
			f.Add([]byte{first, second, 0, 0})
		}
	}
	f.Add([]byte{})
	f.Add([]byte{22})
	f.Fuzz(func(t *testing.T, b []byte) {
		want := kindOther
		if len(b) >= 2 {
			switch first := b[0]; {
			case first <= 3:
				want = kindSTUN
			case 20 <= first && first <= 63:
				want = kindDTLS
			case 128 <= first && first <= 191:
				want = kindRTP
				if pt := b[1] & 0x7f; b[1]>>7 == 1 && 64 <= pt && pt <= 95 {
					want = kindRTCP
				}
			}
		}
		require.Equal(t, want, classify(b))
		require.False(t, dtls.IsHello(b) && classify(b) != kindDTLS)
		require.False(t, isSTUN(b) && classify(b) != kindSTUN)
		if _, ok := srtp.HeaderLen(b); ok {
			require.Contains(t, []datagramKind{kindRTP, kindRTCP}, classify(b))
		}
	})
}

// authentic reports whether a datagram is a Binding request that was signed with
// a password.
func authentic(b []byte, password string) bool {
	var m stunMessage
	return m.parse(b) && m.kind == bindingRequest && m.authentic(new(stunHMACPool).get(), password)
}

// FuzzAuthentic holds that a check is authentic with the password that it was
// made with, and that no change of it is.
func FuzzAuthentic(f *testing.F) {
	// The same in every process of the fuzzer.
	right := (&check{id: transactionID{1}, to: "server", from: "client", key: "swordfish", controlling: true}).append(nil, new(stunHMACPool).get())
	f.Add(right)
	f.Add(pionCheck(f, "server", "client", "swordfisH"))
	f.Add(right[:len(right)-8])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if authentic(b, "swordfish") {
			var m stunMessage
			require.True(t, m.parse(b))
			require.Equal(t, right[stunHeader-12:len(right)-8-24], b[stunHeader-12:m.integrityAt], "what the password signed")
		}
		require.Equal(t, before, b)
		require.False(t, authentic(b, ""))
	})
}

// FuzzServerUnauthenticated holds that a server answers only authentic checks, and with
// less than they are long.
func FuzzServerUnauthenticated(f *testing.F) {
	local, remote := sdp.Credentials{Ufrag: "strangersufrag", Pwd: "strangersstrangersstrangers"}, sdp.Credentials{Ufrag: "remoteufrag"}
	known := pionCheck(f, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1), ice.UseCandidate())
	f.Add(known)
	f.Add(pionCheck(f, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlled(1)))
	f.Add(pionCheck(f, local.Ufrag, remote.Ufrag, "guessed"))
	f.Add(hello(f))
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 1})
	sent := 0
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())),
		Send: SenderFunc(func(b []byte, _ netip.AddrPort) { sent += len(b) })}))
	f.Cleanup(s.Close)
	now := time.Now()
	p := must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	from := netip.MustParseAddrPort("192.0.2.9:5")
	f.Fuzz(func(t *testing.T, b []byte) {
		isAuthentic := authentic(b, local.Pwd)
		sent = 0
		before := s.Stats().Addresses
		s.Handle(bytes.Clone(b), from, now, nil)
		if !isAuthentic {
			require.Zero(t, sent)
			require.Equal(t, before, s.Stats().Addresses)
		}
		require.LessOrEqual(t, sent, len(b)+24, "no amplifier")
		require.Equal(t, 1, s.Stats().Peers)
		require.Nil(t, p.dtls)
		s.demux.mu.Lock()
		clear(s.demux.byAddr)
		p.route.addresses = nil
		s.demux.mu.Unlock()
	})
}
