package loadgen

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// lead is how long after an agreement a phase begins, so that all workers know by then.
const lead = 300 * time.Millisecond

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
	if err := errors.Join(scoreboard.Supports(cfg.Driver, cfg.Scenario), scoreboard.CheckNodes(cfg)); err != nil {
		return nil, err
	}
	if err := check(host.CurrentLimits(), cfg.Scenario, 1, 1, sharesSockets(cfg.Driver)); err != nil {
		return nil, err
	}
	r, err := newRun(cfg, timebase.NewClock(), share.Share{})
	if err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// A run plays one scenario. Its methods are the steps of playing, in the order of this
// file, and what runs beside them once a second: observer.go, progress.go, abort.go.
type run struct {
	scoreboard.Scoreboard
	cast *cast.Cast
	// peers play the others of the run's people; nil if nobody does.
	peers *peers

	cores    int           // that the generator may use
	lastLoad record.Load   // what the processes used at last
	dropped  atomic.Uint64 // packets, on this process's side, as was known when accounts were settled
}

func newRun(cfg Config, clock *timebase.Clock, part share.Share) (*run, error) {
	r := &run{Scoreboard: scoreboard.New(cfg, clock, problem.NewCounter()), cores: runtime.GOMAXPROCS(0)}
	var err error
	r.cast, err = cast.New(cast.Setting{
		Scenario: cfg.Scenario, Driver: cfg.Driver, TURN: cfg.TURN, Nodes: cfg.Nodes, Share: part, Cores: r.cores,
		Clock: r.Clock, Aggregator: r.Aggregator, Book: r.Book, Problems: r.Problems,
	})
	if err != nil {
		return nil, err
	}
	r.Sampler.Local = scoreboard.SameMachine(cfg)
	r.Self, r.Mics, r.Seats = r.selfTally, r.cast.Uplinks.Counts, r.castIn
	r.Aggregator.Follow(cfg.Scenario.Thresholds)
	return r, nil
}

func (r *run) play(ctx context.Context) (*Result, error) {
	result, err := r.measure(ctx)
	r.cleanUp(scoreboard.LeaveTimeout)
	if err != nil {
		return nil, err
	}
	result.Problems = r.Problems.List()
	return result, nil
}

// measure plays the scenario from opening its rooms to the end of its hold. Everybody
// who has not left by then stays.
func (r *run) measure(ctx context.Context) (*Result, error) {
	r.EnterPhase("opening")
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
	r.Arm(abort)

	span := Span{}
	var err error
	if span.Arrivals, err = r.meet(background, record.Arrivals, r.Clock.Now(), lead, nil); err != nil {
		return nil, err
	}
	r.begin(record.Arrivals, span.Arrivals)
	r.BeginArrivals(span.Arrivals)
	work.Go(func() { r.watch(background) })
	if r.peers == nil && r.cast.Uplinks.Refused() {
		abort() // nobody would hear anything
	}
	r.cast.Arrive(playing, span.Arrivals)
	if err := r.cast.Uplinks.Unreachable(); err != nil && playing.Err() == nil {
		return nil, err
	}
	if span.Hold, err = r.meet(background, "hold", r.Clock.Now(), lead, nil); err != nil {
		return nil, err
	}
	r.cast.SleepUntil(playing, span.Hold)
	r.cast.BeginSteady(span.Hold)
	before := r.holdSteady(playing, span.Hold)
	span.Steady = before.At

	planned := span.Hold + r.Scenario.Hold.Duration()
	r.Book.HoldOpen(min(planned, r.Clock.Now()))
	after := r.Sampler.End(background)
	departs := r.Scenario.Departs() && playing.Err() == nil
	if span.Stop, err = r.meet(background, "stop", r.stopAt(planned, after), 0, &departs); err != nil {
		return nil, err
	}
	r.cast.SleepUntil(background, span.Stop)
	now := span.Stop
	if departs {
		r.begin(record.Departures, span.Stop)
		r.cast.Depart(playing, span.Stop)
		now = r.Clock.Now()
	}
	r.EnterPhase("settling")
	if r.peers == nil {
		now = r.Clock.Now()
	}
	now, err = r.meet(background, "settling", now, 0, nil)
	if err != nil {
		return nil, err
	}
	r.cast.SleepUntil(background, now)
	r.Aggregator.Stop(now)
	r.cast.Stop(now)
	r.Book.HoldOpen(timebase.Never.Start())
	r.cast.SleepUntil(background, r.Clock.Now()+scoreboard.SettleTime)
	r.cast.EndMeasuring()
	if r.peers != nil {
		r.peers.awaitKnown(background, now+scoreboard.SettleTime)
	}
	r.cast.Reopening.End()
	end()
	work.Wait()
	now = r.Clock.Now()
	r.cast.Rooms.Finish(now)
	r.Aggregator.Finish(now)
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
	switch now := r.Clock.Now(); {
	case now-after.At > longSample:
		return now // everybody has gone on meanwhile
	case r.peers != nil && after.At > planned && after.At < planned+lead:
		return planned // for all, unless an act has lasted longer
	}
	return after.At
}

// begin begins a measured phase at a time. When it may end is not known yet.
func (r *run) begin(phase string, at time.Duration) {
	r.Problems.Act("begin "+scenario.Verb(phase), r.Aggregator.Begin(phase, at))
	r.Book.HoldOpen(timebase.Never.Start())
	r.EnterPhase(phase)
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
		r.Problems.Act("name "+scenario.Verb(s.Name), r.Aggregator.Span(s.Name, from+s.From.Duration(), from+s.Until.Duration()))
	}
	r.Book.HoldOpen(from + r.Scenario.WarmUp.Duration())
	for i, e := range r.Scenario.Timeline {
		if e.Do != "" {
			acts.Go(func() { r.cast.PlayEvent(acting, i, e, from+e.At.Duration()) })
		}
	}
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 && !r.cast.SleepUntil(ctx, from+warm) && r.peers == nil {
		return r.Sampler.Sample(ctx) // nothing was measured
	} // Of several workers some may have begun it before they heard that the run ends: so all do.
	steadyAt := r.Clock.Now()
	if r.peers != nil {
		steadyAt = from + r.Scenario.WarmUp.Duration() // for all
	}
	r.begin(record.Steady, steadyAt)
	r.Book.HoldOpen(from + r.Scenario.Hold.Duration())
	r.Book.Excerpts(steadyAt, from+r.Scenario.Hold.Duration())
	steady = r.Sampler.End(ctx)
	if r.peers != nil {
		r.peers.enterSteady(steady)
	}
	r.cast.SleepUntil(ctx, from+r.Scenario.Hold.Duration())
	return steady
}

// cleanUp has everybody leave and closes the rooms. Errors become problems of the
// result; the figures stay valid.
func (r *run) cleanUp(patience time.Duration) {
	r.EnterPhase("leaving")
	r.cast.Leave(patience)
}
