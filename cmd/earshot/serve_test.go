package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/secrets"
)

var address = regexp.MustCompile(`https?://\S+`)

// served starts earshot serve in this process. It returns the server's URL, and a
// function that stops the server and returns its exit code.
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

func TestServeOpen(t *testing.T) {
	url, stop := served(t, "--open")
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
		status, _ := get(t, http.MethodGet, url+path, "", "")
		assert.Equal(t, http.StatusOK, status, path)
	}
	status, body := get(t, http.MethodPost, url+"/api/rooms", "", `{"name":"hello","capacity":5}`)
	assert.Equal(t, http.StatusCreated, status, body)
	assert.Zero(t, stop())
}

func TestServeKeepsOperatorToken(t *testing.T) {
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

	again, err := secrets.LoadOrCreate(filepath.Join(data, cli.OperatorTokenFile))
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(token)), again)
}

func TestServeExits1WhenMediaPortIsTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, stderr, code := command(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", taken.LocalAddr().String())
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, taken.LocalAddr().String())
}

func TestServeLocksDataDirectory(t *testing.T) {
	data := t.TempDir()
	_, stop := served(t, "--data", data)
	_, stderr, code := command(t, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data", data)
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "another server uses this store")
	assert.Zero(t, stop())
}

func TestServeExits1OnUnusableDataDirectory(t *testing.T) {
	path := file(t, "data", "a file")
	_, stderr, code := command(t, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data", path)
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, path)
	_, stderr, code = command(t, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data", t.TempDir(), "--nats", "nats://127.0.0.1:1")
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "NATS")
}

func TestServeKeepsSelfSignedCertificate(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, "tls-self-signed.pem")
	var first []byte
	for range 2 {
		url, stop := served(t, "--data", data, "--tls-self-signed")
		assert.True(t, strings.HasPrefix(url, "https://"), url)
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		if first != nil {
			assert.Equal(t, first, kept, "the same after a restart")
		}
		first = kept
		trusted := x509.NewCertPool()
		require.True(t, trusted.AppendCertsFromPEM(kept))
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted}}}
		response, err := client.Get(url + "/healthz")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.NoError(t, response.Body.Close())
		assert.Zero(t, stop())
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	url, stop := served(t, "--open", "--tls-cert", path, "--tls-key", path)
	assert.True(t, strings.HasPrefix(url, "https://"), url)
	assert.Zero(t, stop())
	_, stderr, code := command(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--tls-cert", "nowhere.pem", "--tls-key", path)
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "nowhere.pem")
}

func TestServeRestoresRoomsAfterRestart(t *testing.T) {
	external, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, SyncAlways: true})
	require.NoError(t, err)
	external.Start()
	require.True(t, external.ReadyForConnections(10*time.Second))
	defer func() { external.Shutdown(); external.WaitForShutdown() }()
	for name, more := range map[string][]string{"embedded": nil, "external": {"--nats", external.ClientURL()}} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			var room, code string
			for life := range 3 {
				url, stop := served(t, append([]string{"--data", data}, more...)...)
				do := func(args ...string) string {
					stdout, stderr, code := command(t, append(args, "--target", url, "--data", data)...)
					require.Zero(t, code, stderr)
					return stdout
				}
				switch life {
				case 0:
					room = strings.Fields(do("room", "create", "Lobby"))[1]
					code = strings.Fields(do("invite", "create", room))[3]
				case 1:
					assert.Contains(t, do("room", "list"), room)
					status, body := get(t, http.MethodPost, url+"/api/invites/"+code+"/redeem", "", `{"name":"Bo"}`)
					assert.Equal(t, http.StatusOK, status, body)
				case 2:
					status, body := get(t, http.MethodPost, url+"/api/invites/"+code+"/redeem", "", `{"name":"Cy"}`)
					assert.Equal(t, http.StatusGone, status, body)
					assert.Contains(t, do("audit", room), "invite.redeem")
					do("room", "end", room)
				}
				assert.Zero(t, stop())
			}
		})
	}
}

// lines collects what a server prints.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A server without members prints a link that makes one, once, and none when there is one.
func TestServePrintsALinkForTheFirstMember(t *testing.T) {
	data := t.TempDir()
	link := regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/#/i/(\S+)\n`)
	serve := func(during func(printed func() string)) {
		ctx, cancel := context.WithCancel(t.Context())
		var printed lines
		code := make(chan int, 1)
		args := []string{"serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data", data}
		go func() { code <- exitCode(run(ctx, args, &printed, io.Discard)) }()
		during(printed.String)
		cancel()
		require.Zero(t, <-code)
	}
	serve(func(printed func() string) {
		require.Eventually(t, func() bool { return link.MatchString(printed()) }, time.Minute, 10*time.Millisecond)
		found := link.FindStringSubmatch(printed())
		base, used := found[1], found[2]
		status, _ := get(t, http.MethodPost, base+"/api/invites/"+used+"/redeem", "", `{"name":"Ada"}`)
		require.Equal(t, http.StatusOK, status)
		status, _ = get(t, http.MethodPost, base+"/api/invites/"+used+"/redeem", "", `{"name":"Bo"}`)
		require.Equal(t, http.StatusGone, status, "it works once")

		// What is nowhere is JSON for programs.
		status, body := get(t, http.MethodGet, base+"/nowhere", "", "")
		require.Equal(t, http.StatusNotFound, status)
		require.Contains(t, body, `"not_found"`)
	})
	var again func() string
	serve(func(printed func() string) {
		again = printed
		require.Eventually(t, func() bool { return strings.Contains(printed(), "is serving") }, time.Minute, 10*time.Millisecond)
	})
	require.NotContains(t, again(), "/#/i/", "there is a member")
}
