package cast

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Concurrency is how many rooms open, or people leave, at the same time where the
// scenario sets no times.
const Concurrency = 32

// A Setting is what a cast plays, and where it enters what comes of it.
type Setting struct {
	Scenario *scenario.Scenario // it must be valid
	Driver   driver.Driver
	TURN     client.TURN // of those who go by a TURN server
	Nodes    Nodes       // nil if none were started for the run
	Share    share.Share // whom of the run's people this process plays
	Cores    int         // that it may use

	Clock      *timebase.Clock
	Aggregator *record.Aggregator
	// Book has the ledgers of the rooms. It is of the same Aggregator.
	Book     *ledger.Book
	Problems *problem.Counter
}

// marked reports whether the audio is marked.
func (s Setting) marked() bool { return s.Scenario.AudioCheck == scenario.CheckMarker }

// Nodes are the servers of a cluster that were started for a run. They are numbered from 1.
type Nodes interface {
	// Kill kills one, and returns when it is dead.
	Kill(node int) error
	// Restart has one stop, starts it again at the same URL, and returns when it serves.
	Restart(ctx context.Context, node int) error
}

// Others are the processes that play the run with this one.
type Others interface {
	// Exchange gives all of them what each offers under a key.
	Exchange(ctx context.Context, key string, mine any) ([][]byte, error)
	// Order has the one of a number carry out an order.
	Order(ctx context.Context, worker int, o link.Order) (link.Outcome, error)
	// Open tells them of a mic of this process's, of a person of a group.
	Open(id link.SourceID, group, number int, source *ledger.Source)
	// AwaitProcessed returns when all of them have looked at what came before a moment. It reports false if
	// that is not known: the run is at its end.
	AwaitProcessed(ctx context.Context, t time.Duration) bool
	// ClockBound is by how much this process's clock may be wrong, and ClockDoubt by how much it and
	// that of another that has heard somebody may differ.
	ClockBound() time.Duration
	ClockDoubt() time.Duration
	// OthersDropped is how many packets are known to have been dropped on their sides.
	OthersDropped() uint64
}

// A Cast is the people of a run whom one process plays, and the rooms that they are in. A run
// opens or enters the rooms, has people arrive, play the timeline and leave, in that order.
type Cast struct {
	Setting
	Health    *tally.Health
	Uplinks   *tally.Uplinks
	Rooms     Rooms
	Reopening Reopenings

	clients *clients
	// moderation measures how the server carries out what the hosts do.
	moderation tally.Moderation

	clips    [][]*speech.Clip // by group of the cast
	allClips []*speech.Clip   // of all groups
	turns    *driver.Turns    // of the joins

	others  Others   // nil if nobody plays with this process
	tickets []string // how it gets into the rooms that somebody else has opened

	// atEnd is what the clients had counted when the measuring ended; nil until then.
	atEnd atomic.Pointer[clientCounts]
}

// New returns a cast whose people have not come yet.
func New(s Setting) (*Cast, error) {
	health := tally.NewHealth(s.Driver.Loopback())
	clients, err := newClients(s, health)
	if err != nil {
		return nil, err
	}
	c := &Cast{Setting: s, clients: clients, Health: health, Uplinks: tally.NewUplinks(s.Scenario.JoinDeadline.Duration()), turns: driver.NewTurns(s.Cores)}
	if c.clips, c.allClips, err = loadClips(s.Scenario.Cast); err != nil {
		return nil, errors.Join(err, clients.Close())
	}
	return c, nil
}

// loadClips reads the audio files of a cast, each of them once. It returns them by group, and all.
func loadClips(groups []scenario.Group) (byGroup [][]*speech.Clip, all []*speech.Clip, err error) {
	loaded := map[string]*speech.Clip{}
	for _, g := range groups {
		var clips []*speech.Clip
		for _, path := range g.Audio {
			clip, ok := loaded[path]
			if !ok {
				if clip, err = speech.Load(path); err != nil {
					return nil, nil, err
				}
				loaded[path] = clip
				all = append(all, clip)
			}
			clips = append(clips, clip)
		}
		byGroup = append(byGroup, clips)
	}
	return byGroup, all, nil
}

