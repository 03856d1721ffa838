package loadgen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

const (
	// together is how many rooms, or people, are brought in or seen out at the
	// same time where the scenario does not say when.
	concurrency = 32
	// settling is how long a run listens on after its last packet was due.
	settleTime = time.Second
	// parting is how long seeing everybody out may take.
	leaveTimeout = 20 * time.Second
)

// Config is what a run needs.
type Config struct {
	// Scenario is what is played; it has been validated.
	Scenario *scenario.Scenario
	// Driver gets people into rooms.
	Driver driver.Driver
	// Server measures the server's process; nil if it can't be measured.
	Server host.Meter
	// Progress, if not nil, is called about once a second and at each change of
	// phase, from one goroutine at a time. It must return soon.
	Progress func(Progress)
	// Watch, if not nil, is called when Progress is, with more. What it is
	// given is its own to keep.
	Watch func(Snapshot)
	// Log takes what the run has to say beside its result; nil for nothing.
	Log *slog.Logger
}

// Run plays a scenario and returns what was measured. It returns an error, and
// no result, if the scenario could not be played at all: the target did not
// answer, or a speaker could not be heard.
//
// When ctx is cancelled the run ends early, and what it measured until then is
// returned, marked as interrupted.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := supports(cfg.Driver, cfg.Scenario); err != nil {
		return nil, err
	}
	if err := checkFiles(host.CurrentLimits(), cfg.Scenario); err != nil {
		return nil, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// supports refuses a scenario that the driver can't play, before anything
// starts.
func supports(d driver.Driver, s *scenario.Scenario) error {
	if c := d.Capabilities(); len(s.Timeline) > 0 && !c.Moderation {
		for _, e := range s.Timeline {
			if e.Do != scenario.Leave {
				return fmt.Errorf("%w: the timeline's %s needs signaling; the %s driver can only leave", driver.ErrUnsupported, e.Do, c.Driver)
			}
		}
	}
	return nil
}

// A run is one scenario being played.
type run struct {
	Config
	clock    *measure.Clock
	tally    *measure.Tally
	pion     *client.PionFactory
	crowd    *client.Crowd
	emulator *netem.Emulator
	nacks    *client.NACKCounter
	health   *generatorHealth
	problems *problems
	rooms    []*roomRun
	// moderation is how the server carried out what its hosts did.
	moderation moderationStats
	began      time.Time

	clips    [][]*speech.Clip // of each group of the cast, one after the other's
	allClips []*speech.Clip   // all of them

	gate      abortGate
	phase     phase
	reporting sync.Mutex    // held while Progress is called
	peak      atomic.Uint64 // the server's memory at its highest, in the steady state
}

func newRun(cfg Config) (*run, error) {
	clock := measure.NewClock()
	recovery, health := &client.NACKCounter{}, newHealth()
	studio, err := client.NewPionFactory(clock, cfg.Driver.Loopback(), iceServers(cfg.Driver.Capabilities()), recovery, health.recordRead)
	if err != nil {
		return nil, err
	}
	crowd, err := client.NewCrowd(clock, recovery, health.recordRead, maxVoices(cfg.Scenario))
	if err != nil {
		return nil, err
	}
	r := &run{
		Config: cfg, clock: clock, tally: measure.NewTally(), pion: studio, crowd: crowd, nacks: recovery,
		health: health, problems: newProblems(), began: time.Now(),
	}
	r.emulator = netem.NewEmulator(clock, cfg.Scenario.Seed, r.problems.add, func(d time.Duration) { health.recordRead(d, 1) })
	if err := r.loadClips(); err != nil {
		return nil, errors.Join(err, crowd.Close())
	}
	r.tally.Follow(cfg.Scenario.Thresholds)
	return r, nil
}

// load reads the cast's audio files, each once.
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

// measure plays the scenario from the opening of its rooms to the end of its
// hold; it leaves everybody in place.
func (r *run) measure(ctx context.Context) (*Result, error) {
	r.enterPhase("opening")
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	// An interrupt, or a threshold that aborts, ends the arrivals and the hold,
	// and not the measuring.
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
	span.Hold = r.clock.Now()
	r.emulator.BeginSteady(span.Hold)
	before := r.holdSteady(playing, span.Hold)
	span.Steady = before.at

	after := r.sample(background)
	span.Stop = after.at
	if r.Scenario.Departs() && playing.Err() == nil {
		span.Stop = r.begin(measure.Departures)
		r.depart(playing)
	}
	r.enterPhase("settling")
	now := r.clock.Now()
	r.tally.Stop(now)
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
	r.tally.Finish(now)
	return r.result(ctx.Err() != nil, span, before, after), nil
}

// begin begins a measured phase and returns when that was.
func (r *run) begin(phase string) time.Duration {
	now := r.clock.Now()
	r.problems.act("begin "+scenario.Verb(phase), r.tally.Begin(phase, now))
	r.enterPhase(phase)
	return now
}

// open makes the rooms and brings their speakers in.
func (r *run) open(ctx context.Context) error {
	s := r.Scenario
	r.rooms = make([]*roomRun, s.Rooms)
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

// arrive brings the listeners in at their times and returns when each has
// heard something, or its time to do so is over.
func (r *run) arrive(ctx context.Context) {
	var joins sync.WaitGroup
	start := r.clock.Now()
	for _, a := range r.schedule() {
		intended := start + a.after
		if !r.sleepUntil(ctx, intended) {
			break
		}
		r.health.recordStart(r.clock.Now() - intended)
		r.tally.Arrival(intended)
		joins.Go(func() { a.listener.join(ctx, intended) })
	}
	joins.Wait()
}

// hold plays the timeline and returns when the scenario's time is over, with
// the sample at the beginning of the steady state.
func (r *run) holdSteady(ctx context.Context, from time.Duration) (steady sample) {
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	var acts sync.WaitGroup
	defer acts.Wait()
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 {
		r.begin(measure.WarmUp)
	}
	for _, s := range r.Scenario.Spans() {
		r.problems.act("name "+scenario.Verb(s.Name), r.tally.Span(s.Name, from+s.From.Duration(), from+s.Until.Duration()))
	}
	for i, e := range r.Scenario.Timeline {
		if e.Do != "" {
			acts.Go(func() { r.act(acting, i, e, from+e.At.Duration()) })
		}
	}
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 && !r.sleepUntil(ctx, from+warm) {
		return r.sample(ctx) // nothing was measured
	}
	r.begin(measure.Steady)
	steady = r.sample(ctx)
	r.sleepUntil(ctx, from+r.Scenario.Hold.Duration())
	return steady
}

// depart sees those out who leave after the hold, each at their time, and
// returns when all have left.
func (r *run) depart(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	start := r.clock.Now()
	for _, d := range r.departures() {
		intended := start + d.after
		if !r.sleepUntil(ctx, intended) {
			return
		}
		r.health.recordStart(r.clock.Now() - intended)
		all.Go(func() {
			// Who has begun to leave goes on, interrupted or not.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
			defer cancel()
			r.problems.add("leave", d.listener.depart(ctx))
		})
	}
}

// sleepUntil returns at t, or before with false if ctx is done.
func (r *run) sleepUntil(ctx context.Context, t time.Duration) bool {
	return pause(ctx, t-r.clock.Now())
}

// pause returns after d, or before with false if ctx is done.
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

// clear sees everybody out and closes the rooms. What goes wrong then is a
// problem to report; the figures stand.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	r.enterPhase("leaving")
	var group errgroup.Group
	group.SetLimit(concurrency)
	for _, h := range r.rooms {
		if h == nil {
			continue
		}
		for _, p := range h.people() {
			group.Go(func() error {
				r.problems.add("leave", p.leave(ctx))
				return nil
			})
		}
	}
	_ = group.Wait()
	for _, h := range r.rooms {
		if h == nil {
			continue
		}
		group.Go(func() error {
			r.problems.add("close room", h.client.Close(ctx))
			return nil
		})
	}
	_ = group.Wait()
	r.problems.add("close sockets", r.crowd.Close())
	r.emulator.Close()
}
