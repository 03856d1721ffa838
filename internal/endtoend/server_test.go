// Package endtoend_test plays clients that were written here, or by others,
// against the real server over the machine's loopback.
package endtoend_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	media, err := rtc.New(rtc.Config{Media: address, Log: log})
	require.NoError(t, err)
	server, err := signaling.New(signaling.Config{
		Open: true, Media: media, Log: log, Registry: prometheus.NewRegistry(), Version: "test",
	})
	require.NoError(t, err)
	front := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		front.Close()
		require.NoError(t, media.Close())
	})
	return front.URL
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// frames are the first n frames of one of the committed voices.
func frames(t *testing.T, voice string, n int) []speech.Frame {
	t.Helper()
	clip, err := speech.Load("../../scenarios/audio/" + voice)
	require.NoError(t, err)
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
