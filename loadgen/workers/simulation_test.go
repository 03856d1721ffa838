package workers

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
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

// A band is workers that measure the same: listeners of a room with a simulated network.
type band struct {
	aggregator *measure.Aggregator
	ledger     *measure.Ledger
	source     *measure.Source
	listeners  []*measure.Listener
	chance     *rand.Rand
	next       measure.Bin
	members    []*Membership
	sequence   uint64
	told       measured // by each member
}

// measured is how many packets came of how many in all, and of how many in the steady state
// the latency is known.
type measured struct {
	Delivered metric.Rate
	Latencies uint64
	// Age is how old the last whole second of the steady state was at most when it was told.
	Age time.Duration
}

func newBand(number, listeners int, clip *speech.Clip) (*band, error) {
	b := &band{aggregator: measure.NewAggregator(), chance: rand.New(rand.NewPCG(1, uint64(number)))}
	b.aggregator.Export()
	b.ledger = measure.NewLedger(b.aggregator)
	for i := range listeners {
		b.listeners = append(b.listeners, b.ledger.AddListener(3, measure.Labels{Probe: i%100 == 0}))
	}
	var err error
	b.source, err = b.ledger.AddSource(clip, 100*number, 0)
	return b, err
}

// join has all listeners join, a millisecond apart.
func (b *band) join(at time.Duration) {
	for i, l := range b.listeners {
		intended := at + time.Duration(i)*time.Millisecond
		b.aggregator.Arrival(intended)
		l.Expect(intended, intended, intended+10*time.Second)
		l.Connected(intended + 20*time.Millisecond)
	}
}

// send sends the frames until a moment: one in fifty is late, and one in a thousand lost.
func (b *band) send(until time.Duration) {
	for ; b.source.Intended(b.next+1) < until; b.next++ {
		b.source.Sending(b.next, 0)
		b.source.Sent(b.next, 0)
		p := measure.Packet{
			Sequence: uint16(b.next), Timestamp: uint32(b.next) * measure.SamplesPerBin, Talker: 7, Payload: b.source.Frame(b.next).Payload,
		}
		for _, l := range b.listeners {
			if b.chance.IntN(1000) == 0 {
				continue
			}
			p.At = b.source.Intended(b.next) + time.Duration(1+b.chance.ExpFloat64()*3)*time.Millisecond
			l.Receive(p)
		}
	}
}

