package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// errCoordinatorLost means that the worker's coordinator is gone, so that nobody knows what
// the run comes to.
var (
	errCoordinatorLost = errors.New("the coordinator is lost")
	errSilent          = fmt.Errorf("%w: it has said nothing for %v", errCoordinatorLost, link.LostAfter)
)

// peers is a worker's run's side of the other workers: what it tells them by way of the
// coordinator, and what they tell it. A run that is alone has none (nil).
type peers struct {
	run  *run
	link link.Link
	lost context.CancelCauseFunc // ends the run when the coordinator is gone
	stop func(reason string)

	sending  sync.Mutex // held while a report is made and sent
	sequence uint64
	steady   *usage.Sample // from the beginning of the steady state
	now      *usage.Sample // the last one

	bound     atomic.Int64  // see ClockBound
	reporting time.Duration // for how long a report has been being made; for talk

	mu        sync.Mutex
	changed   *sync.Cond
	offers    map[string][]byte   // not sent yet
	answers   map[string][][]byte // not taken yet
	opened    []link.OpenedSource // not sent yet
	sources   map[link.SourceID]*peerSource
	processed time.Duration // by all
	dropped   uint64        // packets, on the other workers' sides
	ended     bool
	// heardWithin is by how much the others' clocks may be wrong that have said when they heard
	// somebody of this worker.
	heardWithin time.Duration
}

// A peerSource is a mic of the run, the worker's own or a replica of another's.
type peerSource struct {
	source   *ledger.Source
	own      bool
	heard    bool // told
	silenced int  // told
}

func newPeers(r *run, to link.Link) *peers {
	p := &peers{run: r, link: to, offers: map[string][]byte{}, answers: map[string][][]byte{}, sources: map[link.SourceID]*peerSource{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// AwaitProcessed returns when all workers have looked at what came before a moment, and reports false if that is
// not known.
func (p *peers) AwaitProcessed(ctx context.Context, t time.Duration) bool {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.processed < t && ctx.Err() == nil && !p.ended {
		p.changed.Wait()
	}
	return p.processed >= t
}

// Order has another worker carry out an order.
func (p *peers) Order(ctx context.Context, worker int, o link.Order) (link.Outcome, error) {
	return p.link.Order(ctx, worker, o)
}

// end ends what waits for the other workers.
func (p *peers) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}

// Open enters a mic of the worker's own.
func (p *peers) Open(id link.SourceID, group, number int, source *ledger.Source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from(p.run.Scenario.Cast[group], source, p.run.cast.Share.Number)
	p.sources[id] = &peerSource{source: source, own: true}
	p.opened = append(p.opened, link.OpenedSource{SourceID: id, Worker: p.run.cast.Share.Number, Group: group, Number: number})
}

// from has a mic of a worker, of a group of the cast, checked against the clocks, unless the scenario
// makes its way longer than that of others.
func from(g scenario.Group, source *ledger.Source, worker int) {
	if g.Network == nil && g.Transport == (network.Shares{UDP: g.Transport.UDP}) {
		source.From(worker)
	}
}

// talk sends reports and reads news until ctx is done, or the coordinator is lost.
func (p *peers) talk(ctx context.Context) {
	tick := time.NewTicker(link.ReportEvery)
	defer tick.Stop()
	expected := uint64(0)
	var silent link.Silence
	for was := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			passed := now.Sub(was)
			was = now
			p.sendOrLive(passed)
			lost := silent.Pass(passed)
			if lost && len(p.link.News()) == 0 { // else it has spoken, and this process was late to read it
				p.giveUp(errSilent)
				return
			}
		case news, ok := <-p.link.News():
			if !ok {
				p.giveUp(errCoordinatorLost)
				return
			}
			silent.Break()
			if news.Sequence == 0 {
				continue // it is there
			}
			if expected != 0 && news.Sequence < expected {
				continue // once more
			}
			if expected != 0 && news.Sequence != expected {
				p.giveUp(fmt.Errorf("%w: %d of its messages did not come", errCoordinatorLost, news.Sequence-expected))
				return
			}
			expected = news.Sequence + 1
			if err := p.hear(news); err != nil {
				p.giveUp(fmt.Errorf("what the coordinator says can't be: %w", err))
				return
			}
		}
	}
}

// giveUp ends the worker's part. The coordinator, if it can still hear, gets to know why at
// once, and not only when the worker's people have left: it would take the worker for lost.
func (p *peers) giveUp(why error) {
	p.lost(why)
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sendReport(false, func(r *link.Report) {
		r.Failed, r.Deaf = why.Error(), errors.Is(why, errSilent)
	})
}

// hear takes the coordinator's news.
func (p *peers) hear(news link.News) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed.Broadcast()
	for key, answer := range news.Answers {
		p.answers[key] = answer
	}
	for _, o := range news.Sources {
		if o.Worker == p.run.cast.Share.Number {
			continue
		}
		source, err := p.run.cast.Replica(o)
		if err != nil {
			return err
		}
		from(p.run.Scenario.Cast[o.Group], source, o.Worker)
		p.sources[o.SourceID] = &peerSource{source: source}
	}
	for _, t := range news.Told {
		if t.Worker == p.run.cast.Share.Number {
			continue
		}
		s := p.sources[t.SourceID]
		if s == nil {
			return fmt.Errorf("nobody has opened mic %d of room %d", t.Index, t.Room)
		}
		if err := s.source.Hear(t.Told, t.Bound); err != nil {
			return err
		}
	}
	for _, h := range news.Heard {
		if s := p.sources[h.SourceID]; s != nil && s.own {
			s.source.HeardAt(h.At)
			p.heardWithin = max(p.heardWithin, h.Bound)
		}
	}
	for _, h := range news.Silenced {
		if s := p.sources[h.SourceID]; s != nil && s.own {
			s.source.HeardSilenced(h.Since, h.Bins)
		}
	}
	p.run.cast.Rooms.Confirm(news.Horizon)
	p.processed = max(p.processed, news.Processed)
	p.dropped = max(p.dropped, droppedByOthers(news.Dropped, p.run.cast.Share.Number))
	if news.Stop != "" {
		p.stop(news.Stop)
	}
	return nil
}

