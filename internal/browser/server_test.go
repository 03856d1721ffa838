// Package browser_test plays people with a real browser on the room page of the
// real server: what is asserted is what they would see and hear.
package browser_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/testaudio"
)

// patience is how long a test waits for what must happen. The machine may be
// busy with others.
const patience = 40 * time.Second

// sideBySide is how many parallel tests run at the same time: those that listen wait most of the time.
// Those whose audio must not wait for a core are not parallel.
const sideBySide = 4

// work is a folder for what all tests share; TestMain removes it.
var work string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) (code int) {
	flag.Parse()
	err := flag.Set("test.parallel", strconv.Itoa(sideBySide))
	if err != nil {
		fmt.Fprintln(os.Stderr, "set how many tests run at the same time:", err)
		return 1
	}
	if work, err = os.MkdirTemp("", "earshot-browser"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(work) }()
	code = m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared browsers:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// earshot builds the program once and returns its path. It is the program as people run
// it: under the race detector it is ten times as slow, and leaves a browser and a crowd
// too little of the machine. The tests of each package run its parts under it.
var earshot = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "earshot")
	build := exec.Command("go", "build", "-o", path, "github.com/earshot-audio/earshot/cmd/earshot")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build earshot: %w\n%s", err, out)
	}
	return path, nil
})

// program is the path of earshot.
func program(t *testing.T) string {
	t.Helper()
	path, err := earshot()
	require.NoError(t, err)
	return path
}

// A server is an earshot serve of its own process.
type server struct {
	t     *testing.T
	args  []string
	url   string // http://127.0.0.1:port
	media string // 127.0.0.1:port
	cmd   *exec.Cmd
	stdin io.Closer
	log   *tail
	done  chan struct{}
}

var serving = regexp.MustCompile(`serving (https?)://(\S+) \(audio on UDP ([^)]+)\)`)

// serve starts a server with flags besides its addresses.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return serveAudioAt(t, "127.0.0.1", args...)
}

// serveAudioAt is [serve] with its audio at another address of this machine.
func serveAudioAt(t *testing.T, host string, args ...string) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a server and a browser")
	}
	s := &server{t: t, args: args}
	s.start("127.0.0.1:0", net.JoinHostPort(host, "0"))
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(http, media string) {
	s.t.Helper()
	s.log = &tail{}
	s.cmd = exec.Command(program(s.t), append([]string{"serve", "--http", http, "--media", media, "--stop-with-stdin"}, s.args...)...)
	s.cmd.Stderr = s.log
	stdin, err := s.cmd.StdinPipe() // it ends with this process, however that ends
	require.NoError(s.t, err)
	s.stdin = stdin
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	ready := make(chan []string, 1)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if found := serving.FindStringSubmatch(lines.Text()); found != nil {
				ready <- found
			}
		}
		close(ready)
	}()
	select {
	case found, ok := <-ready:
		require.True(s.t, ok, "the server did not start:\n%s", s.log)
		s.url, s.media = found[1]+"://"+found[2], found[3]
	case <-time.After(patience):
		require.FailNow(s.t, "the server did not start", "%s", s.log)
	}
}

// stop ends the server; that it goes without an error is part of every test.
func (s *server) stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	require.NoError(s.t, s.stdin.Close())
	<-s.done
	assert.NoError(s.t, s.cmd.Wait(), "%s", s.log)
	s.cmd = nil
	if s.t.Failed() {
		s.t.Logf("the server's log:\n%s", s.log)
	}
}

// start again at the same addresses.
func (s *server) again() {
	s.t.Helper()
	require.Nil(s.t, s.cmd, "stop it first")
	s.start(strings.SplitN(s.url, "://", 2)[1], s.media)
}

// play runs a scenario against the server until the test ends.
func (s *server) play(yaml string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "scenario.yaml")
	require.NoError(s.t, os.WriteFile(file, []byte(strings.ReplaceAll(yaml, "AUDIO", testaudio.Dir())), 0o600))
	log := &tail{}
	cmd := exec.Command(program(s.t), "run", file, "--target", s.url)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(s.t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // it is interrupted in the end
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		<-done
		if s.t.Failed() {
			s.t.Logf("the run:\n%s", log)
		}
	})
}

// tail keeps the last of what is written. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

var _ io.Writer = (*tail)(nil)

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, b...)
	w.kept = w.kept[max(0, len(w.kept)-16<<10):]
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.kept)
}
