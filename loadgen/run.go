package loadgen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

const (
	// concurrency is how many rooms open, or people leave, at the same time where the
	// scenario sets no times.
	concurrency = 32
	// settleTime is how long a run goes on listening after its last packet was due.
	settleTime = time.Second
	// leaveTimeout is how long it may take until everybody has left.
	leaveTimeout = 20 * time.Second
)

// Config configures a run.
type Config struct {
	// Scenario is what is played. It must be valid.
	Scenario *scenario.Scenario
	// Driver brings people into rooms.
	Driver driver.Driver
	// Server measures the server's process; nil leaves it unmeasured.
	Server host.Meter
	// Progress, if not nil, is called about once a second and at each change of
	// phase, by one goroutine at a time. It must not block.
	Progress func(Progress)
	// Watch, if not nil, is called together with Progress and gets more. It owns the
	// snapshot that it gets.
	Watch func(Snapshot)
	// Log receives what the run reports beside its result; nil discards it.
	Log *slog.Logger
}

// Run plays a scenario and returns what it measured. It returns an error and no
// result if the scenario could not be played at all, for example because the target
// did not answer or a speaker could not connect.
//
// When ctx is cancelled, the run ends early and returns what it has measured so far,
// marked as interrupted.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := supports(cfg.Driver, cfg.Scenario); err != nil {
		return nil, err
	}
	if err := check(host.CurrentLimits(), cfg.Scenario); err != nil {
		return nil, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// supports returns an error for a scenario that the driver can't play, before anything
// starts.
func supports(d driver.Driver, s *scenario.Scenario) error {
	c := d.Capabilities()
	if n := s.Listeners() * s.Rooms; n > 0 && c.PublishOnly != "" {
		return fmt.Errorf("%w: the scenario casts %d listeners; %s", driver.ErrUnsupported, n, c.PublishOnly)
	}
	if len(s.Timeline) > 0 && !c.Moderation {
		for _, e := range s.Timeline {
			if e.Do != "" && !e.Do.Spec().Local {
				return fmt.Errorf("%w: the timeline's %s needs signaling; the %s driver can only leave", driver.ErrUnsupported, e.Do, c.Driver)
			}
		}
	}
	return nil
}

// A run plays one scenario. Its methods are the steps of playing, in the order of this
// file, and what runs beside them once a second: observer.go, progress.go, abort.go.
type run struct {
	Config
	clock      *measure.Clock
	aggregator *measure.Aggregator
	clients    *clients
	health     *generatorHealth
	problems   *problems
	sampler    sampler
	rooms      rooms
	uplinks    *uplinks
	// moderation measures how the server carries out what the hosts do.
	moderation moderationStats
	began      time.Time

	clips    [][]*speech.Clip // by group of the cast
	allClips []*speech.Clip   // of all groups

	gate      abortGate
	phase     phase
	reporting sync.Mutex    // held during calls of Progress and Watch
	peak      atomic.Uint64 // highest memory of the server in the steady state, in bytes
	// used is the last sample with the server's use. cores is how many cores the
	// generator may use.
	used  atomic.Pointer[sample]
	cores int
	turns *driver.Turns // of the joins
}

func newRun(cfg Config) (*run, error) {
	clock, health, problems := measure.NewClock(), newHealth(cfg.Driver.Loopback()), newProblems()
	clients, err := newClients(cfg, clock, health, problems)
	if err != nil {
		return nil, err
	}
	r := &run{
		Config: cfg, clock: clock, aggregator: measure.NewAggregator(), clients: clients, health: health, problems: problems,
		sampler: sampler{clock: clock, server: cfg.Server, problems: problems}, began: time.Now(), uplinks: &uplinks{had: cfg.Scenario.JoinDeadline.Duration()}, cores: runtime.GOMAXPROCS(0),
	}
	if err := r.loadClips(); err != nil {
		return nil, errors.Join(err, clients.Close())
	}
	r.turns = driver.NewTurns(r.cores)
	r.aggregator.Follow(cfg.Scenario.Thresholds)
	return r, nil
}

// loadClips reads the cast's audio files, each of them once.
func (r *run) loadClips() error {
	loaded := map[string]*speech.Clip{}
	for _, g := range r.Scenario.Cast {
		var clips []*speech.Clip
		for _, path := range g.Audio {
			clip, ok := loaded[path]
			if !ok {
				var err error
				if clip, err = speech.Load(path); err != nil {
					return err
				}
				loaded[path] = clip
				r.allClips = append(r.allClips, clip)
			}
			clips = append(clips, clip)
		}
		r.clips = append(r.clips, clips)
	}
	return nil
}

func (r *run) play(ctx context.Context) (*Result, error) {
	result, err := r.measure(ctx)
	r.cleanUp()
	if err != nil {
		return nil, err
	}
	result.Problems = r.problems.list()
	return result, nil
}

// measure plays the scenario from opening its rooms to the end of its hold. Everybody
// who has not left by then stays.
func (r *run) measure(ctx context.Context) (*Result, error) {
	r.enterPhase("opening")
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	// An interrupt, or a threshold that aborts, ends the arrivals and the hold but
	// not the measuring.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	playing, abort := context.WithCancel(ctx)
	defer abort()
	r.gate.abort = abort

	span := Span{Arrivals: r.begin(measure.Arrivals)}
	r.gate.start = span.Arrivals
	work.Go(func() { r.watch(background) })
	r.arrive(playing)
	if err := r.uplinks.unreachable(); err != nil && playing.Err() == nil {
		return nil, err
	}
	span.Hold = r.clock.Now()
	r.clients.emulator.BeginSteady(span.Hold)
	before := r.holdSteady(playing, span.Hold)
	span.Steady = before.at

	after := r.sampler.sample(background)
	span.Stop = after.at
	if r.Scenario.Departs() && playing.Err() == nil {
		span.Stop = r.begin(measure.Departures)
		r.depart(playing)
	}
	r.enterPhase("settling")
	now := r.clock.Now()
	r.aggregator.Stop(now)
	for _, h := range r.rooms {
		h.ledger.Stop(now)
	}
	pause(background, settleTime)
	end()
	work.Wait()
	now = r.clock.Now()
	for _, h := range r.rooms {
		h.ledger.Finish(now)
	}
	r.aggregator.Finish(now)
	if r.Scenario.AudioScore && ctx.Err() == nil {
		r.score(ctx)
	}
	return r.result(ctx.Err() != nil, span, before, after), nil
}

// begin begins a measured phase and returns the time.
func (r *run) begin(phase string) time.Duration {
	now := r.clock.Now()
	r.problems.act("begin "+scenario.Verb(phase), r.aggregator.Begin(phase, now))
	r.enterPhase(phase)
	return now
}

// open opens the rooms and brings in their speakers, before there are listeners. Where there
// will be none, the speakers arrive themselves.
func (r *run) open(ctx context.Context) error {
	s := r.Scenario
	r.rooms = make(rooms, s.Rooms)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range r.rooms {
		group.Go(func() error {
			h, err := r.openRoom(ctx, i)
			r.rooms[i] = h
			return err
		})
	}
	return group.Wait()
}

// arrive brings the listeners in at their times, or the speakers if nobody listens. It
// returns when each of them has received audio, or can send it, or has reached its join
// deadline.
func (r *run) arrive(ctx context.Context) {
	var joins sync.WaitGroup
	start := r.clock.Now()
	for _, a := range r.rooms.arrivals(r.Scenario) {
		intended := start + a.after
		if !r.sleepUntil(ctx, intended) {
			break
		}
		r.health.recordStart(r.clock.Now() - intended)
		r.aggregator.Arrival(intended)
		joins.Go(func() { a.person.join(ctx, intended) })
	}
	joins.Wait()
}

// holdSteady plays the timeline. It returns at the end of the hold, with the sample
// from the beginning of the steady state.
func (r *run) holdSteady(ctx context.Context, from time.Duration) (steady sample) {
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	var acts sync.WaitGroup
	defer acts.Wait()
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 {
		r.begin(measure.WarmUp)
	}
	for _, s := range r.Scenario.Spans() {
		r.problems.act("name "+scenario.Verb(s.Name), r.aggregator.Span(s.Name, from+s.From.Duration(), from+s.Until.Duration()))
	}
	for i, e := range r.Scenario.Timeline {
		if e.Do != "" {
			acts.Go(func() { r.playEvent(acting, i, e, from+e.At.Duration()) })
		}
	}
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 && !r.sleepUntil(ctx, from+warm) {
		return r.sampler.sample(ctx) // nothing was measured
	}
	r.begin(measure.Steady)
	r.aggregator.Excerpts(r.clock.Now(), from+r.Scenario.Hold.Duration())
	steady = r.sampler.sample(ctx)
	r.sleepUntil(ctx, from+r.Scenario.Hold.Duration())
	return steady
}

// depart has people leave after the hold, each at their time, and returns when all of
// them have left.
func (r *run) depart(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	start := r.clock.Now()
	for _, d := range r.rooms.departures(r.Scenario) {
		intended := start + d.after
		if !r.sleepUntil(ctx, intended) {
			return
		}
		r.health.recordStart(r.clock.Now() - intended)
		all.Go(func() {
			// A leave that has begun is finished even when interrupted.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
			defer cancel()
			r.problems.add("leave", d.person.depart(ctx))
		})
	}
}

// sleepUntil returns true at t, or false as soon as ctx is done.
func (r *run) sleepUntil(ctx context.Context, t time.Duration) bool {
	return pause(ctx, t-r.clock.Now())
}

// pause returns true after d, or false as soon as ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cleanUp has everybody leave and closes the rooms. Errors become problems of the
// result; the figures stay valid.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	r.enterPhase("leaving")
	var group errgroup.Group
	group.SetLimit(concurrency)
	for _, h := range r.rooms.opened() {
		for _, p := range h.people() {
			group.Go(func() error {
				r.problems.add("leave", p.leave(ctx))
				return nil
			})
		}
	}
	_ = group.Wait()
	for _, h := range r.rooms.opened() {
		group.Go(func() error {
			r.problems.add("close room", h.client.Close(ctx))
			return nil
		})
	}
	_ = group.Wait()
	r.problems.add("close sockets", r.clients.Close())
}
