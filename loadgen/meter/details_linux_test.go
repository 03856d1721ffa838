package meter

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/process"
)

func TestDetailsFindTheBusiestThreadOfAServer(t *testing.T) {
	busy := startBusy(t, `sleep 60 & while :; do :; done`)
	meter := Process{PID: busy.Process.Pid}
	before, err := meter.Details(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		after, err := meter.Details(t.Context())
		require.NoError(t, err)
		thread, used := after.Busiest(before)
		return thread == busy.Process.Pid && used > 50*time.Millisecond
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, "sh", process.ThreadName(busy.Process.Pid))
	assert.Empty(t, process.ThreadName(1<<30))
}

func TestDetailsCountWhatTheServersSocketsDrop(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadBuffer(4096))
	meter := Process{PID: os.Getpid()}
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
	d, err := Metrics{URL: server.URL, Client: server.Client()}.Details(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]uint64{
		"itself, as its metrics say (overflow)": 7, "itself, as its metrics say (overrun)": 5,
	}, d.DropsSince(Details{}), "who is muted, and strangers, are no drops")
}
