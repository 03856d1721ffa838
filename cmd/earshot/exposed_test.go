package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a server says about its own start: each row is one, and the words that tell
// whoever started it what is open; none is silence.
func TestServeSaysWhatIsExposed(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		says []string
	}{
		{"the defaults are for this machine", nil, nil},
		{"so is localhost", []string{"--http", "localhost:7080"}, nil},
		{"so is an open server on the loopback", []string{"--open"}, nil},
		{"every interface without TLS shows tokens", []string{"--http", "0.0.0.0:7080"}, []string{"--http 0.0.0.0:7080 is not encrypted", "--tls-self-signed"}},
		{"so does no host at all", []string{"--http", ":7080"}, []string{"is not encrypted"}},
		{"so does IPv6", []string{"--http", "[::]:7080"}, []string{"is not encrypted"}},
		{"so does a private network", []string{"--http", "10.1.2.3:7080"}, []string{"is not encrypted"}},
		{"a certificate of its own mends it", []string{"--http", "0.0.0.0:7080", "--tls-self-signed"}, nil},
		{"so does one from elsewhere", []string{"--http", "0.0.0.0:7080", "--tls-cert", "a", "--tls-key", "b"}, nil},
		{"behind a proxy that ends TLS the way from it is open", []string{"--http", "0.0.0.0:7080", "--public-url", "https://rooms.example.org"}, []string{"nobody but the proxy"}},
		{"unless it is on this machine", []string{"--public-url", "https://rooms.example.org"}, nil},
		{"a proxy without TLS shows tokens", []string{"--public-url", "http://rooms.example.org"}, []string{"--public-url http://rooms.example.org is not encrypted"}},
		{"an open server for the network is anybody's", []string{"--open", "--open-to-network", "--http", "0.0.0.0:7080"}, []string{"can make rooms"}},
		{"and so is one behind a proxy", []string{"--open", "--public-url", "https://rooms.example.org"}, []string{"can make rooms"}},
		{"trusting everybody is trusting nobody", []string{"--trusted-proxy", "0.0.0.0/0"}, []string{"--trusted-proxy 0.0.0.0/0 is everybody"}},
		{"in IPv6 too", []string{"--trusted-proxy", "::/0"}, []string{"--trusted-proxy ::/0 is everybody"}},
		{"everybody is exempt from nothing then", []string{"--rate-limit-exempt", "10.0.0.0/8", "--rate-limit-exempt", "0.0.0.0/0"}, []string{"--rate-limit-exempt 0.0.0.0/0 is everybody"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f serveFlags
			flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
			f.bind(flags)
			require.NoError(t, flags.Parse(c.args))
			require.NoError(t, f.check())
			said := f.exposed()
			if c.says == nil {
				assert.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			for _, text := range c.says {
				assert.Contains(t, said[0], text)
			}
		})
	}
}

// What is said is printed, after the line that says that it serves.
func TestServePrintsWhatIsExposed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr := watcher{seen: make(chan string, 10)}, watcher{seen: make(chan string, 100)}
	code := make(chan int, 1)
	go func() {
		code <- exitCode(run(ctx, []string{"serve", "--http", "0.0.0.0:0", "--media", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, stdout, stderr))
	}()
	<-stdout.seen
	for line := range stderr.seen {
		if strings.Contains(line, "is not encrypted") {
			assert.Contains(t, line, "WARN")
			break
		}
	}
	cancel()
	assert.Zero(t, <-code)
}

// Whoever could stop and read the process with it is let in by nobody, also not through a
// browser of this machine.
func TestProfilesAreForThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "profiles.example.org:0"} {
		_, stderr, code := command(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--pprof", address)
		assert.Equal(t, exitUsage, code, address)
		assert.Contains(t, stderr, "ssh -L", address)
	}
	failed := make(chan error, 1)
	s, err := serveProfiles("127.0.0.1:0", failed)
	require.NoError(t, err)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://evil.example:6060/debug/pprof/", nil)
	s.Handler.ServeHTTP(w, r)
	assert.Equal(t, http.StatusForbidden, w.Code)
	require.NoError(t, s.Close())
	assert.ErrorIs(t, <-failed, http.ErrServerClosed)
}

