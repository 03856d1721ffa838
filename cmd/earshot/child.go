package main

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
	startDeadline = 15 * time.Second
	stopDeadline  = 15 * time.Second
	// lastWords is how much of a dead server's log is shown.
	lastWords = 4 << 10
)

// errServerDied tells that the run's own server ended before the run.
var errServerDied = errors.New("the server died")

// A child is the run's own server, in a process of its own. Close stops it; it
// stops by itself should this process die.
type child struct {
	url    string
	cmd    *exec.Cmd
	stdin  io.Closer
	log    *tail
	exited chan struct{}

	mu      sync.Mutex
	closing bool
	err     error
}

// startServer starts an open server on free ports of the loopback and returns
// when it serves. If it ends before Close, died is called with the reason.
func startServer(ctx context.Context, died context.CancelCauseFunc) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	c := &child{log: &tail{}, exited: make(chan struct{})}
	c.cmd = exec.Command(self, "serve", "--open", "--rate-limit-exempt", "127.0.0.0/8", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--stop-with-stdin")
	c.cmd.Stderr = c.log
	apart(c.cmd)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := launch(ctx, c.cmd.Start); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() { // ends with the child
		defer close(c.exited)
		lines := bufio.NewScanner(stdout)
		if lines.Scan() {
			ready <- lines.Text()
		}
		for lines.Scan() {
		}
		err := c.cmd.Wait()
		c.mu.Lock()
		c.err = err
		closing := c.closing
		c.mu.Unlock()
		if !closing {
			died(fmt.Errorf("%w (%v); its last words:\n%s", errServerDied, err, c.log))
		}
	}()
	timer := time.NewTimer(startDeadline)
	defer timer.Stop()
	select {
	case line := <-ready:
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "http://") {
				c.url = word
			}
		}
		if c.url == "" {
			return nil, errors.Join(fmt.Errorf("the server said %q, not its address", line), c.Close())
		}
		return c, nil
	case <-c.exited:
		return nil, fmt.Errorf("%w at its start; its last words:\n%s", errServerDied, c.log)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.Close())
	case <-timer.C:
		return nil, errors.Join(fmt.Errorf("it did not serve within %v", startDeadline), c.Close())
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// Close stops the server, and kills it if it takes too long.
func (c *child) Close() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.stdin.Close() // its sign to stop; it may be gone already
	timer := time.NewTimer(stopDeadline)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		_ = c.cmd.Process.Kill()
		<-c.exited
		return fmt.Errorf("the server did not stop within %v and was killed; its last words:\n%s", stopDeadline, c.log)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("the server ended badly (%w); its last words:\n%s", c.err, c.log)
	}
	return nil
}

// A tail keeps the end of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	last []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - lastWords; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
