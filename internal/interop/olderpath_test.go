package interop_test

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNewerLiveKitByTheOlderPath plays smoke against a LiveKit server that has both paths, behind a
// proxy that knows one.
func TestNewerLiveKitByTheOlderPath(t *testing.T) {
	if *built == "" || *sideBySide {
		t.Skip("plays against a LiveKit server: make interop")
	}
	if !inOwnNetwork(t) {
		return
	}
	earshot, p := buildEarshot(t), livekit("v1.11.0")
	server := p.start(t, earshot)
	behind, err := url.Parse("http://127.0.0.1:7880")
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	listener, err := net.Listen("tcp", "127.0.0.1:7890")
	require.NoError(t, err)
	front := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/rtc/v1") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	t.Cleanup(func() { _ = front.Close() })
	go func() { _ = front.Serve(listener) }() // until it is closed
	p.target = []string{"--livekit-url", "ws://127.0.0.1:7890"}
	is := untilDecided(t, func() (summary, said []byte) {
		return p.play(t, earshot, server.Pid, true, "run", "../../scenarios/smoke.yaml")
	})
	t.Log(is.text)
	assert.Equal(t, "pass", is.Verdict)
	assert.Contains(t, is.text, "by /rtc, since it has no /rtc/v1")
}
