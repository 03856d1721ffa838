package dtls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	piondtls "github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drive runs a handshake over a socket, until it is complete or has failed.
func drive(t testing.TB, conn net.Conn, c *Config, verify func([]byte) error) (*Handshake, error) {
	t.Helper()
	h := c.NewHandshake(verify, func(b []byte) { _, _ = conn.Write(b) })
	if c.client {
		h.Start(time.Now())
	}
	b, end := make([]byte, 1<<16), time.Now().Add(patience)
	for h.Session() == nil {
		require.True(t, time.Now().Before(end), "no end")
		until := end
		if d := h.Deadline(); !d.IsZero() && d.Before(end) {
			until = d
		}
		require.NoError(t, conn.SetReadDeadline(until))
		n, err := conn.Read(b)
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			h.Timeout(time.Now())
			continue
		case errors.Is(err, net.ErrClosed):
			return h, err
		case err != nil:
			continue // refused: nobody listens there yet
		}
		if err := h.Handle(b[:n], time.Now()); err != nil {
			return h, err
		}
	}
	return h, nil
}

// connected makes two sockets that are connected with each other.
func connected(t testing.TB) (mine, theirs *net.UDPConn) {
	t.Helper()
	home := func(port int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	a := must(net.ListenUDP("udp4", home(0)))
	at := a.LocalAddr().(*net.UDPAddr)
	b := must(net.DialUDP("udp4", home(0), at))
	to := b.LocalAddr().(*net.UDPAddr)
	require.NoError(t, a.Close())
	a = must(net.DialUDP("udp4", at, to))
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// pionConn is the connected socket as Pion wants it.
type pionConn struct {
	*net.UDPConn
}

func (c pionConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, c.RemoteAddr(), err
}
func (c pionConn) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

func TestWithPion(t *testing.T) {
	certificates := otherCertificates()
	certificates["P-256"] = p256Certificate()
	for _, client := range []bool{true, false} {
		for name, theirs := range certificates {
			for _, row := range []struct {
				name    string
				options []piondtls.Option
				x25519  bool
			}{
				{name: "as it is"},
				{name: "without extended master secret", options: []piondtls.Option{piondtls.WithExtendedMasterSecret(piondtls.DisableExtendedMasterSecret)}},
				{name: "in small fragments", options: []piondtls.Option{piondtls.WithMTU(100)}},
				{name: "with X25519", x25519: true},
			} {
				t.Run(fmt.Sprintf("we are the client: %v/%s/%s", client, name, row.name), func(t *testing.T) {
					t.Parallel()
					mine, socket := connected(t)
					ours := p256Certificate()
					shown := make(chan []byte, 1)
					options := append([]piondtls.Option{
						piondtls.WithCertificates(theirs), piondtls.WithInsecureSkipVerify(true),
						piondtls.WithSRTPProtectionProfiles(piondtls.SRTP_AES128_CM_HMAC_SHA1_80, piondtls.SRTP_AEAD_AES_128_GCM),
						piondtls.WithVerifyPeerCertificate(func(chain [][]byte, _ [][]*x509.Certificate) error {
							shown <- chain[0]
							return nil
						}),
					}, row.options...)
					if row.x25519 && client {
						options = append(options, piondtls.WithEllipticCurves(elliptic.X25519))
					}
					pion := must(pionSide(!client, socket, options))
					done := make(chan error, 1)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					go func() { done <- pion.HandshakeContext(ctx) }()
					h, err := drive(t, mine, must(NewConfig(client, ours, []uint16{profileGCM128, profileCM128})), expect(theirs))
					require.NoError(t, err)
					require.NoError(t, <-done)
					assert.Equal(t, ours.Certificate[0], <-shown)

					profile, _ := pion.SelectedSRTPProtectionProfile()
					assert.EqualValues(t, profile, h.Profile())
					state, ok := pion.ConnectionState()
					require.True(t, ok)
					want, err := state.ExportKeyingMaterial(labelExporter, nil, 60)
					require.NoError(t, err)
					got := make([]byte, 60)
					h.Export(got)
					assert.Equal(t, want, got)

					// And what follows: its data proves its keys, and its end is ours.
					s := h.Session()
					_, err = mine.Write(s.keys.seal(nil, RecordApplication, []byte("hello")))
					require.NoError(t, err)
					b := make([]byte, 100)
					n, err := pion.Read(b)
					require.NoError(t, err)
					assert.Equal(t, "hello", string(b[:n]))
					require.NoError(t, pion.Close())
					for closed := false; !closed; {
						n, err := mine.Read(b)
						require.NoError(t, err)
						closed, _ = s.Handle(b[:n], time.Now())
					}
				})
			}
		}
	}
}

// pionSide makes Pion's side.
func pionSide(client bool, socket *net.UDPConn, options []piondtls.Option) (*piondtls.Conn, error) {
	if client {
		all := make([]piondtls.ClientOption, len(options))
		for i, o := range options {
			all[i] = o
		}
		return piondtls.ClientWithOptions(pionConn{socket}, socket.RemoteAddr(), all...)
	}
	all := []piondtls.ServerOption{piondtls.WithClientAuth(piondtls.RequireAnyClientCert)}
	for _, o := range options {
		all = append(all, o)
	}
	return piondtls.ServerWithOptions(pionConn{socket}, socket.RemoteAddr(), all...)
}
