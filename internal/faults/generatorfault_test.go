//go:build unix

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A generatorFault is a column of the table: what goes wrong with the generator or on
// its machine. The zero generatorFault is none.
type generatorFault struct {
	// sentence says it; its subject is the generator.
	sentence string
	// strike goes wrong while a generator runs. It returns when the generator has
	// ended, or before.
	strike func(*generator) error
	// around goes wrong while the whole column is played.
	around func(*testing.T)
	// quotaEvery is the period of which a throttled generator runs for its quota, from the first arrival
	// on; 0 is for one that is not throttled.
	quotaEvery time.Duration
	// environment is the patched generator's.
	environment []string
	// brief is set where the fault puts moments in doubt, so that a faulty server
	// fails all the same. A step of the clock has in doubt the latencies of two
	// seconds, which are all of a compressed run.
	brief bool
	// leaves lists which of the doubts that a run reports the fault gives rise to.
	leaves []string
}

func (f generatorFault) sound() bool {
	return f.strike == nil && f.around == nil && f.environment == nil
}

// generatorFaults are the columns of the table, the sound generator first.
func generatorFaults(s size) []generatorFault {
	return []generatorFault{
		{sentence: "is sound", brief: true},
		{sentence: "is stopped for 190 ms once", brief: true, leaves: []string{"stalls"}, strike: func(g *generator) error {
			if g.in("steady", s.hold/2) {
				g.stop(190 * time.Millisecond)
			}
			return nil
		}},
		{sentence: "is stopped for 60 ms four times a second", leaves: []string{"stalls"}, strike: func(g *generator) error {
			for run := g.in("arrivals", 0); run && !g.has("leaving"); run = g.sleep(190 * time.Millisecond) {
				g.stop(60 * time.Millisecond)
			}
			return nil
		}},
		{sentence: "is throttled to a thirtieth of a core", leaves: leftByThrottling(), quotaEvery: quotaPeriod, strike: throttle("arrivals", quotaPeriod)},
		{sentence: "is stopped while listeners arrive", brief: true, leaves: []string{"delayed_joins", "stalls"}, strike: func(g *generator) error {
			if g.in("arrivals", s.arrivals/5) {
				g.stop(s.arrivals * 3 / 5)
			}
			return nil
		}},
		{sentence: "has small receive buffers and is stopped for 100 ms now and then", leaves: []string{"drops"},
			environment: []string{receiveBuffer + "=4096"}, strike: func(g *generator) error {
				for run := g.in("steady", 200*time.Millisecond); run && !g.has("settling"); run = g.sleep(600 * time.Millisecond) {
					g.stop(100 * time.Millisecond)
				}
				return nil
			}},
		{sentence: floods, leaves: []string{"drops"}, environment: []string{receiveBuffer + "=4096"}, strike: flood},
		{sentence: "has its clock stepped by 400 ms", brief: atFullLength(), leaves: []string{"clock_steps"},
			environment: stepped(s, 400*time.Millisecond)},
		{sentence: "has neighbours who take the cores", leaves: []string{"contended_s", "late_frames", "stalls"}, around: neighbours},
	}
}

// floods is a generator that gets junk from strangers.
const floods = "has sockets that strangers flood"

// stepped has the generator's clock stepped in the middle of the hold.
func stepped(s size, by time.Duration) []string {
	return []string{fmt.Sprintf("%s=%v", stepAfter, s.middle()+400*time.Millisecond), fmt.Sprintf("%s=%v", stepBy, by)}
}

// noMoreFiles is a generator that can't open sockets either. A run in which nobody listens
// can't be played then: it ends with exit code 1 and without a verdict.
const noMoreFiles = "may open no more files while listeners arrive"

// generatorFaultsBeside are played against a few servers only.
func generatorFaultsBeside(s size) []generatorFault {
	return []generatorFault{
		{sentence: "has its clock stepped back by 400 ms", leaves: []string{"clock_steps"}, environment: stepped(s, -400*time.Millisecond)},
		{sentence: "is throttled to a ninetieth of a core", leaves: leftByThrottling(), quotaEvery: 3 * quotaPeriod, strike: throttle("arrivals", 3*quotaPeriod)},
		{sentence: noMoreFiles, strike: func(g *generator) error {
			if !g.in("arrivals", 0) {
				return nil
			}
			defer func() { _ = allowFiles(g.process.Pid, 4096) }() // it may have ended
			err := allowFiles(g.process.Pid, 8)
			g.until("settling") // then it writes what it measured
			return err
		}},
		{sentence: "is stopped for a second while it settles", strike: func(g *generator) error {
			if g.in("settling", 0) {
				g.stop(time.Second)
			}
			return nil
		}},
	}
}

