//go:build unix

package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/internal/testaudio"
)

// A size is how large and how long a run is.
type size struct {
	listeners            int
	arrivals, hold, join time.Duration
}

// tableSize is the size of the table's runs.
func tableSize() size {
	if atFullLength() {
		return size{listeners: 20, arrivals: time.Second, hold: 22 * time.Second, join: 5 * time.Second}
	}
	return size{listeners: 6, arrivals: 300 * time.Millisecond, hold: 2 * time.Second, join: 1500 * time.Millisecond}
}

// atFullLength reports whether runs are as long as real ones, as make faults and make repeat have them.
func atFullLength() bool { return os.Getenv("EARSHOT_SOAK") != "" }

// middle is the middle of the hold, from the first arrival.
func (s size) middle() time.Duration { return s.arrivals + s.hold/2 }

// tableThresholds are such that every fault of the table crosses one of them, and a
// busy machine does not. A Pion server may miss some packets between the end of a
// listener's handshake and its own; that is not what is tested, and before the hold.
const tableThresholds = `
  joined: ["rate == 1"]
  delivered{phase:steady}: ["rate >= 0.99"]
  latency: ["p(99) < 200ms"]
  join_duration: ["p(95) < 1400ms"]
  audio_gap: ["max < 1s"]
  mos: ["min > 3"]
`

// scenario writes a scenario of this size.
func (s size) scenario(t *testing.T, thresholds string) string {
	t.Helper()
	asked := ""
	if thresholds != "" {
		asked = "thresholds:\n" + thresholds
	}
	return writeScenario(t, `
name: a cell of the fault table
room: {capacity: %d, slots: 1}
cast:
  - {role: speaker, count: 1, audio: speech.ogg}
  - {role: listener, count: %d, arrive: {within: %v, shape: linear}}
join_deadline: %v
hold: %v
%s`, s.listeners, s.listeners, s.arrivals, s.join, s.hold, asked)
}

// writeScenario writes a scenario, beside the beginnings of the voices, and returns its path.
func writeScenario(t *testing.T, format string, args ...any) string {
	t.Helper()
	dir := t.TempDir()
	testaudio.WriteShort(t, dir)
	path := filepath.Join(dir, "scenario.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600))
	return path
}

// A generator is a process of earshot run.
type generator struct {
	process *os.Process
	server  string // URL of what it plays against
	log     func(...any)
	exited  chan struct{} // closed when it has ended

	mu     sync.Mutex
	phases map[string]chan struct{} // by name: closed when the phase has begun
}

// begun is closed when a phase of the run has begun.
func (g *generator) begun(phase string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phases[phase] == nil {
		g.phases[phase] = make(chan struct{})
	}
	return g.phases[phase]
}

// follow reads the progress of the run to its end.
func (g *generator) follow(progress io.Reader) string {
	var text strings.Builder
	last := ""
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if phase := phaseOf(lines.Text()); phase != "" && phase != last {
			last = phase
			if g.has(phase) {
				g.log("told of", phase, "again:", text.String())
				continue
			}
			close(g.begun(phase))
		}
	}
	return text.String()
}

// phaseOf is the phase that a line of progress tells of: "  2.3s  steady  6 of 6 joined". It is "" for another line.
func phaseOf(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return ""
	}
	if _, err := time.ParseDuration(fields[0]); err != nil {
		return ""
	}
	return fields[1]
}

// in waits until a time after the beginning of a phase, and reports whether the
// generator still runs.
func (g *generator) in(phase string, after time.Duration) bool {
	select {
	case <-g.exited:
		return false
	case <-g.begun(phase):
		return g.sleep(after)
	}
}

// until has the generator's fault last until a phase begins.
func (g *generator) until(phase string) {
	select {
	case <-g.exited:
	case <-g.begun(phase):
	}
}

// has reports whether a phase has begun.
func (g *generator) has(phase string) bool {
	select {
	case <-g.begun(phase):
		return true
	default:
		return false
	}
}

// sleep reports whether the generator still runs after a time.
func (g *generator) sleep(d time.Duration) bool {
	select {
	case <-g.exited:
		return false
	case <-time.After(d):
		return true
	}
}

// An outcome is what a run came to.
type outcome struct {
	Verdict    string   `json:"verdict"`
	Reasons    []string `json:"reasons"`
	Thresholds []struct {
		Metric, Expression string
		OK                 *bool
		Value, Best, Worst *float64
	} `json:"thresholds"`
	Metrics   map[string]map[string]any `json:"metrics"`
	Doubts    map[string]float64        `json:"doubts"`
	Generator map[string]float64        `json:"generator"`
	Losses    struct {
		Lost                     uint64
		Uplink, Server, Downlink packets
		Generator                packets
		MicsReported             int `json:"mics_reported"`
		EarsReported             int `json:"ears_reported"`
	} `json:"losses"`
	// text is what was printed.
	text string
}

