package loadgen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

const (
	// settleTime is how long a run goes on listening after its last packet was due.
	settleTime = time.Second
	// leaveTimeout is how long it may take until everybody has left.
	leaveTimeout = 20 * time.Second
	// hurriedLeave is that of a worker whose part is at an end early.
	hurriedLeave = 5 * time.Second
	// lead is how long after an agreement a phase begins, so that all workers know by then.
	lead = 300 * time.Millisecond
)

// Config configures a run.
type Config struct {
	// Scenario is what is played. It must be valid.
	Scenario *scenario.Scenario
	// Driver brings people into rooms.
	Driver driver.Driver
	// TURN is by which server those of the cast go who go by one.
	TURN TURN
	// Server measures the server's process; nil leaves it unmeasured.
	Server meter.Meter
	// Progress, if not nil, is called about once a second and at each change of
	// phase, by one goroutine at a time. It must not block.
	Progress func(Progress)
	// Watch, if not nil, is called together with Progress and gets more. It owns the
	// snapshot that it gets.
	Watch func(Snapshot)
	// Nodes are the servers that were started for the run; nil if there are none.
	Nodes cast.Nodes
	// Log receives what the run reports beside its result; nil discards it.
	Log *slog.Logger
}

// TURN is the TURN server of those who go by one.
type TURN = client.TURN

// Run plays a scenario in this process and returns what it measured. It returns an error and no
// result if the scenario could not be played at all, for example because the target
// did not answer. A server that does not take a speaker's mic is a matter of the verdict.
//
// When ctx is cancelled, the run ends early and returns what it has measured so far,
// marked as interrupted.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(supports(cfg.Driver, cfg.Scenario), cfg.checkNodes()); err != nil {
		return nil, err
	}
	if err := check(host.CurrentLimits(), cfg.Scenario, 1, 1, sharesSockets(cfg.Driver)); err != nil {
		return nil, err
	}
	r, err := newRun(cfg, timebase.NewClock(), cast.Share{})
	if err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// checkNodes returns an error if the timeline kills or restarts servers that the run has not
// started.
func (cfg Config) checkNodes() error {
	if cfg.Scenario.OwnNodes() && cfg.Nodes == nil {
		return fmt.Errorf("%w: %s and %s are for servers that the run starts itself, as earshot run --nodes does", driver.ErrUnsupported, scenario.KillNode, scenario.RestartNode)
	}
	return nil
}

// supports returns an error for a scenario that the driver can't play, before anything
// starts.
func supports(d driver.Driver, s *scenario.Scenario) error {
	c := d.Capabilities()
	if n := s.Listeners() * s.Rooms; n > 0 && c.PublishOnly != "" {
		return fmt.Errorf("%w: the scenario casts %d listeners; %s", driver.ErrUnsupported, n, c.PublishOnly)
	}
	for _, e := range s.Timeline {
		if e.Do != "" && !e.Do.Spec().Local && !slices.Contains(c.Acts, e.Do) {
			return fmt.Errorf("%w: the timeline's %s needs signaling; the %s driver can only %s", driver.ErrUnsupported, e.Do, c.Driver, doable(c.Acts))
		}
	}
	if n := s.Nodes(); n > 0 && !c.Nodes {
		return fmt.Errorf("%w: the scenario names node %d; the %s driver knows no nodes", driver.ErrUnsupported, n, c.Driver)
	}
	if c.Mixes {
		return supportsMix(c, s)
	}
	if c.Sections != driver.AllVoices {
		return nil
	}
	for _, g := range s.Cast {
		if mics := s.WithMics(); g.Sections != 0 && g.Sections < mics {
			return fmt.Errorf("%w: a group has sections: %d, and the server sends every listener all %d voices of a room; leave it out", driver.ErrUnsupported, g.Sections, mics)
		}
	}
	return nil
}

// supportsMix returns an error for a scenario that a server that mixes can't be measured by.
func supportsMix(c driver.Capabilities, s *scenario.Scenario) error {
	if s.Listeners() > 0 && s.AudioCheck != scenario.CheckMarker {
		return fmt.Errorf("%w: the %s driver's server mixes what the speakers say, and its packets say nothing of theirs: set audio_check: marker in the scenario, as the scenario mix has it", driver.ErrUnsupported, c.Driver)
	}
	for _, g := range s.Cast {
		if g.Sections > 1 {
			return fmt.Errorf("%w: a group has sections: %d, and the %s driver's server sends every listener one mix; leave it out", driver.ErrUnsupported, g.Sections, c.Driver)
		}
	}
	return nil
}

