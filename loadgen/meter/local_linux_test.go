package meter

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLocalFindsTheServersThreads(t *testing.T) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), asListener+"=1")
	in, err := server.StdinPipe()
	require.NoError(t, err)
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = server.Wait() // it ends with its input
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var port int
	_, err = fmt.Sscan(line, &port)
	require.NoError(t, err)
	p, err := procfs.NewProc(server.Process.Pid)
	require.NoError(t, err)
	stat, err := p.Stat()
	require.NoError(t, err)
	began, err := stat.StartTime()
	require.NoError(t, err)

	for _, c := range []struct {
		sentence string
		port     int
		began    float64
		found    bool
	}{
		{"it listens on the port, and began when it says", port, began, true},
		{"the process on the port began at another time: there is a proxy before the server", port, began - 100, false},
		{"nobody listens on the port", 1, began, false},
		{"it does not say when it began", port, 0, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range map[string]float64{"process_cpu_seconds_total": 1, "process_resident_memory_bytes": 1, "process_start_time_seconds": c.began} {
					fmt.Fprintf(w, "# TYPE %s gauge\n%s %f\n", name, name, value)
				}
			}))
			defer metrics.Close()
			m := &Local{Metrics: Metrics{URL: metrics.URL, Client: metrics.Client()}, Port: c.port}
			for range 2 {
				u, err := m.Usage(t.Context())
				require.NoError(t, err)
				assert.Equal(t, c.found, u.Waits != nil)
				if c.found {
					assert.Contains(t, u.Waits, server.Process.Pid)
				}
			}
		})
	}
}
