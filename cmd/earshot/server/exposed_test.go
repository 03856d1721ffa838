package server

import (
	"net/http"
	"net/http/httptest"
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

// A page of another site can't read the process through a browser of this machine.
func TestProfilesRefuseOtherHosts(t *testing.T) {
	failed := make(chan error, 1)
	s, err := serveProfiles("127.0.0.1:0", failed)
	require.NoError(t, err)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://evil.example:6060/debug/pprof/", nil)
	s.Handler.ServeHTTP(w, r)
	assert.Equal(t, http.StatusForbidden, w.Code)
	require.NoError(t, s.Close())
	assert.ErrorIs(t, <-failed, http.ErrServerClosed)
}