// doable lists verbs, and leave, which any driver can play.
func doable(acts []scenario.Verb) string {
	text := ""
	for _, verb := range acts {
		text += string(verb) + ", "
	}
	return text + string(scenario.Leave)
}

// A run plays one scenario. Its methods are the steps of playing, in the order of this
// file, and what runs beside them once a second: observer.go, progress.go, abort.go.
type run struct {
	scoreboard
	cast *cast.Cast
	// peers play the others of the run's people; nil if nobody does.
	peers *peers

	cores    int           // that the generator may use
	lastLoad record.Load   // what the processes used at last
	dropped  atomic.Uint64 // packets, on this process's side, as was known when accounts were settled
}

func newRun(cfg Config, clock *timebase.Clock, share cast.Share) (*run, error) {
	r := &run{scoreboard: newScoreboard(cfg, clock, problem.NewCounter()), cores: runtime.GOMAXPROCS(0)}
	var err error
	r.cast, err = cast.New(cast.Setting{
		Scenario: cfg.Scenario, Driver: cfg.Driver, TURN: cfg.TURN, Nodes: cfg.Nodes, Share: share, Cores: r.cores,
		Clock: r.clock, Aggregator: r.aggregator, Book: r.book, Problems: r.problems,
	})
	if err != nil {
		return nil, err
	}
	r.sampler.Local = cfg.sameMachine()
	r.self, r.mics, r.seats = r.selfTally, r.cast.Uplinks.Counts, r.castIn
	r.aggregator.Follow(cfg.Scenario.Thresholds)
	return r, nil
}

func (r *run) play(ctx context.Context) (*Result, error) {
	result, err := r.measure(ctx)
	r.cleanUp(leaveTimeout)
	if err != nil {
		return nil, err
	}
	result.Problems = r.problems.List()
	return result, nil
}

// measure plays the scenario from opening its rooms to the end of its hold. Everybody
// who has not left by then stays.
func (r *run) measure(ctx context.Context) (*Result, error) {
	r.enterPhase("opening")
	open := r.cast.Open
	if r.peers != nil {
		open = r.cast.TakeStages // their rooms are open
	}
	if err := r.watched(ctx, open); err != nil {
		return nil, err
	}
	// An interrupt, or a threshold that aborts, ends the arrivals and the hold but
	// not the measuring.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	r.cast.Reopening.Begin(background)
	defer r.cast.Reopening.End()
	playing, abort := context.WithCancel(ctx)
	defer abort()
	r.gate.arm(abort)

	span := Span{}
	var err error
	if span.Arrivals, err = r.meet(background, record.Arrivals, r.clock.Now(), lead, nil); err != nil {
		return nil, err
	}
	r.begin(record.Arrivals, span.Arrivals)
	r.gate.start = span.Arrivals
	work.Go(func() { r.watch(background) })
	if r.peers == nil && r.cast.Uplinks.Refused() {
		abort() // nobody would hear anything
	}
	r.cast.Arrive(playing, span.Arrivals)
	if err := r.cast.Uplinks.Unreachable(); err != nil && playing.Err() == nil {
		return nil, err
	}
	if span.Hold, err = r.meet(background, "hold", r.clock.Now(), lead, nil); err != nil {
		return nil, err
	}
	r.cast.SleepUntil(playing, span.Hold)
	r.cast.BeginSteady(span.Hold)
	before := r.holdSteady(playing, span.Hold)
	span.Steady = before.At

	planned := span.Hold + r.Scenario.Hold.Duration()
	r.book.HoldOpen(min(planned, r.clock.Now()))
	after := r.sampler.End(background)
	departs := r.Scenario.Departs() && playing.Err() == nil
	if span.Stop, err = r.meet(background, "stop", r.stopAt(planned, after), 0, &departs); err != nil {
		return nil, err
	}
	r.cast.SleepUntil(background, span.Stop)
	now := span.Stop
	if departs {
		r.begin(record.Departures, span.Stop)
		r.cast.Depart(playing, span.Stop)
		now = r.clock.Now()
	}
	r.enterPhase("settling")
	if r.peers == nil {
		now = r.clock.Now()
	}
	now, err = r.meet(background, "settling", now, 0, nil)
	if err != nil {
		return nil, err
	}
	r.cast.SleepUntil(background, now)
	r.aggregator.Stop(now)
	r.cast.Stop(now)
	r.book.HoldOpen(timebase.Never.Start())
	r.cast.SleepUntil(background, r.clock.Now()+settleTime)
	r.cast.EndMeasuring()
	if r.peers != nil {
		r.peers.awaitKnown(background, now+settleTime)
	}
	r.cast.Reopening.End()
	end()
	work.Wait()
	now = r.clock.Now()
	r.cast.Rooms.Finish(now)
	r.aggregator.Finish(now)
	final := r.cast.Final(context.WithoutCancel(ctx))
	if r.Scenario.AudioScore && ctx.Err() == nil {
		r.score(ctx)
	}
	if r.peers != nil {
		return nil, r.peers.finish(final, after)
	}
	return r.result(final, ctx.Err() != nil, span, before, after), nil
}