// droppedByOthers is how many packets others than one worker dropped, of those that each did.
func droppedByOthers(by []uint64, but int) (n uint64) {
	for i, dropped := range by {
		if i != but {
			n += dropped
		}
	}
	return n
}

// OthersDropped is how many packets are known to have been dropped on the other workers' sides: all that
// came before what they have processed.
func (p *peers) OthersDropped() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// ClockBound is by how much the worker's clock may be wrong.
func (p *peers) ClockBound() time.Duration { return time.Duration(p.bound.Load()) }

// ClockDoubt is by how much this worker's clock and that of another who has heard somebody may
// differ.
func (p *peers) ClockDoubt() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ClockBound() + p.heardWithin
}

// awaitKnown returns when it is known what all workers had sent by a moment, for as long as
// a worker may be silent at most.
func (p *peers) awaitKnown(ctx context.Context, t time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, 2*link.LostAfter)
	defer cancel()
	for !p.run.cast.Rooms.Known(t) {
		if !p.run.cast.SleepUntil(ctx, p.run.Clock.Now()+link.ReportEvery/2) {
			return
		}
	}
}

// enterSteady takes the sample from the beginning of the steady state.
func (p *peers) enterSteady(s usage.Sample) {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.steady = &s
}

// measured has the next report tell what was measured. It is called once a second, by
// whoever settles.
func (p *peers) measured(now usage.Sample) {
	p.sending.Lock()
	p.now = &now
	p.sending.Unlock()
	p.send(true)
}

// sendOrLive sends a report. While another one is being made, which takes its time on a busy machine, it says
// that the worker is there: not to be lost for that. That goes on for no longer than [link.BusyFor]. So much time has
// passed since the last call.
func (p *peers) sendOrLive(passed time.Duration) {
	if p.sending.TryLock() {
		defer p.sending.Unlock()
		p.reporting = 0
		p.sendReport(false, func(*link.Report) {})
		return
	}
	if p.reporting += passed; p.reporting > link.BusyFor {
		return
	}
	if err := p.link.Alive(); err != nil {
		p.lost(fmt.Errorf("%w: %w", errCoordinatorLost, err))
	}
}

// send sends a report.
func (p *peers) send(parts bool) {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sendReport(parts, func(*link.Report) {})
}

// sendReport sends a report, to which more is added. p.sending is held.
func (p *peers) sendReport(parts bool, add func(*link.Report)) {
	report := p.report()
	if parts {
		report.Parts = p.run.Aggregator.TakeParts()
		if p.now != nil {
			report.Tally = p.run.tally(p.steady, *p.now)
		}
	}
	add(&report)
	p.sequence++
	report.Sequence = p.sequence
	if err := p.link.Send(report); err != nil {
		p.lost(fmt.Errorf("%w: %w", errCoordinatorLost, err))
	}
}

// report makes a report of what there is to tell.
func (p *peers) report() (report link.Report) {
	r := p.run
	ahead, bound, err := p.link.Clock()
	p.bound.Store(int64(bound))
	r.Clock.PutForward(ahead)
	r.Book.ClockBound(bound)
	report.Ahead, report.Bound = ahead, bound
	if err != nil {
		report.ClockTrouble = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	report.Offers, p.offers = p.offers, map[string][]byte{}
	report.Sources, p.opened = p.opened, nil
	var own []*ledger.Source
	for _, s := range p.sources {
		if s.own {
			own = append(own, s.source)
		}
	}
	// First the horizon, and then what lies before it.
	report.Horizon = ledger.Horizon(own, r.Clock.Now())
	report.Processed = r.cast.Rooms.Processed()
	report.Dropped = r.dropped.Load() // of what has been processed it is known
	for id, s := range p.sources {
		if s.own {
			if told, news := s.source.Tell(); news {
				report.Told = append(report.Told, link.ToldSource{SourceID: id, Worker: r.cast.Share.Number, Bound: bound, Told: told})
			}
			continue
		}
		if at := s.source.FirstHeard(); at > 0 && !s.heard {
			s.heard = true
			report.Heard = append(report.Heard, link.HeardSource{SourceID: id, At: at, Bound: bound})
		}
		if since, bins := s.source.Silenced(); len(bins) != s.silenced {
			s.silenced = len(bins)
			report.Silenced = append(report.Silenced, link.SilencedSource{SourceID: id, Since: since, Bins: bins})
		}
	}
	return report
}

// finish sends the last report of a run that has been played.
func (p *peers) finish(final *tally.Final, now usage.Sample) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sendReport(true, func(report *link.Report) {
		report.Tally = p.run.tally(p.steady, now)
		report.Tally.Final = final
	})
	return nil
}
