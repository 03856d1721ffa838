package serverprocess

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 15 * time.Second
	// logTail is how many bytes of the end of a server's log go into an error.
	logTail = 4 << 10
)

// ErrDied means that the server process ended before it was stopped.
var ErrDied = errors.New("the server died")

// A Process is a running server. Its methods are safe for concurrent use.
type Process struct {
	// URL is the server's address, from its ready line.
	URL string

	cmd    *exec.Cmd
	stdin  io.Closer
	log    *tail
	exited chan struct{} // closed after the process has been waited for

	mu      sync.Mutex
	closing bool
	killed  bool
	err     error
}

// Start runs a command and returns when it serves: when it has printed a line
// with a word that begins with http:// or nats://. The command must stop when its standard
// input ends. If it ends before Close, died is called with an error that wraps
// [ErrDied]. The caller owns the process and has to call Close.
func Start(ctx context.Context, cmd *exec.Cmd, died context.CancelCauseFunc) (*Process, error) {
	p := &Process{cmd: cmd, log: &tail{}, exited: make(chan struct{})}
	cmd.Stderr = p.log
	Detach(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := launch(ctx, cmd.Start); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go p.wait(stdout, ready, died) // ends with the process
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case line := <-ready:
		if p.URL = urlIn(line); p.URL == "" {
			return nil, errors.Join(fmt.Errorf("the server printed %q instead of its address", line), p.Close())
		}
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%w at its start; the end of its log:\n%s", ErrDied, p.log)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), p.Close())
	case <-timer.C:
		return nil, errors.Join(fmt.Errorf("the server was not ready within %v", startTimeout), p.Close())
	}
}

// wait sends the first line of stdout to ready, drops the others, and waits for
// the process.
func (p *Process) wait(stdout io.Reader, ready chan<- string, died context.CancelCauseFunc) {
	defer close(p.exited)
	lines := bufio.NewScanner(stdout)
	if lines.Scan() {
		ready <- lines.Text()
	}
	for lines.Scan() {
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.err = err
	closing := p.closing
	p.mu.Unlock()
	if !closing {
		died(fmt.Errorf("%w (%w); the end of its log:\n%s", ErrDied, err, p.log))
	}
}

func urlIn(line string) string {
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "nats://") {
			return word
		}
	}
	return ""
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill kills the server (SIGKILL) and returns when it has ended. That it has is no error, here
// or of Close, and died is not called.
func (p *Process) Kill() error {
	p.mu.Lock()
	p.closing, p.killed = true, true
	p.mu.Unlock()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the server: %w", err)
	}
	<-p.exited
	return nil
}

// Close stops the server and waits until it has ended. A server that does not
// stop in time is killed, which is an error.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	_ = p.stdin.Close() // tells the server to stop; fails if it has ended already
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("the server did not stop within %v and was killed; the end of its log:\n%s", stopTimeout, p.log)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil && !p.killed {
		return fmt.Errorf("the server exited with an error (%w); the end of its log:\n%s", p.err, p.log)
	}
	return nil
}

// A tail keeps the last bytes that were written to it. It is safe for concurrent
// use.
type tail struct {
	mu   sync.Mutex
	last []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - logTail; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