// watched opens the rooms, and books meanwhile what the generator does to it.
func (r *run) watched(ctx context.Context, open func(context.Context) error) error {
	watching, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end()
	watch.Go(func() { r.watchOpening(watching) })
	return open(ctx)
}

// longSample is for how long a sample of the server may be taken, and the steady state not last longer.
const longSample = time.Second

// stopAt is when the steady state ends that was to end at planned, and at whose end a sample was taken.
func (r *run) stopAt(planned time.Duration, after usage.Sample) time.Duration {
	switch now := r.clock.Now(); {
	case now-after.At > longSample:
		return now // everybody has gone on meanwhile
	case r.peers != nil && after.At > planned && after.At < planned+lead:
		return planned // for all, unless an act has lasted longer
	}
	return after.At
}

// begin begins a measured phase at a time. When it may end is not known yet.
func (r *run) begin(phase string, at time.Duration) {
	r.problems.Act("begin "+scenario.Verb(phase), r.aggregator.Begin(phase, at))
	r.book.HoldOpen(timebase.Never.Start())
	r.enterPhase(phase)
}

// holdSteady plays the timeline. It returns at the end of the hold, with the sample
// from the beginning of the steady state.
func (r *run) holdSteady(ctx context.Context, from time.Duration) (steady usage.Sample) {
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	var acts sync.WaitGroup
	defer acts.Wait()
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 {
		r.begin(record.WarmUp, from)
	}
	for _, s := range r.Scenario.Spans() {
		r.problems.Act("name "+scenario.Verb(s.Name), r.aggregator.Span(s.Name, from+s.From.Duration(), from+s.Until.Duration()))
	}
	r.book.HoldOpen(from + r.Scenario.WarmUp.Duration())
	for i, e := range r.Scenario.Timeline {
		if e.Do != "" {
			acts.Go(func() { r.cast.PlayEvent(acting, i, e, from+e.At.Duration()) })
		}
	}
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 && !r.cast.SleepUntil(ctx, from+warm) && r.peers == nil {
		return r.sampler.Sample(ctx) // nothing was measured
	} // Of several workers some may have begun it before they heard that the run ends: so all do.
	steadyAt := r.clock.Now()
	if r.peers != nil {
		steadyAt = from + r.Scenario.WarmUp.Duration() // for all
	}
	r.begin(record.Steady, steadyAt)
	r.book.HoldOpen(from + r.Scenario.Hold.Duration())
	r.book.Excerpts(steadyAt, from+r.Scenario.Hold.Duration())
	steady = r.sampler.End(ctx)
	if r.peers != nil {
		r.peers.enterSteady(steady)
	}
	r.cast.SleepUntil(ctx, from+r.Scenario.Hold.Duration())
	return steady
}

// cleanUp has everybody leave and closes the rooms. Errors become problems of the
// result; the figures stay valid.
func (r *run) cleanUp(patience time.Duration) {
	r.enterPhase("leaving")
	r.cast.Leave(patience)
}