// Open opens the rooms and brings in their speakers, before there are listeners. Where there
// will be none, the speakers arrive themselves.
func (c *Cast) Open(ctx context.Context) error {
	s := c.Scenario
	c.Rooms = make(Rooms, s.Rooms)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Concurrency)
	for i := range c.Rooms {
		group.Go(func() error {
			h, err := c.openRoom(ctx, i)
			c.Rooms[i] = h
			if err != nil {
				return err
			}
			return h.takeStage(ctx)
		})
	}
	return group.Wait()
}

// TakeStages brings the speakers into all rooms.
func (c *Cast) TakeStages(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Concurrency)
	for _, h := range c.Rooms {
		group.Go(func() error { return h.takeStage(ctx) })
	}
	return group.Wait()
}

// Arrive brings the listeners in at their times, or the speakers if nobody listens. It
// returns when each of them has received audio, or can send it, or has reached its join
// deadline.
func (c *Cast) Arrive(ctx context.Context, start time.Duration) {
	var joins sync.WaitGroup
	for _, a := range c.Rooms.arrivals(c.Scenario) {
		intended := start + a.after
		if !c.SleepUntil(ctx, intended) {
			break
		}
		c.Health.RecordStart(c.Clock.Now() - intended)
		c.Aggregator.Arrival(intended)
		joins.Go(func() { a.person.join(ctx, intended) })
	}
	joins.Wait()
}

// Enter gets into the rooms that somebody else has opened, instead of opening them, before anything
// is told of them. The cast is one of several from then on, of which with are the others.
func (c *Cast) Enter(ctx context.Context, with Others, tickets []string) error {
	c.others, c.tickets = with, tickets
	c.Rooms = make(Rooms, c.Scenario.Rooms)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Concurrency)
	for i := range c.Rooms {
		group.Go(func() (err error) {
			c.Rooms[i], err = c.openRoom(ctx, i)
			return err
		})
	}
	return group.Wait()
}

// Depart has people leave after the hold, each at their time, and returns when all of
// them have left.
func (c *Cast) Depart(ctx context.Context, start time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, d := range c.Rooms.departures(c.Scenario) {
		intended := start + d.after
		if !c.SleepUntil(ctx, intended) {
			return
		}
		c.Health.RecordStart(c.Clock.Now() - intended)
		all.Go(func() {
			// A leave that has begun is finished even when interrupted.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
			defer cancel()
			c.Problems.Add("leave", d.person.depart(ctx))
		})
	}
}

// SleepUntil returns true at t, or false as soon as ctx is done.
func (s Setting) SleepUntil(ctx context.Context, t time.Duration) bool {
	return pause(ctx, t-s.Clock.Now())
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

// BeginSteady tells the emulated networks when the steady state begins.
func (c *Cast) BeginSteady(at time.Duration) { c.clients.emulator.BeginSteady(at) }

// Stop ends at a moment what is owed to people, and what is measured of hosts and mics.
func (c *Cast) Stop(now time.Duration) {
	for _, h := range c.Rooms {
		h.ledger.Stop(now)
	}
	c.moderation.End(now)
	c.Uplinks.End(now)
}

// Leave has everybody leave and closes the rooms. Errors become problems of the
// result; the figures stay valid.
func (c *Cast) Leave(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(Concurrency)
	for _, h := range c.Rooms.Opened() {
		for _, p := range h.people() {
			group.Go(func() error {
				c.Problems.Add("leave", p.leave(ctx))
				return nil
			})
		}
	}
	_ = group.Wait()
	for _, h := range c.Rooms.Opened() {
		group.Go(func() error {
			if c.others == nil { // else it is the coordinator's
				c.Problems.Add("close room", h.client.Close(ctx))
			}
			return nil
		})
	}
	_ = group.Wait()
	c.Problems.Add("close sockets", c.clients.Close())
}