func TestRunSaysWhatIsExposed(t *testing.T) {
	for _, c := range []struct {
		name string
		f    watchFlags
		says []string
	}{
		{"nothing is served", watchFlags{}, nil},
		{"this machine may look", watchFlags{prometheus: "127.0.0.1:9090", dashboard: "localhost:8080"}, nil},
		{"everybody may look at the page", watchFlags{prometheus: "127.0.0.1:9090", dashboard: ":8080"}, []string{"--dashboard :8080"}},
		{"everybody may look at both", watchFlags{prometheus: "0.0.0.0:9090", dashboard: "[::]:8080"}, []string{"--prometheus 0.0.0.0:9090", "--dashboard [::]:8080"}},
		{"figures are no secret", watchFlags{remoteWrite: "http://store.example.org", otlp: "grpc://store.example.org:4317"}, nil},
		{"a password in the open is", watchFlags{remoteWrite: "http://ann:pw@store.example.org/x"}, []string{"the token goes to http://store.example.org unencrypted"}},
	} {
		said := c.f.exposed()
		require.Len(t, said, len(c.says), c.name)
		for i, text := range c.says {
			assert.Contains(t, said[i], text, c.name)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=x")
	said := watchFlags{otlp: "grpc://store.example.org:4317"}.exposed()
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "store.example.org:4317 unencrypted")
	_, stderr, _ := command(t, "run", "../../scenarios/smoke.yaml", "--dashboard", "0.0.0.0:0", "--ca", "nowhere.pem")
	assert.Contains(t, stderr, "earshot: warning: --dashboard 0.0.0.0:0 can be reached from the network")
}

// A token in the open is said by whoever sends it, too.
func TestTokenInTheOpenIsSaid(t *testing.T) {
	for _, c := range []struct {
		name, token string
		urls        []string
		says        []string
	}{
		{"without a token there is nothing to see", "", []string{"http://rooms.example.org"}, nil},
		{"this machine sees its own", "x", []string{"http://127.0.0.1:7080", "http://[::1]:7080", "http://localhost"}, nil},
		{"TLS hides it", "x", []string{"https://rooms.example.org"}, nil},
		{"plain HTTP does not", "x", []string{"http://rooms.example.org"}, []string{"http://rooms.example.org unencrypted"}},
		{"nor does a WebSocket", "x", []string{"ws://rooms.example.org", "WS://b.example.org"}, []string{"ws://rooms.example.org unencrypted", "ws://b.example.org unencrypted"}},
		{"one over TLS does", "x", []string{"wss://rooms.example.org"}, nil},
		{"two URLs of one host are one", "x", []string{"http://198.51.100.1/{room}/whip", "http://198.51.100.1/{room}/whep"}, []string{"http://198.51.100.1 "}},
		{"a password in the URL is not shown", "x", []string{"http://me:secret@198.51.100.1/"}, []string{"http://198.51.100.1 "}},
	} {
		said := plainToken(c.token, c.urls)
		require.Len(t, said, len(c.says), c.name)
		for i, text := range c.says {
			assert.Contains(t, said[i], text, c.name)
			assert.NotContains(t, said[i], "secret", c.name)
		}
	}
	for _, args := range [][]string{
		{"room", "list", "--token", "0123456789abcdef", "--target", "http://192.0.2.1:1", "--ca", "/dev/null"},
		{"run", "../../scenarios/smoke.yaml", "--token", "0123456789abcdef", "--target", "http://192.0.2.1:1", "--ca", "/dev/null"},
	} {
		_, stderr, _ := command(t, args...)
		assert.Contains(t, stderr, "warning: the token goes to http://192.0.2.1:1 unencrypted", args[0])
	}
	for _, args := range [][]string{
		{"--driver", "livekit", "--livekit-url", "ws://192.0.2.1:1", "--api-key", "k", "--api-secret", "not-a-secret-but-32-characters-long"},
		{"--driver", "whep", "--whip-url", "http://192.0.2.1:1/{room}", "--whip-token", "0123456789abcdef"},
	} {
		_, stderr, _ := command(t, append([]string{"run", "../../scenarios/smoke.yaml", "--ca", "/dev/null"}, args...)...)
		assert.Contains(t, stderr, "://192.0.2.1:1 unencrypted", args[1])
	}
}
