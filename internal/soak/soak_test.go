package soak_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// length is how long the soak lasts; nothing plays without it.
var length = flag.Duration("soak", 0, "how `long` to let people loose on the server (make soak: an hour)")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// The bounds of what may be left when everybody has gone.
const (
	moreGoroutines = 5
	moreFiles      = 8
	moreHeap       = 16 << 20
	mostMemory     = 512 << 20
	mostStored     = 160 << 20 // the audit trail's 64 MiB, in the store's blocks, and the rest
)

// TestSoak lets people churn while the server is stopped and killed, and at last for a
// third of the time without a restart. After each restart, what was acknowledged holds:
// rooms are there, those that were ended are not, and who was put out is out. When
// everybody has gone, the server holds what it held before.
func TestSoak(t *testing.T) {
	if *length == 0 {
		t.Skip("plays for an hour: make soak")
	}
	s := newServer(t)
	c := newClub(s)
	begin := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%7.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	restless := max(*length/40, 10*time.Second)
	for i := 0; time.Since(begin) < *length*2/3; i++ {
		s.start()
		c.verify(t)
		how, signal := "kill -9", syscall.SIGKILL
		if i%2 == 1 {
			how, signal = "SIGTERM", syscall.SIGTERM
		}
		c.churn(t, restless, func() { s.end(signal) })
		say("%s in the middle of it, for the %d. time; %s", how, i+1, c)
	}

	s.start()
	c.verify(t)
	c.closeAll(t)
	time.Sleep(time.Second)
	before := s.figures()
	files, stored := s.stored()
	say("before the last churn: %s; %d files, %.1f MiB stored", before, files, float64(stored)/(1<<20))
	c.churn(t, *length/3, nil)
	say("after it, %s: %s", c, s.figures())
	c.verify(t)
	c.closeAll(t)
	var after figures
	ok := assert.EventuallyWithT(t, func(t *assert.CollectT) {
		after = s.figures()
		assert.LessOrEqual(t, after.goroutines, before.goroutines+moreGoroutines, "goroutines")
		assert.LessOrEqual(t, after.files, before.files+moreFiles, "open files")
		assert.LessOrEqual(t, after.heap, before.heap+moreHeap, "heap")
		assert.Zero(t, after.members+after.mics+after.ears+after.sockets, "people")
	}, 3*time.Minute, time.Second)
	say("when all have gone: %s", after)
	if !ok {
		s.dumpGoroutines()
	}
	assert.Zero(t, after.mismatches, "media, roster and rules of every room agreed")
	assert.Less(t, after.memory, float64(mostMemory), "RSS")
	s.end(syscall.SIGTERM)
	files, stored = s.stored()
	say("stopped: %d files, %.1f MiB stored", files, float64(stored)/(1<<20))
	assert.Less(t, stored, int64(mostStored))

	s.start()
	c.verify(t)
	s.end(syscall.SIGTERM)
	log, err := os.ReadFile(s.log.Name())
	require.NoError(t, err)
	for _, bad := range []string{"level=ERROR", "panic", "DATA RACE"} {
		assert.NotContains(t, string(log), bad)
	}
	say("the server wrote %d lines of log", bytes.Count(log, []byte("\n")))
}

// churn lets people loose for a time, with runs over bad networks beside them. The server
// is ended in the middle of it, if end is given.
func (c *club) churn(t *testing.T, long time.Duration, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { c.run(ctx) })
	all.Go(func() { c.overBadNetworks(ctx) })
	time.Sleep(long)
	if end != nil {
		end()
	}
	cancel()
	all.Wait()
}

// String says what was done so far.
func (c *club) String() string {
	var b bytes.Buffer
	for i := range c.did {
		fmt.Fprintf(&b, ", %d %s", c.did[i].Load(), counted[i])
	}
	return b.String()[2:]
}

// verify requires that what was acknowledged holds.
func (c *club) verify(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.ended {
		status, answer, err := c.server.call(t.Context(), http.MethodGet, "/api/rooms/"+id, operatorToken, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, status, "a room that was ended: %v", answer)
	}
	clear(c.ended)
	for id, r := range c.rooms {
		status, answer, err := c.server.call(t.Context(), http.MethodGet, "/api/rooms/"+id, operatorToken, nil)
		require.NoError(t, err)
		if status == http.StatusNotFound && c.lostItsHosts(t, id) {
			delete(c.rooms, id)
			continue
		}
		require.Equal(t, http.StatusOK, status, "a room that was made: %v", answer)
		for token, since := range r.out {
			if time.Since(since) > 10*time.Minute {
				continue // the token is too old to say anything
			}
			status, answer, err := c.server.call(t.Context(), http.MethodGet, "/api/rooms/"+id, token, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, status, "somebody who was put out: %v", answer)
		}
	}
}

// lostItsHosts reports whether the server ended a room since nobody was left who can be
// host: a restart may find listeners in it whose host does not return.
func (c *club) lostItsHosts(t *testing.T, room string) bool {
	t.Helper()
	status, answer, err := c.server.call(t.Context(), http.MethodGet, "/api/rooms/"+room+"/audit?limit=1", operatorToken, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "%v", answer)
	entries, _ := answer["entries"].([]any)
	if len(entries) == 0 {
		return false
	}
	last, _ := entries[0].(map[string]any)
	return last["did"] == "room.end" && last["who"] == "server"
}

// closeAll ends all rooms, those of runs that were cut off, too.
func (c *club) closeAll(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	clear(c.rooms)
	c.mu.Unlock()
	_, answer, err := c.server.call(t.Context(), http.MethodGet, "/api/rooms", operatorToken, nil)
	require.NoError(t, err)
	for _, r := range answer["rooms"].([]any) {
		status, _, err := c.server.call(t.Context(), http.MethodDelete, "/api/rooms/"+r.(map[string]any)["room"].(string), operatorToken, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, status)
	}
}

// networks is a scenario of a few seconds over bad networks.
const networks = `name: soak
room: {capacity: 100}
cast:
  - {role: host, count: 1, audio: %[1]q}
  - {role: listener, count: 5, arrive: {within: 1s}}
  - {role: listener, count: 3, arrive: {within: 1s}, network: lossy}
  - {role: listener, count: 3, arrive: {within: 1s}, network: 3g}
  - {role: listener, count: 2, arrive: {within: 1s}, network: {profile: 4g, name: moving, rebinds: [2s]}}
hold: 5s
thresholds:
  joined: ["rate >= 0"]
`

// overBadNetworks plays runs until ctx is done. Those that a restart hits fail, and so
// may others: nothing is measured here.
func (c *club) overBadNetworks(ctx context.Context) {
	t := c.server.t
	audio, err := filepath.Abs("../../scenarios/audio/speech.ogg")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "networks.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, networks, audio), 0o600))
	for ctx.Err() == nil {
		run := exec.CommandContext(ctx, c.server.binary, "run", path, "--quiet", "--target", "http://"+c.server.http, "--token", operatorToken)
		run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
		run.WaitDelay = 30 * time.Second
		out, _ := run.CombinedOutput()
		c.did[runs].Add(1)
		switch code := run.ProcessState.ExitCode(); code {
		case 0, 98, 99:
			c.did[runsWithVerdict].Add(1)
		case 2:
			assert.Fail(t, "bad usage", "%s", out)
			return
		default:
			pause(ctx, time.Second)
		}
	}
}

// dumpGoroutines prints what the server's goroutines do.
func (s *server) dumpGoroutines() {
	resp, err := s.client.Get("http://" + s.pprof + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	fmt.Println(b.String())
}
