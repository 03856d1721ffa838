// Package testturn gives tests a TURN server. Nothing else imports it.
package testturn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// A Server is a TURN server on the loopback, for one user.
type Server struct {
	Address    string // of UDP and TCP
	TLSAddress string
	// Authority is what has to be trusted for TLS, as PEM; Roots trusts it.
	Authority []byte
	Roots     *tls.Config
}

// patience is for how long a port is looked for that is free for UDP and TCP.
const patience = 10 * time.Second

// Start starts a server that ends with the test.
func Start(t testing.TB, user, password string) Server {
	t.Helper()
	var conn net.PacketConn
	var listener net.Listener
	require.Eventually(t, func() (ok bool) {
		var err error
		if listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return false
		}
		if conn, err = net.ListenPacket("udp4", listener.Addr().String()); err != nil {
			_ = listener.Close() // and another is tried
			return false
		}
		return true
	}, patience, time.Millisecond)
	certified := httptest.NewTLSServer(nil) // which has a certificate for 127.0.0.1
	t.Cleanup(certified.Close)
	secure, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	relayed := &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	quiet := logging.NewDefaultLoggerFactory() // clients that are gone are no news
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	server, err := turn.NewServer(turn.ServerConfig{
		LoggerFactory: quiet,
		Realm:         "earshot.test",
		AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
			return r.Username, turn.GenerateAuthKey(user, r.Realm, password), r.Username == user
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: relayed}},
		ListenerConfigs: []turn.ListenerConfig{
			{Listener: listener, RelayAddressGenerator: relayed},
			{Listener: secure, RelayAddressGenerator: relayed},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	return Server{
		Address: listener.Addr().String(), TLSAddress: secure.Addr().String(),
		Authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}),
		Roots:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}
}
