package workers

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/coordinator"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

var (
	simulatedWorkers   = flag.Int("workers", 12, "how many workers the simulation has")
	simulatedListeners = flag.Int("listeners", 200, "how many listeners a worker of the simulation has")
	simulatedHold      = flag.Duration("hold", 3*time.Second, "how `long` the simulation measures")
	watchSimulation    = flag.Bool("watch", false, "print how late the merged seconds are")
	bands              = flag.Int("bands", 4, "how many of the workers measure something of their own: the others of a band measure the same")
	simulationRows     = flag.String("rows", "", "add what the simulation cost to this `file`, as a row for go run ./internal/growth")
)

// simulate has the URL with which a process of the test joins as all workers.
const simulate = "EARSHOT_TEST_SIMULATE"

// simulateWorkers plays all workers of a run, and prints how many packets they measured.
func simulateWorkers(ctx context.Context, join string) error {
	clip, err := speech.Load("builtin:speech")
	if err != nil {
		return err
	}
	all := make([]*band, min(*bands, *simulatedWorkers))
	for i := range all {
		if all[i], err = newBand(i, *simulatedListeners, clip); err != nil {
			return err
		}
	}
	members := make([]*Membership, *simulatedWorkers)
	var joining errgroup.Group
	joining.SetLimit(8)
	for i := range members {
		joining.Go(func() (err error) {
			members[i], err = Join(ctx, Enrolment{URL: join, Wait: time.Minute, Name: "simulated"})
			return err
		})
	}
	if err := joining.Wait(); err != nil {
		return err
	}
	zeros := make([]time.Time, len(members))
	var beginning errgroup.Group
	for i, m := range members {
		of := all[m.number%len(all)]
		of.members = append(of.members, m)
		beginning.Go(func() error {
			part, err := m.begin(ctx)
			zeros[i] = part.Zero
			return err
		})
	}
	if err := beginning.Wait(); err != nil {
		return err
	}
	var playing errgroup.Group
	for _, b := range all {
		playing.Go(func() error { return b.play(zeros[0], *simulatedHold) })
	}
	if err := playing.Wait(); err != nil {
		return err
	}
	sum := measured{Took: time.Since(zeros[0])}
	for _, b := range all {
		for _, m := range b.members {
			sum.Delivered, sum.Latencies = sum.Delivered.Plus(b.told.Delivered), sum.Latencies+b.told.Latencies
			sum.Age = max(sum.Age, b.told.Age)
			if err := m.conn.FlushTimeout(10 * time.Second); err != nil {
				return err
			}
			sum.Reported, sum.Heard = max(sum.Reported, m.conn.Stats().OutBytes), max(sum.Heard, m.conn.Stats().InBytes)
			m.Close()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(sum)
}

// A simulation is one run of simulated workers.
type simulation struct {
	result     *loadgen.Result
	sent       measured      // as the workers say
	took, used time.Duration // of them, and of the coordinator's CPU
	latest     time.Duration // how late a second was merged at most
	lost       string        // a worker that said nothing for too long, on a busy machine
}

// playSimulated plays one. The workers are another process, so that the coordinator's own cost is known.
func playSimulated(t *testing.T, s *scenario.Scenario) (run simulation) {
	t.Helper()
	c, err := NewCoordinator(Config{Listen: "127.0.0.1:0", Token: "secret", Plan: Plan{Workers: *simulatedWorkers, Scenario: s}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()

	crowd := exec.Command(os.Args[0], "-workers", fmt.Sprint(*simulatedWorkers), "-listeners", fmt.Sprint(*simulatedListeners), "-hold", simulatedHold.String(), "-bands", fmt.Sprint(*bands))
	crowd.Env = append(os.Environ(), simulate+"="+c.JoinURL())
	said, complaints := &strings.Builder{}, &strings.Builder{}
	crowd.Stdout, crowd.Stderr = said, complaints
	require.NoError(t, crowd.Start())
	ended := make(chan error, 1)
	go func() { ended <- crowd.Wait() }()
	defer func() { _ = crowd.Process.Kill() }() // it has ended unless the test failed, or a worker was lost

	require.NoError(t, c.Wait(t.Context(), 5*time.Minute))
	clock, err := c.Start([]string{"room"})
	require.NoError(t, err)
	d, err := whep.New("http://127.0.0.1:1/{room}/whip", "http://127.0.0.1:1/{room}/whep", "", nil)
	require.NoError(t, err)
	began, before, merged := time.Now(), process.CPU(), time.Duration(0)
	run.result, err = coordinator.Run(t.Context(), loadgen.Config{Scenario: s, Driver: d, Watch: func(s loadgen.Snapshot) {
		if n := len(s.Series.Points); n > 0 && s.Phase == record.Steady {
			until := s.Series.Points[n-1].Until
			if until == merged {
				return
			}
			merged = until
			late := clock.Now() - until - record.Lateness // no packet of it can come any more
			run.latest = max(run.latest, late)
			if *watchSimulation {
				t.Logf("%5.1f s: a second is merged %.1f s late, %d messages wait", clock.Now().Seconds(), late.Seconds(), len(c.inbox.queue))
			}
		}
	}}, clock, c)
	run.took, run.used = time.Since(began), process.CPU()-before
	if err != nil {
		run.lost = err.Error()
		return run
	}
	for _, w := range run.result.Workers {
		if w.Lost != "" { // it waits for the others without end
			run.lost = w.Name + ": " + w.Lost
			return run
		}
	}
	require.NoError(t, <-ended, complaints)
	require.NoError(t, json.Unmarshal([]byte(said.String()), &run.sent))
	return run
}

// TestManyWorkers merges what many simulated workers measure, over a real NATS server:
//
//	go test -v ./loadgen/workers -run TestManyWorkers -args -workers 200 -hold 30s
//
// With -rows docs/workers.csv the figures go into the plots of docs/distributed.md.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	s, err := scenario.Parse("simulated", fmt.Appendf(nil, `name: simulated
room: {capacity: 100000}
cast:
  - {role: speaker, count: %d, audio: builtin:speech}
  - {role: listener, count: %d}
hold: %s
thresholds: {delivered: ["rate > 0.99"], latency: ["p(99) < 1s over 2s"]}
`, min(*bands, *simulatedWorkers), min(*simulatedWorkers**simulatedListeners, 999_000), *simulatedHold)) // a scenario's most people
	require.NoError(t, err)
	run := playSimulated(t, s)
	for range 4 {
		if run.lost == "" {
			break
		}
		t.Log("the machine was too busy, once more:", run.lost)
		run = playSimulated(t, s)
	}
	require.Empty(t, run.lost)
	result, sent := run.result, run.sent
	assert.Positive(t, sent.Latencies)
	assert.Less(t, sent.Delivered.Passes, sent.Delivered.Total, "some were lost")
	assert.Equal(t, sent.Delivered, result.Values["delivered"], "everything is merged once")
	assert.Equal(t, sent.Latencies, result.Values["latency"].(*metric.Trend).Count())
	assert.Empty(t, result.Overrun)
	reported, heard := float64(sent.Reported)/sent.Took.Seconds(), float64(sent.Heard)/sent.Took.Seconds()
	assert.Less(t, reported, 100e3, "bytes a second that a worker reports")
	require.Len(t, result.Workers, *simulatedWorkers)
	memory := process.Memory()
	t.Logf("%d workers × %d listeners: %d of %d packets; the coordinator used %.2f cores and %d MiB; a worker sent %.1f kB/s at most, and %.1f kB/s came to it; a second was %.1f s old at most when workers told it, and was merged %.1f s at most after a packet of it could come",
		*simulatedWorkers, *simulatedListeners, sent.Delivered.Passes, sent.Delivered.Total, run.used.Seconds()/run.took.Seconds(), memory>>20,
		reported/1000, heard/1000, sent.Age.Seconds(), run.latest.Seconds())
	if *simulationRows != "" {
		f, err := os.OpenFile(*simulationRows, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = fmt.Fprintf(f, "%d,%d,%d,%.3f,%d,%.2f,%.2f\n", *simulatedWorkers, *simulatedListeners, sent.Delivered.Total,
			run.used.Seconds()/run.took.Seconds(), memory, sent.Age.Seconds(), run.latest.Seconds())
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}