// say sends a report of each worker of the band.
func (b *band) say(now time.Duration, add func(*loadgen.Report)) error {
	r := loadgen.Report{Relayed: loadgen.Relayed{Horizon: max(measure.BinAt(now)-10, 0), Processed: max(now-time.Second/2, 0)}}
	if told, news := b.source.Tell(); news {
		r.Told = []loadgen.ToldSource{{SourceID: loadgen.SourceID{Index: b.members[0].number}, Worker: b.members[0].number, Told: told}}
	}
	add(&r)
	b.sequence++
	r.Sequence = b.sequence
	for i, m := range b.members {
		one := r
		if i > 0 {
			one.Told = nil // it is the first one's speaker
		}
		if _, bound, err := m.Clock(); err == nil {
			one.Bound = bound
		}
		if err := m.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// parts are what the band has measured since the last time.
func (b *band) parts() (all []measure.Part) {
	all = b.aggregator.TakeParts()
	for _, p := range all {
		for _, c := range p.Cells {
			b.told.Delivered = b.told.Delivered.Plus(metric.Rate{Passes: c.Passes, Total: c.Owed})
		}
		steady := uint64(1) << uint(slices.IndexFunc(p.Phases, func(p measure.PartPhase) bool { return p.Name == measure.Steady }))
		for _, second := range p.Buckets {
			for _, c := range second.Cells {
				if second.Phases&steady != 0 {
					b.told.Latencies += c.Certain.Count() + c.Worst.Count()
				}
			}
		}
	}
	return all
}

// tally is what a worker says of itself.
func tally() *loadgen.Tally {
	t := &loadgen.Tally{Lag: &metric.Trend{}, CPUs: 8, Mics: 1, Published: 1}
	for i := range 200 {
		t.Lag.Record(float64(i) / 50)
	}
	return t
}

// meet is when all begin a phase.
func (b *band) meet(key string, at time.Duration, answers map[string][][]byte) (time.Duration, error) {
	if err := b.say(at, func(r *loadgen.Report) {
		r.Offers = map[string][]byte{key: fmt.Appendf(nil, `{"at":%d,"agreed":true}`, at)}
	}); err != nil {
		return 0, err
	}
	for {
		if answer := answers[key]; answer != nil {
			latest := at
			for _, text := range answer {
				var one struct{ At time.Duration }
				if err := json.Unmarshal(text, &one); err != nil {
					return 0, err
				}
				latest = max(latest, one.At)
			}
			return latest, nil
		}
		select {
		case n := <-b.members[0].News():
			if n.Stop != "" {
				return 0, fmt.Errorf("the run is stopped: %s", n.Stop)
			}
			for k, a := range n.Answers {
				answers[k] = a
			}
		case <-time.After(loadgen.ReportEvery):
			if err := b.say(at, func(*loadgen.Report) {}); err != nil {
				return 0, err
			}
		}
	}
}

// play is what the workers of a band do.
func (b *band) play(zero time.Time, hold time.Duration) error { //nolint:gocognit // a run, told in order
	stopReading := make(chan struct{})
	defer close(stopReading)
	for _, m := range b.members[1:] {
		go func() {
			for {
				select {
				case <-m.News():
				case <-stopReading:
					return
				}
			}
		}()
	}
	now := func() time.Duration { return time.Since(zero) }
	answers := map[string][][]byte{}
	started, err := b.meet(measure.Arrivals, now()+300*time.Millisecond, answers)
	if err != nil {
		return err
	}
	if err := b.aggregator.Begin(measure.Arrivals, started); err != nil {
		return err
	}
	b.next = measure.BinAt(started) + 1
	b.join(started)
	holding, err := b.meet("hold", started+time.Second, answers)
	if err != nil {
		return err
	}
	if err := b.aggregator.Begin(measure.Steady, holding); err != nil {
		return err
	}
	stop := holding + hold
	tick := time.NewTicker(loadgen.ReportEvery)
	defer tick.Stop()
	for i := 1; now() < stop; i++ {
		select {
		case <-tick.C:
		case n := <-b.members[0].News():
			i--
			if n.Stop != "" {
				return fmt.Errorf("the run is stopped: %s", n.Stop)
			}
			continue
		}
		b.send(min(now()-10*time.Millisecond, stop))
		if err := b.say(now(), func(r *loadgen.Report) {
			if i%5 == 0 {
				b.aggregator.Drain(now(), b.ledger.Settle(now()))
				r.Parts, r.Tally = b.parts(), tally()
				if known := r.Parts[0].Before.Start() - holding; known >= time.Second {
					b.told.Age = max(b.told.Age, now()-holding-known.Truncate(time.Second))
				}
			}
		}); err != nil {
			return err
		}
	}
	for _, phase := range []string{"stop", "settling"} {
		if stop, err = b.meet(phase, stop, answers); err != nil {
			return err
		}
	}
	b.send(stop)
	b.aggregator.Stop(stop)
	b.ledger.Stop(stop)
	b.ledger.Finish(stop + time.Second)
	b.aggregator.Finish(stop + time.Second)
	if err := b.say(now(), func(r *loadgen.Report) {
		r.Parts, r.Tally = b.parts(), tally()
		r.Tally.Final = &loadgen.FinalTally{}
	}); err != nil {
		return err
	}
	return b.say(now(), func(r *loadgen.Report) { r.Done = true })
}

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
	sum := measured{}
	for _, b := range all {
		for _, m := range b.members {
			sum.Delivered, sum.Latencies = sum.Delivered.Plus(b.told.Delivered), sum.Latencies+b.told.Latencies
			sum.Age = max(sum.Age, b.told.Age)
			if err := m.conn.FlushTimeout(10 * time.Second); err != nil {
				return err
			}
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
	began, before, merged := time.Now(), host.CPU(), time.Duration(0)
	run.result, err = loadgen.Coordinate(t.Context(), loadgen.Config{Scenario: s, Driver: d, Watch: func(s loadgen.Snapshot) {
		if n := len(s.Series.Points); n > 0 && s.Phase == measure.Steady {
			until := s.Series.Points[n-1].Until
			if until == merged {
				return
			}
			merged = until
			late := clock.Now() - until - measure.Lateness // no packet of it can come any more
			run.latest = max(run.latest, late)
			if *watchSimulation {
				t.Logf("%5.1f s: a second is merged %.1f s late, %d messages wait", clock.Now().Seconds(), late.Seconds(), len(c.inbox.queue))
			}
		}
	}}, clock, c)
	run.took, run.used = time.Since(began), host.CPU()-before
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
	require.Len(t, result.Workers, *simulatedWorkers)
	memory := host.Memory()
	t.Logf("%d workers × %d listeners: %d of %d packets; the coordinator used %.2f cores and %d MiB; a second was %.1f s old at most when workers told it, and was merged %.1f s at most after a packet of it could come",
		*simulatedWorkers, *simulatedListeners, sent.Delivered.Passes, sent.Delivered.Total, run.used.Seconds()/run.took.Seconds(), memory>>20, sent.Age.Seconds(), run.latest.Seconds())
	if *simulationRows != "" {
		f, err := os.OpenFile(*simulationRows, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = fmt.Fprintf(f, "%d,%d,%d,%.3f,%d,%.2f,%.2f\n", *simulatedWorkers, *simulatedListeners, sent.Delivered.Total,
			run.used.Seconds()/run.took.Seconds(), memory, sent.Age.Seconds(), run.latest.Seconds())
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}
