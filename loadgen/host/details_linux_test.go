package host

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDetailsFindTheBusiestThreadOfAServer(t *testing.T) {
	busy := startBusy(t, `sleep 60 & while :; do :; done`)
	meter := ProcessMeter{PID: busy.Process.Pid}
	before, err := meter.Details(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		after, err := meter.Details(t.Context())
		require.NoError(t, err)
		thread, used := after.Busiest(before)
		return thread == busy.Process.Pid && used > 50*time.Millisecond
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, "sh", ThreadName(busy.Process.Pid))
	assert.Empty(t, ThreadName(1<<30))
}

func TestDetailsCountWhatTheServersSocketsDrop(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadBuffer(4096))
	meter := ProcessMeter{PID: os.Getpid()}
	before, err := meter.Details(t.Context())
	require.NoError(t, err)
	assert.Empty(t, before.DropsSince(before))
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	require.NoError(t, err)
	defer sender.Close()
	for range 200 {
		_, err := sender.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	after, err := meter.Details(t.Context())
	require.NoError(t, err)
	dropped := after.DropsSince(before)[atSockets]
	assert.Greater(t, dropped, uint64(100))
	assert.Less(t, dropped, uint64(200))
}

func TestDetailsOfMetricsAreWhatTheServerHadTooMuchOf(t *testing.T) {
	text := "earshot_media_packets_dropped_total{reason=\"muted\"} 1000\n" +
		"earshot_media_packets_dropped_total{reason=\"overflow\"} 7\n" +
		"earshot_media_datagrams_refused_total{reason=\"unauthentic\"} 500\n" +
		"earshot_media_datagrams_refused_total{reason=\"overrun\"} 5\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# TYPE earshot_media_packets_dropped_total counter\n# TYPE earshot_media_datagrams_refused_total counter\n"+text)
	}))
	defer server.Close()
	d, err := MetricsMeter{URL: server.URL, Client: server.Client()}.Details(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]uint64{
		"itself, as its metrics say (overflow)": 7, "itself, as its metrics say (overrun)": 5,
	}, d.DropsSince(Details{}), "who is muted, and strangers, are no drops")
}

func TestBusiestLink(t *testing.T) {
	dir := t.TempDir()
	const head = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	read := func(lines string) map[string]Link {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "proc/net"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "proc/net/dev"), []byte(head+lines), 0o600))
		return linksIn(filepath.Join(dir, "proc"), filepath.Join(dir, "sys"))
	}
	for name, speed := range map[string]string{"eth0": "1000\n", "eth1": "10000\n", "tap0": "-1\n"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "sys", name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sys", name, "speed"), []byte(speed), 0o600))
	}
	before := read("lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\neth0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" +
		"eth1: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\ntap0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	after := read("lo: 999999999999 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\neth0: 1150000000 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n" +
		"eth1: 5 0 0 0 0 0 0 0 2000000000 0 0 0 0 0 0 0\ntap0: 99999999999 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	busiest, ok := BusiestLink(before, after, 10*time.Second)
	require.True(t, ok)
	assert.Equal(t, LinkLoad{"eth0", 920e6, 1e9}, busiest)
	_, ok = BusiestLink(before, after, 0)
	assert.False(t, ok)
	_, ok = BusiestLink(nil, after, time.Second)
	assert.False(t, ok, "what was there before is not known")
}
