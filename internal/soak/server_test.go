package soak_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// operatorToken is the operator's token of the server.
const operatorToken = "the-operator-of-the-soak"

// A server is earshot serve in a process of its own, which is stopped and killed and
// started again on the same addresses and the same data.
type server struct {
	t            *testing.T
	binary, data string
	http, media  string // addresses
	pprof        string
	log          *os.File
	cmd          *exec.Cmd
	client       *http.Client
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, binary: filepath.Join(dir, "earshot"), data: filepath.Join(dir, "data"), client: &http.Client{Timeout: 30 * time.Second}}
	s.client.Transport = &http.Transport{DisableKeepAlives: true}
	out, err := exec.Command("go", "build", "-o", s.binary, "../../cmd/earshot").CombinedOutput()
	require.NoError(t, err, string(out))
	s.http, s.media, s.pprof = freePort(t), freePort(t), freePort(t)
	s.log, err = os.Create(filepath.Join(dir, "server.log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if s.cmd != nil && s.cmd.ProcessState == nil { // a test that failed has not ended it
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
		_ = s.log.Close()
	})
	return s
}

// freePort returns an address that nobody uses. It is outside of the range from which
// systems take the ports of connections, or another program of the machine might get it
// while the server is stopped.
func freePort(t *testing.T) string {
	t.Helper()
	const from, until = 15_000, 32_000
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(from+rand.IntN(until-from)))
		l, err := net.Listen("tcp4", address)
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		c, err := net.ListenPacket("udp4", address)
		if err != nil {
			continue
		}
		require.NoError(t, c.Close())
		return address
	}
	require.Fail(t, "no port is free")
	return ""
}

// start returns when the server is ready.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "serve", "--http", s.http, "--media", s.media, "--pprof", s.pprof, "--data", s.data,
		"--operator-token", operatorToken, "--rate-limit-exempt", "127.0.0.0/8")
	s.cmd.Stderr = s.log
	require.NoError(s.t, s.cmd.Start())
	var last string // answer
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		status, answer, err := s.call(s.t.Context(), http.MethodGet, "/readyz", "", nil)
		if err == nil && status == http.StatusOK {
			return
		}
		last = fmt.Sprintf("%d %v, %v", status, answer, err)
	}
	log, _ := os.ReadFile(s.log.Name())
	require.Failf(s.t, "the server is not ready", "/readyz: %s; the end of its log:\n%s", last, log[max(0, len(log)-4000):])
}

// end sends a signal and waits for the end of the process.
func (s *server) end(signal syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(signal))
	err := s.cmd.Wait()
	if signal == syscall.SIGTERM {
		require.NoError(s.t, err, "a server that is told to stop ends with 0")
	}
}

// call makes a request with a token, and returns its status and its body. An error is
// that there was no answer.
func (s *server) call(ctx context.Context, method, path, token string, body any) (int, map[string]any, error) {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		send = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.http+path, send)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer map[string]any
	_ = json.Unmarshal(data, &answer) // some answers have no body
	return resp.StatusCode, answer, nil
}

// Figures are what a server holds at a time.
type figures struct {
	goroutines, files, heap, memory, members, mics, ears, sockets, mismatches float64
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f open files, heap %.1f MiB, RSS %.1f MiB, %.0f members, %.0f mics, %.0f ears, %.0f WebSockets",
		f.goroutines, f.files, f.heap/(1<<20), f.memory/(1<<20), f.members, f.mics, f.ears, f.sockets)
}

// figures reads them from the server's metrics, after a garbage collection.
func (s *server) figures() (f figures) {
	s.t.Helper()
	resp, err := s.client.Get("http://" + s.pprof + "/debug/pprof/heap?gc=1")
	require.NoError(s.t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	require.NoError(s.t, resp.Body.Close())
	resp, err = s.client.Get("http://" + s.http + "/metrics")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	wanted := map[string]*float64{
		"go_goroutines": &f.goroutines, "process_open_fds": &f.files, "go_memstats_heap_inuse_bytes": &f.heap,
		"process_resident_memory_bytes": &f.memory, "earshot_members": &f.members, "earshot_mics": &f.mics,
		"earshot_ears": &f.ears, "earshot_ws_sessions": &f.sockets, "earshot_roster_mismatches_total": &f.mismatches,
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if into := wanted[name]; into != nil {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(s.t, err)
			*into += n
		}
	}
	return f
}

// stored counts the files under the data directory, and their bytes.
func (s *server) stored() (files int, bytes int64) {
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.data, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return err
	}))
	return files, bytes
}