// stop has the generator not run for a time.
func (g *generator) stop(d time.Duration) {
	// It may have ended, which is no matter.
	_ = g.process.Signal(syscall.SIGSTOP)
	g.sleep(d)
	_ = g.process.Signal(syscall.SIGCONT)
}

const (
	// quota is for how long a throttled generator runs in a period: the least that the kernel
	// takes. A few joins in a quotaPeriod need more on any machine.
	quota       = time.Millisecond
	quotaPeriod = 30 * time.Millisecond
)

// leftByThrottling are the doubts of which a throttled generator has one. What throttled it
// is known only between two samples of its group: a slow machine may get no further than one.
func leftByThrottling() []string { return []string{"stalls", "throttled_ms"} }

// throttle gives the generator its quota of each period from the beginning of a phase to the
// end of the hold: by a control group where one can be made, else by stopping it.
func throttle(phase string, period time.Duration) func(*generator) error {
	return func(g *generator) error {
		if !g.in(phase, 0) {
			return nil
		}
		group, err := controlGroup(fmt.Sprint("earshot-faults-", g.process.Pid), 1, period)
		if err == nil {
			defer func() {
				<-g.exited
				_ = os.Remove(group) // an empty group costs nothing
			}()
			if err = join(group, g.process.Pid); err == nil {
				g.until("settling")
				return join(filepath.Dir(group), g.process.Pid)
			}
		}
		g.log("throttled by stopping and continuing, as no control group can be made:", err)
		for g.sleep(quota) && !g.has("settling") {
			g.stop(period - quota)
		}
		return nil
	}
}

// join puts a process into a control group.
func join(group string, pid int) error {
	err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600)
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended
	}
	return err
}

// controlGroup makes a control group with the quota of so many processes a period, of version 2 or 1.
func controlGroup(name string, processes int, every time.Duration) (path string, err error) {
	period, share := every.Microseconds(), int64(processes)*quota.Microseconds()
	path = filepath.Join("/sys/fs/cgroup", name)
	files := [][2]string{{"cpu.max", fmt.Sprint(share, " ", period)}}
	if v2, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); !strings.Contains(string(v2), "cpu") {
		path = filepath.Join("/sys/fs/cgroup/cpu", name)
		files = [][2]string{{"cpu.cfs_period_us", fmt.Sprint(period)}, {"cpu.cfs_quota_us", fmt.Sprint(share)}}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(path, f[0]), []byte(f[1]), 0o600); err != nil {
			return "", errors.Join(err, os.Remove(path))
		}
	}
	return path, nil
}

// oneRequest makes requests and leaves no connection behind.
var oneRequest = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// flood sends junk to where the generator's clients receive, faster than it is read.
func flood(g *generator) error {
	if !g.in("steady", 0) {
		return nil
	}
	resp, err := oneRequest.Get(g.server + "/clients")
	if err != nil {
		return nil // the server has died
	}
	defer resp.Body.Close()
	var clients []string
	if err := json.NewDecoder(resp.Body).Decode(&clients); err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer conn.Close()
	junk := make([]byte, 1200)
	for g.sleep(5*time.Millisecond) && !g.has("settling") {
		for _, c := range clients {
			to, err := net.ResolveUDPAddr("udp4", c)
			if err != nil {
				return err
			}
			for range 10 {
				_, _ = conn.WriteTo(junk, to)
			}
		}
	}
	return nil
}

// asNeighbour makes the test's program burn the CPU until its input ends.
const asNeighbour = "EARSHOT_FAULTS_NEIGHBOUR"

// burn takes what it can of every core until the standard input ends.
func burn() {
	var over atomic.Bool
	for range runtime.GOMAXPROCS(4 * runtime.NumCPU()) {
		go func() {
			for n := 0; !over.Load(); {
				n++
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	over.Store(true)
}

// neighbours has another process take the cores until the test ends.
func neighbours(t *testing.T) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), asNeighbour+"=1")
	input, err := c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		assert.NoError(t, input.Close())
		assert.NoError(t, c.Wait())
	})
}
