package endtoend_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

// An isolatedServer is a server on ports of its own, behind the HTTP server that
// earshot serve has, for hostile clients to be let loose on. The files
// hostile_*_test.go do that; docs/security.md says what they hold.
type isolatedServer struct {
	url      string // http://127.0.0.1:port
	address  string // 127.0.0.1:port
	media    netip.AddrPort
	front    *http.Server
	registry *prometheus.Registry
}

// operator is the token of an isolatedServer's operator.
const operator = "a token that only the operator has"

// serveIsolated starts one, open unless change says otherwise.
func serveIsolated(t *testing.T, change func(*signaling.Config)) *isolatedServer {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	engine, err := rtc.New(rtc.Config{Media: "127.0.0.1:0", Log: log})
	require.NoError(t, err)
	f := &isolatedServer{registry: prometheus.NewRegistry(), media: engine.Addr()}
	cfg := signaling.Config{Open: true, Media: engine, Log: log, Registry: f.registry, Version: "test",
		ResumeWindow: 500 * time.Millisecond} // after which the seats of connections that died are free
	if change != nil {
		change(&cfg)
	}
	server, err := signaling.New(cfg)
	require.NoError(t, err)
	f.front = server.HTTP()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.address = listener.Addr().String()
	f.url = "http://" + f.address
	ended := make(chan error, 1)
	go func() { ended <- f.front.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, server.Shutdown(ctx))
		assert.NoError(t, f.front.Shutdown(ctx))
		assert.ErrorIs(t, <-ended, http.ErrServerClosed)
		assert.NoError(t, engine.Close())
	})
	return f
}

// closed makes an isolatedServer ask for tokens.
func closed(c *signaling.Config) { c.Open, c.OperatorToken = false, operator }

// unlimited lets an isolatedServer's clients do what they like as often as they like.
func unlimited(c *signaling.Config) {
	c.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// figure is the value of a metric, summed over its labels, or those of the
// label value given, which may be one that has not occurred yet.
func (f *isolatedServer) figure(t *testing.T, name string, label ...string) (sum float64) {
	t.Helper()
	families, err := f.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			wanted := len(label) == 0
			for _, l := range m.GetLabel() {
				wanted = wanted || l.GetValue() == label[0]
			}
			if wanted {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		return sum
	}
	require.NotEmpty(t, label, "there is no metric %s", name)
	return 0
}

// entries is all that a server keeps for its clients.
func (f *isolatedServer) entries(t *testing.T) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, name := range []string{"earshot_rooms", "earshot_members", "earshot_ws_sessions",
		"earshot_mics", "earshot_ears", "earshot_media_addresses"} {
		all[name] = f.figure(t, name)
	}
	return all
}

// undisturbed lets attack loose while somebody speaks, and requires that a
// listener over WHEP and one over the WebSocket hear every frame all the same,
// that nothing of the attack stays behind in the server, and that its goroutines
// are gone. It returns how many frames were spoken.
func (f *isolatedServer) undisturbed(t *testing.T, attack func()) {
	t.Helper()
	ears := []*listener{
		listen(t, 1, byHTTP(t, f.url+"/rooms/calm/whep")),
		listen(t, 3, enter(t, f.url, "calm", "listener").exchange("ear")),
	}
	mic := publish(t, byHTTP(t, f.url+"/rooms/calm/whip"))
	voice := frames(t, "speech.ogg", 500)
	before, running := f.entries(t), runtime.NumGoroutine()

	stop, spoken := make(chan struct{}), make(chan []speech.Frame)
	go func() {
		var sent []speech.Frame
		for i := 0; ; i = (i + 25) % len(voice) {
			mic.say(voice[i:i+25], 30)
			sent = append(sent, voice[i:i+25]...)
			select {
			case <-stop:
				spoken <- sent
				return
			default:
			}
		}
	}()
	func() {
		defer close(stop) // also when the attack fails the test
		attack()
	}()
	sent := <-spoken
	for _, ear := range ears {
		requireNothingMissed(t, sent, ear.wait(t, len(sent)))
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, before, f.entries(t), "nothing stays behind")
		assert.LessOrEqual(c, runtime.NumGoroutine(), running+10)
	}, patience, 50*time.Millisecond)
}

// requireNothingMissed requires that the packets are the frames, in order, on
// one unbroken sequence, and nothing else.
func requireNothingMissed(t *testing.T, sent []speech.Frame, heard []*rtp.Packet) {
	t.Helper()
	require.Len(t, heard, len(sent))
	for i, p := range heard {
		require.Equal(t, sent[i].Payload, p.Payload, "frame %d", i)
	}
	requireUnbroken(t, heard)
}

// requireRefusal requires an error in the one form that all have, and its code.
func requireRefusal(t *testing.T, status int, code string, resp *http.Response, body string) {
	t.Helper()
	assert.Equal(t, status, resp.StatusCode, body)
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	assert.True(t, strings.HasPrefix(body, `{"error":{"code":"`+code+`","message":"`), body)
}

// selfSigned is a certificate for TLS.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
