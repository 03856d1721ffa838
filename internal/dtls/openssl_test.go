package dtls

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// output collects what a program says.
type output struct {
	mu   sync.Mutex
	said strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.String()
}

// writePEM writes a certificate with its key for OpenSSL.
func writePEM(t *testing.T, certificate []byte, key crypto.PrivateKey) string {
	t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})...)
	path := filepath.Join(t.TempDir(), "side.pem")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// startOpenSSL starts OpenSSL with arguments, and ends it with the test.
func startOpenSSL(t *testing.T, arguments ...string) *output {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl here")
	}
	said := &output{}
	c := exec.CommandContext(t.Context(), "openssl", arguments...)
	c.Stdout, c.Stderr = said, said
	input, err := c.StdinPipe() // which stays open, or it would end
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = input.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return said
}

var accepting = regexp.MustCompile(`(?m)^ACCEPT (127\.0\.0\.1:\d+)$`)

var exported = regexp.MustCompile(`(?s)Keying material: ([0-9A-F]+)`)

// exporting are the arguments that make OpenSSL tell the SRTP keys.
func exporting() []string {
	return []string{"-keymatexport", labelExporter, "-keymatexportlen", "56", "-use_srtp", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"}
}

// requireExported requires that OpenSSL has the same SRTP keys.
func requireExported(t *testing.T, said *output, h *Handshake) {
	t.Helper()
	material := make([]byte, 56)
	h.Export(material)
	var b strings.Builder
	for _, v := range material {
		b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(v)|0x100, 16)[1:]))
	}
	require.Eventually(t, func() bool {
		m := exported.FindStringSubmatch(said.String())
		return m != nil && m[1] == b.String()
	}, patience, 10*time.Millisecond)
}

// peerConn is a socket as it is for one peer.
type peerConn struct {
	*net.UDPConn
	peer *net.UDPAddr
}

func (c *peerConn) Write(b []byte) (int, error) { return c.WriteToUDP(b, c.peer) }

func TestServerWithOpenSSL(t *testing.T) {
	for name, arguments := range map[string][]string{
		"as it is":           nil,
		"in small fragments": {"-mtu", "300"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
			theirs, ours := p256Certificate(), p256Certificate()
			path := writePEM(t, theirs.Certificate[0], theirs.PrivateKey)
			said := startOpenSSL(t, append(append([]string{"s_client", "-dtls1_2", "-connect", conn.LocalAddr().String(),
				"-cert", path, "-key", path}, exporting()...), arguments...)...)
			defer func() { _ = conn.Close() }()
			b := make([]byte, 1<<16)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, from, err := conn.ReadFromUDP(b) // it is sent again
			require.NoError(t, err)
			h, err := drive(t, &peerConn{conn, from}, must(NewConfig(false, ours, []uint16{profileGCM128})), expect(theirs))
			require.NoError(t, err)
			assert.EqualValues(t, profileGCM128, h.Profile())
			requireExported(t, said, h)
		})
	}
}

func TestClientWithOpenSSL(t *testing.T) {
	for name, row := range map[string]struct {
		certificate string
		arguments   []string
	}{
		"as it is":           {"P-256", nil},
		"RSA":                {"RSA 2048", nil},
		"RSA without PSS":    {"RSA 2048", []string{"-sigalgs", "RSA+SHA256:ECDSA+SHA256"}},
		"with X25519":        {"P-256", []string{"-groups", "X25519:P-256", "-serverpref"}},
		"in small fragments": {"P-256", []string{"-mtu", "300"}},
	} {
		t.Run(name, func(t *testing.T) {
			certificates := otherCertificates()
			certificates["P-256"] = p256Certificate()
			theirs, ours := certificates[row.certificate], p256Certificate()
			path := writePEM(t, theirs.Certificate[0], theirs.PrivateKey)
			said := startOpenSSL(t, append(append([]string{"s_server", "-dtls1_2", "-accept", "127.0.0.1:0", "-Verify", "1",
				"-cert", path, "-key", path}, exporting()...), row.arguments...)...)
			var at []string
			require.Eventually(t, func() bool {
				at = accepting.FindStringSubmatch(said.String())
				return at != nil
			}, patience, 10*time.Millisecond)
			mine := must(net.Dial("udp4", at[1]))
			defer func() { _ = mine.Close() }()
			h, err := drive(t, mine, must(NewConfig(true, ours, []uint16{profileGCM128})), expect(theirs))
			require.NoError(t, err)
			requireExported(t, said, h)
		})
	}
}
