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

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// concurrency is how many rooms open, or people leave, at the same time where the
	// scenario sets no times.
	concurrency = 32
	// settleTime is how long a run goes on listening after its last packet was due.
	settleTime = time.Second
	// leaveTimeout is how long it may take until everybody has left.
	leaveTimeout = 20 * time.Second
	// hurriedLeave is that of a worker whose part is at an end early.
	hurriedLeave = 5 * time.Second
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
	Server host.Meter
	// Progress, if not nil, is called about once a second and at each change of
	// phase, by one goroutine at a time. It must not block.
	Progress func(Progress)
	// Watch, if not nil, is called together with Progress and gets more. It owns the
	// snapshot that it gets.
	Watch func(Snapshot)
	// Nodes are the servers that were started for the run; nil if there are none.
	Nodes Nodes
	// Log receives what the run reports beside its result; nil discards it.
	Log *slog.Logger
}

// Run plays a scenario in this process and returns what it measured. It returns an error and no
// result if the scenario could not be played at all, for example because the target
// did not answer or a speaker could not connect.
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
	if err := check(host.CurrentLimits(), cfg.Scenario, Share{}, 1, sharesSockets(cfg.Driver)); err != nil {
		return nil, err
	}
	r, err := newRun(cfg, timebase.NewClock(), Share{})
	if err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// Nodes are the servers of a cluster that were started for a run. They are numbered from 1.
