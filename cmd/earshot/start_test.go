package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServeStartsTwiceFromNothing starts the server in every way of the documentation,
// in an empty directory and in ones that are partly there, and again on what it left.
func TestServeStartsTwiceFromNothing(t *testing.T) {
	ways := map[string][]string{
		"plainly":                    nil,
		"with TLS of its own":        {"--tls-self-signed"},
		"with its data elsewhere":    {"--data", filepath.Join("srv", "earshot", "data")},
		"with TLS and its data":      {"--tls-self-signed", "--data", filepath.Join("srv", "data")},
		"with a token that is given": {"--operator-token", "an-operator-token-of-the-tests"},
		"open, with TLS":             {"--open", "--tls-self-signed"},
	}
	for way, flags := range ways {
		for before, make := range map[string]string{"nothing": "", "its directory": "earshot-data", "a parent": "srv"} {
			t.Run(way+", where there is "+before, func(t *testing.T) {
				t.Chdir(t.TempDir())
				if make != "" {
					require.NoError(t, os.Mkdir(make, 0o755))
				}
				for range 2 {
					url, stop := served(t, flags...)
					assert.NotEmpty(t, url)
					assert.Zero(t, stop())
				}
			})
		}
	}
}

// TestServeListensInTheFamilyOfItsAddress asks for the server at the addresses of the
// other family.
func TestServeListensInTheFamilyOfItsAddress(t *testing.T) {
	requireIPv6(t)
	for given, at := range map[string]map[string]bool{
		"0.0.0.0:0":   {"127.0.0.1": true, "::1": false},
		"127.0.0.1:0": {"127.0.0.1": true, "::1": false},
		"[::1]:0":     {"127.0.0.1": false, "::1": true},
		"[::]:0":      {"127.0.0.1": true, "::1": true},
	} {
		url, stop := served(t, "--open", "--open-to-network", "--http", given, "--media", given)
		bound, err := netip.ParseAddrPort(strings.TrimPrefix(url, "http://"))
		require.NoError(t, err)
		for host, answers := range at {
			conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(host), bound.Port()).String())
			assert.Equal(t, answers, err == nil, "%s, at %s", given, host)
			if err == nil {
				_ = conn.Close()
			}
		}
		assert.Zero(t, stop())
	}
}

// TestRunOverIPv6 plays a scenario to a server on ::1, with mics, listeners and probes.
func TestRunOverIPv6(t *testing.T) {
	realTime(t)
	t.Parallel()
	requireIPv6(t)
	url, stop := served(t, "--open", "--http", "[::1]:0", "--media", "[::1]:0")
	defer func() { assert.Zero(t, stop()) }()
	stdout, stderr, code := honestly(t, "run", small(t, `
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
`), "--target", url)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
}

func requireIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6")
	}
	require.NoError(t, l.Close())
}
