package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTwoServersOnOneNATS starts a second server on the NATS server of a first, before and
// after that went away: it is refused, and what the first has acknowledged is there.
func TestTwoServersOnOneNATS(t *testing.T) {
	t.Parallel()
	options := server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, SyncAlways: true}
	start := func() *server.Server {
		var external *server.Server
		require.Eventually(t, func() bool {
			given := options // a server changes its options
			var err error
			external, err = server.NewServer(&given)
			require.NoError(t, err)
			external.Start()
			ready := external.ReadyForConnections(10 * time.Second)
			if !ready { // somebody else has its port for a moment
				external.Shutdown()
			}
			return ready
		}, time.Minute, 100*time.Millisecond)
		options.Port = external.Addr().(*net.TCPAddr).Port
		return external
	}
	external := start()
	defer func() { external.Shutdown(); external.WaitForShutdown() }()
	nats := external.ClientURL()
	data := t.TempDir()
	url, stop := served(t, "--data", data, "--nats", nats)
	ready := func() int {
		status, _ := get(t, http.MethodGet, url+"/readyz", "", "")
		return status
	}
	create := func() (room string) {
		stdout, stderr, code := command(t, "room", "create", "Lobby", "--target", url, "--data", data)
		require.Zero(t, code, stderr)
		return strings.Fields(stdout)[1]
	}
	refused := func() {
		_, stderr, code := command(t, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data", t.TempDir(), "--nats", nats)
		assert.Equal(t, 1, code)
		assert.Contains(t, stderr, "another server uses this store")
	}
	before := create()
	refused()

	external.Shutdown()
	external.WaitForShutdown()
	assert.Eventually(t, func() bool { return ready() == http.StatusServiceUnavailable }, time.Minute, 50*time.Millisecond)
	_, stderr, code := command(t, "room", "create", "Lobby", "--target", url, "--data", data)
	assert.NotZero(t, code)
	assert.Contains(t, stderr, "unavailable")

	external = start()
	refused()
	assert.Eventually(t, func() bool { return ready() == http.StatusOK }, time.Minute, 50*time.Millisecond)
	after := create()
	assert.Zero(t, stop())

	url, stop = served(t, "--data", data, "--nats", nats)
	stdout, stderr, code := command(t, "room", "list", "--target", url, "--data", data)
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, before)
	assert.Contains(t, stdout, after)
	assert.Zero(t, stop())
}
