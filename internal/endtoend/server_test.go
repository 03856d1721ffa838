// Package endtoend_test plays clients that were written here, or by others,
// against the real server over the machine's loopback.
package endtoend_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

// sideBySide is how many parallel tests run at the same time. They mostly wait.
const sideBySide = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped: these tests play in real time")
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(sideBySide)); err != nil {
		panic(err) // the testing package has no such flag any more
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// serve starts an open server and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	return serveOn(t, "127.0.0.1:0")
}

// serveOn does so with the media port at another address of this machine.
func serveOn(t *testing.T, address string) string {
	t.Helper()
	return serveAs(t, address, signaling.Config{Open: true})
}

// operatorToken is the operator's token of a server that is not open.
const operatorToken = "the-operator-of-this-test"

// serveClosed starts a server that wants tokens.
func serveClosed(t *testing.T) string {
	t.Helper()
	return serveAs(t, "127.0.0.1:0", signaling.Config{OperatorToken: operatorToken})
}

func serveAs(t *testing.T, address string, cfg signaling.Config) string {
	t.Helper()
	url, _ := serveMedia(t, rtc.Config{Media: address}, cfg)
	return url
}

// serveMedia tells as well where the media port is.
func serveMedia(t testing.TB, port rtc.Config, cfg signaling.Config) (string, netip.AddrPort) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	port.Log = log
	media, err := rtc.New(port)
	require.NoError(t, err)
	cfg.Media, cfg.Log, cfg.Registry, cfg.Version = media, log, prometheus.NewRegistry(), "test"
	cfg.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	server, err := signaling.New(cfg)
	require.NoError(t, err)
	front := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		requireInAgreement(t, front.URL)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		front.Close()
		require.NoError(t, media.Close())
	})
	return front.URL, media.Addr()
}

// requireInAgreement requires that media, roster and rules of every room agree,
// now and whenever the server has checked.
func requireInAgreement(t testing.TB, url string) {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, name := range []string{"earshot_roster_mismatches", "earshot_roster_mismatches_total"} {
		require.Contains(t, string(body), "\n"+name+" 0\n")
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// frames are the first n frames of one of the committed voices.
func frames(t *testing.T, voice string, n int) []speech.Frame {
	t.Helper()
	clip := testaudio.Clip(t, voice)
	require.GreaterOrEqual(t, len(clip.Frames), n)
	return clip.Frames[:n]
}

// post makes an HTTP request without leaving a connection behind.
func request(t *testing.T, method, url, contentType, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(data)
}