type Nodes interface {
	// Kill kills one, and returns when it is dead.
	Kill(node int) error
	// Restart has one stop, starts it again at the same URL, and returns when it serves.
	Restart(ctx context.Context, node int) error
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
	if c.Sections != driver.AllVoices {
		return nil
	}
	for _, g := range s.Cast {
		if mics := castMics(s); g.Sections != 0 && g.Sections < mics {
			return fmt.Errorf("%w: a group has sections: %d, and the server sends every listener all %d voices of a room; leave it out", driver.ErrUnsupported, g.Sections, mics)
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

// castMics returns how many mics a room of the scenario has from the beginning.
func castMics(s *scenario.Scenario) (n int) {
	for _, g := range s.Cast {
		if g.Role != scenario.Listener && len(g.Audio) > 0 {
			n += g.Count
		}
	}
	return n
}

// A run plays one scenario. Its methods are the steps of playing, in the order of this
// file, and what runs beside them once a second: observer.go, progress.go, abort.go.
type run struct {
	scoreboard
	clients *clients
	health  *generatorHealth
	rooms   rooms
	uplinks *uplinks
	// moderation measures how the server carries out what the hosts do.
	moderation moderationStats
	reopening  reopenings

	clips    [][]*speech.Clip // by group of the cast
	allClips []*speech.Clip   // of all groups

	cores    int           // that the generator may use
	lastLoad record.Load   // what the processes used at last
	dropped  atomic.Uint64 // packets, on this process's side, as was known when accounts were settled
	// clientsAtEnd is what the clients had counted when the measuring ended; nil until then.
	clientsAtEnd atomic.Pointer[clientCounts]
	turns        *driver.Turns // of the joins

	// share is whom of the run's people this process plays, and peers who play the others;
	// nil if nobody does.
	share Share
	peers *peers
	// tickets are how the process gets into the rooms that the coordinator has opened.
	tickets []string
}

// clientCounts are how many packets the clients' sockets dropped, of how many they lost the receive time, how many were not
// authentic, and how many were replays.
type clientCounts struct{ dropped, unstamped, unauthentic, replayed uint64 }

func newRun(cfg Config, clock *timebase.Clock, share Share) (*run, error) {
	health, problems := newHealth(cfg.Driver.Loopback()), newProblems()
	clients, err := newClients(cfg, clock, health, problems)
	if err != nil {
		return nil, err
	}
	r := &run{
		scoreboard: newScoreboard(cfg, clock, problems), clients: clients, health: health, cores: runtime.GOMAXPROCS(0), share: share,
		uplinks: &uplinks{had: cfg.Scenario.JoinDeadline.Duration()},
	}
	r.sampler.local = health.local
	r.self, r.mics, r.cast = r.selfTally, r.uplinks.counts, r.castIn
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
	r.cleanUp(leaveTimeout)
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
	open := r.open
	if r.peers != nil {
		open = r.takeStages // their rooms are open
	}
	if err := open(ctx); err != nil {
		return nil, err
	}
	// An interrupt, or a threshold that aborts, ends the arrivals and the hold but
	// not the measuring.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	r.reopening.begin(background)
	defer r.reopening.end()
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
	r.arrive(playing, span.Arrivals)
	if err := r.uplinks.unreachable(); err != nil && playing.Err() == nil {
		return nil, err
	}
	if span.Hold, err = r.meet(background, "hold", r.clock.Now(), lead, nil); err != nil {
		return nil, err
	}
	r.sleepUntil(playing, span.Hold)
	r.clients.emulator.BeginSteady(span.Hold)
	before := r.holdSteady(playing, span.Hold)
	span.Steady = before.at

	planned := span.Hold + r.Scenario.Hold.Duration()
	r.book.HoldOpen(min(planned, r.clock.Now()))
	after := r.sampler.end(background)
	departs := r.Scenario.Departs() && playing.Err() == nil
	if span.Stop, err = r.meet(background, "stop", r.stopAt(planned, after), 0, &departs); err != nil {
		return nil, err
	}
	r.sleepUntil(background, span.Stop)
	now := span.Stop
	if departs {
		r.begin(record.Departures, span.Stop)
		r.depart(playing, span.Stop)
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
	r.sleepUntil(background, now)
	r.aggregator.Stop(now)
	for _, h := range r.rooms {
		h.ledger.Stop(now)
	}
	r.book.HoldOpen(timebase.Never.Start())
	r.moderation.end(now)
	r.uplinks.end(now)
	pause(background, settleTime)
	r.endMeasuring()
	if r.peers != nil {
		r.peers.awaitKnown(background, now+settleTime)
	}
	r.reopening.end()
	end()
	work.Wait()
	now = r.clock.Now()
	for _, h := range r.rooms {
		h.ledger.Finish(now)
	}
	r.aggregator.Finish(now)
	final := r.final(context.WithoutCancel(ctx))
	if r.Scenario.AudioScore && ctx.Err() == nil {
		r.score(ctx)
	}
	if r.peers != nil {
		return nil, r.peers.finish(final, after)
	}
	return r.result(final, ctx.Err() != nil, span, before, after), nil
}

// longSample is for how long a sample of the server may be taken, and the steady state not last longer.
const longSample = time.Second

// stopAt is when the steady state ends that was to end at planned, and at whose end a sample was taken.
func (r *run) stopAt(planned time.Duration, after sample) time.Duration {
	switch now := r.clock.Now(); {
	case now-after.at > longSample:
		return now // everybody has gone on meanwhile
	case r.peers != nil && after.at > planned && after.at < planned+lead:
		return planned // for all, unless an act has lasted longer
	}
	return after.at
}

// begin begins a measured phase at a time. When it may end is not known yet.
func (r *run) begin(phase string, at time.Duration) {
	r.problems.act("begin "+scenario.Verb(phase), r.aggregator.Begin(phase, at))
	r.book.HoldOpen(timebase.Never.Start())
	r.enterPhase(phase)
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
			if err != nil {
				return err
			}
			return h.takeStage(ctx)
		})
	}
	return group.Wait()
}

// takeStages brings the speakers into all rooms.
func (r *run) takeStages(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, h := range r.rooms {
		group.Go(func() error { return h.takeStage(ctx) })
	}
	return group.Wait()
}

// arrive brings the listeners in at their times, or the speakers if nobody listens. It
// returns when each of them has received audio, or can send it, or has reached its join
// deadline.
func (r *run) arrive(ctx context.Context, start time.Duration) {
	var joins sync.WaitGroup
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
		r.begin(record.WarmUp, from)
	}
	for _, s := range r.Scenario.Spans() {
		r.problems.act("name "+scenario.Verb(s.Name), r.aggregator.Span(s.Name, from+s.From.Duration(), from+s.Until.Duration()))
	}
	r.book.HoldOpen(from + r.Scenario.WarmUp.Duration())
	for i, e := range r.Scenario.Timeline {
		if e.Do != "" {
			acts.Go(func() { r.playEvent(acting, i, e, from+e.At.Duration()) })
		}
	}
	if warm := r.Scenario.WarmUp.Duration(); warm > 0 && !r.sleepUntil(ctx, from+warm) && r.peers == nil {
		return r.sampler.sample(ctx) // nothing was measured
	} // Of several workers some may have begun it before they heard that the run ends: so all do.
	steadyAt := r.clock.Now()
	if r.peers != nil {
		steadyAt = from + r.Scenario.WarmUp.Duration() // for all
	}
	r.begin(record.Steady, steadyAt)
	r.book.HoldOpen(from + r.Scenario.Hold.Duration())
	r.book.Excerpts(steadyAt, from+r.Scenario.Hold.Duration())
	steady = r.sampler.end(ctx)
	if r.peers != nil {
		r.peers.enterSteady(steady)
	}
	r.sleepUntil(ctx, from+r.Scenario.Hold.Duration())
	return steady
}

// depart has people leave after the hold, each at their time, and returns when all of
// them have left.
func (r *run) depart(ctx context.Context, start time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
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
func (r *run) cleanUp(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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
			if r.peers == nil { // else it is the coordinator's
				r.problems.add("close room", h.client.Close(ctx))
			}
			return nil
		})
	}
	_ = group.Wait()
	r.problems.add("close sockets", r.clients.Close())
}
