//go:build unix

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

func TestServeSIGTERMSaysGoodbyeAndExits0(t *testing.T) {
	t.Parallel()
	c := exec.Command(program(t), "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0")
	var errs bytes.Buffer
	c.Stderr = &errs
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer func() { _ = c.Process.Kill() }() // it has ended unless the test failed
	out := bufio.NewScanner(stdout)
	require.True(t, out.Scan(), "%s", &errs)
	url := address.FindString(out.Text())
	require.NotEmpty(t, url, out.Text())
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(url, "http", "ws", 1)+"/ws", nil)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	for _, m := range []string{`{"type":"hello","version":1}`, `{"type":"join","room":"hall","name":"Bo"}`} {
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(m)))
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
	}

	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	var last []byte
	for {
		_, m, err := conn.ReadMessage()
		if err != nil {
			assert.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), "%v", err)
			break
		}
		last = m
	}
	assert.JSONEq(t, `{"type":"goodbye","reason":"shutdown"}`, string(last))
	for out.Scan() {
	}
	assert.NoError(t, c.Wait(), "%s", &errs)
}

func TestRunSIGINTStillReports(t *testing.T) {
	realTime(t)
	t.Parallel()
	c := exec.Command(program(t), "run", small(t, `  joined: ["rate == 1"]`), "--hold", "10m")
	var report bytes.Buffer
	c.Stdout = &report
	progress, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer func() { _ = c.Process.Kill() }() // it has ended unless the test failed
	lines := bufio.NewScanner(progress)
	for lines.Scan() {
		// Standard error is a pipe here, so there are lines and no bar.
		assert.NotContains(t, lines.Text(), "\x1b")
		if strings.Contains(lines.Text(), "steady") {
			require.NoError(t, c.Process.Signal(os.Interrupt))
		}
	}
	var exit *exec.ExitError
	require.ErrorAs(t, c.Wait(), &exit)
	assert.Equal(t, cli.ExitInterrupted, exit.ExitCode())
	assert.Contains(t, report.String(), "✓ rate == 1  rate=100%")
	assert.Contains(t, report.String(), "the run was interrupted")
}
