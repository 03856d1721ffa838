package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var address = regexp.MustCompile(`http://\S+`)

// served starts earshot serve in this process and returns its URL, and what
// stops it and returns its exit code.
func served(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout := watcher{seen: make(chan string, 10)}
	code := make(chan int, 1)
	args = append([]string{"serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0"}, args...)
	go func() { code <- exitCode(run(ctx, args, stdout, io.Discard)) }()
	select {
	case line := <-stdout.seen:
		url = address.FindString(line)
	case c := <-code:
		cancel()
		t.Fatalf("the server ended with %d", c)
	}
	return url, func() int {
		cancel()
		return <-code
	}
}

func get(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

func TestAnOpenServerServesUntilItIsStopped(t *testing.T) {
	url, stop := served(t, "--open")
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
		status, _ := get(t, http.MethodGet, url+path, "", "")
		assert.Equal(t, http.StatusOK, status, path)
	}
	status, body := get(t, http.MethodPost, url+"/api/rooms", "", `{"name":"hello","capacity":5}`)
	assert.Equal(t, http.StatusCreated, status, body)
	assert.Zero(t, stop())
}

func TestAServerThatIsNotOpenTakesTheOperatorsKeptToken(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	url, stop := served(t, "--data", data)
	status, _ := get(t, http.MethodPost, url+"/api/rooms", "", `{"name":"hello"}`)
	assert.Equal(t, http.StatusUnauthorized, status)

	path := filepath.Join(data, "operator-token")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	token, err := os.ReadFile(path)
	require.NoError(t, err)
	status, body := get(t, http.MethodPost, url+"/api/rooms", strings.TrimSpace(string(token)), `{"name":"hello"}`)
	require.Equal(t, http.StatusCreated, status, body)
	var made map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &made))
	assert.NotEmpty(t, made["host_token"])
	assert.Zero(t, stop())

	again, err := keepOperatorToken(data)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(token)), again)
}

func TestASecondServerOnTheMediaPortExitsWith1(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, stderr, code := command(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", taken.LocalAddr().String())
	assert.Equal(t, exitCouldNotRun, code)
	assert.Contains(t, stderr, taken.LocalAddr().String())
}