// packets is how many packets were lost at a place.
type packets struct{ Least, Most uint64 }

// String implements fmt.Stringer.
func (o *outcome) String() string {
	return fmt.Sprintf("%s\ndoubts: %v\ngenerator: %v\nlosses: %+v", o.text, o.Doubts, o.Generator, o.Losses)
}

// hasOneOf reports whether the run has one of the doubts.
func (o *outcome) hasOneOf(doubts []string) bool {
	return slices.ContainsFunc(doubts, func(doubt string) bool { return o.Doubts[doubt] > 0 })
}

// crossed reports whether a threshold of the metric is crossed.
func (o *outcome) crossed(metric string) bool {
	without := map[string]string{Foreign: "audio that is not what was sent", Died: "the server's process ended", Mistimed: "time stamps do not follow"}
	if reason, ok := without[metric]; ok {
		return strings.Contains(strings.Join(o.Reasons, "\n"), reason)
	}
	for _, t := range o.Thresholds {
		if name, _, _ := strings.Cut(t.Metric, "{"); name == metric && t.OK != nil && !*t.OK {
			return true
		}
	}
	return false
}

// assertNothingCrossed asserts that no threshold is crossed.
func (o *outcome) assertNothingCrossed(t *testing.T) {
	t.Helper()
	for _, threshold := range o.Thresholds {
		assert.True(t, threshold.OK == nil || *threshold.OK, "%s is crossed: %v", threshold.Metric, o)
	}
}

// busy reports whether the run itself names the doing of its machine.
func (o *outcome) busy() bool {
	for _, doubt := range []string{"late_frames", "stalls", "contended_s", "competed_s", "drops", "delayed_joins"} {
		if o.Doubts[doubt] > 0 {
			return true
		}
	}
	return strings.Contains(strings.Join(o.Reasons, "\n"), "the generator was the bottleneck")
}

// taken reports whether others than the run took the machine's cores.
func (o *outcome) taken() bool { return o.Doubts["contended_s"]+o.Doubts["stolen_ms"] > 0 }

// serve starts a process of the server with a fault, for a run of this size.
func serve(t *testing.T, f Fault, s size) *serverprocess.Process {
	t.Helper()
	args := []string{"-does", f.Does, "-listeners", fmt.Sprint(s.listeners), "-middle", s.middle().String()}
	if f.Does == Elsewhere {
		args = append(args, "-elsewhere", filepath.Join(testaudio.Dir(), "guest.ogg"))
	}
	return serveWith(t, args...)
}

// serveWith starts a process of the server with these flags.
func serveWith(t *testing.T, args ...string) *serverprocess.Process {
	t.Helper()
	program, err := faultyServer()
	require.NoError(t, err)
	p, err := serverprocess.Start(context.Background(), exec.Command(program, args...), func(error) {})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() }) // it may have died, as it should
	return p
}

// against are the flags that play against a server.
func against(p *serverprocess.Process) []string {
	return []string{"--driver", "whep", "--whip-url", p.URL + "/rooms/{room}/whip", "--whep-url", p.URL + "/rooms/{room}/whep", "--server-pid", fmt.Sprint(p.PID())}
}

// generate runs earshot run under a fault of the generator, and returns what it came
// to. The server is nil if earshot runs its own.
func generate(t *testing.T, server *serverprocess.Process, f generatorFault, args ...string) *outcome {
	t.Helper()
	build := earshot
	if f.environment != nil {
		build = patchedEarshot
	}
	program, err := build()
	require.NoError(t, err)
	summary := filepath.Join(t.TempDir(), "summary.json")
	args = append([]string{"run", "--summary", summary}, args...)
	g := &generator{exited: make(chan struct{}), phases: map[string]chan struct{}{}, log: t.Log}
	if server != nil {
		g.server = server.URL
		args = append(args, against(server)...)
	}
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), f.environment...)
	var out bytes.Buffer
	c.Stdout = &out
	progress, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	g.process = c.Process
	var striking sync.WaitGroup
	var failed error
	if f.strike != nil {
		striking.Go(func() { failed = f.strike(g) })
	}
	text := g.follow(progress)
	close(g.exited)
	err = c.Wait()
	striking.Wait()
	assert.NoError(t, failed, "the generator's fault")
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	o := &outcome{text: text + out.String()}
	data, err := os.ReadFile(summary)
	require.NoError(t, err, "%s", o.text)
	require.NoError(t, json.Unmarshal(data, o))
	return o
}
