package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// A coordinator holds a run together that several workers play: it passes on what they tell
// each other, enters what they measured into one aggregator, and judges that. It is for one
// goroutine.
type coordinator struct {
	scoreboard.Scoreboard
	hub     link.Hub
	merger  *record.Merger
	workers []*workerState
	lag     *metric.Trend // of all workers

	news     link.News // the next one
	sequence uint64
	offers   map[string][][]byte // by the exchange, and the worker

	span          scoreboard.Span
	steadyAt      time.Duration // when the steady state begins; 0 is not known
	measured      time.Duration // when the measuring ends; 0 is not known
	sampling      *usage.Sampling
	before, after *usage.Sample // when they have come
	began         bool          // the first is on its way
	ends          endSamples
	last          *usage.Sample
	drops         uint64
	interrupted   bool
	stopping      string
	sent          time.Time // when it told the workers something at last
	paused        silentTime
	trouble       string // why it could not hold the run together
}

// A silentTime is for how long at most the coordinator had lately told the workers nothing, and
// until when.
type silentTime struct {
	lasted time.Duration
	until  time.Time
}

// recent is how long ago a silent time may be that workers were lost by: they leave first.
const recent = link.LostAfter + scoreboard.HurriedLeave

// A workerState is what the coordinator knows of a worker.
type workerState struct {
	scoreboard.Worker
	sequence  uint64
	horizon   timebase.Bin
	processed time.Duration
	dropped   uint64
	tally     *tally.Tally
	final     *tally.Final
	offered   map[string]bool
	measured  bool // has told all
	done      bool
	cut       bool // by the coordinator's own fault
	failed    string
}

func (w *workerState) gone() bool { return w.done || w.cut || w.Lost != "" }

// told reports whether the worker has told all that it measured.
func (w *workerState) told() bool { return w.measured && w.final != nil }

// allTold reports whether all workers that are left have told all that they measured. They see their people out then.
func allTold(workers []*workerState) bool {
	return !slices.ContainsFunc(workers, func(w *workerState) bool { return !w.gone() && !w.told() })
}

// takeClock takes what the worker tells of its clock while it is measuring: to score audio takes all cores, and to leave
// many messages.
func (w *workerState) takeClock(r link.Report, measuring bool) {
	if !measuring {
		return
	}
	w.ClockAhead, w.ClockBound = r.Ahead, max(w.ClockBound, r.Bound)
	w.ClockTrouble = cmp.Or(r.ClockTrouble, w.ClockTrouble)
}

// Run holds a run together that workers play, and returns what they measured
// together. It returns an error and no result if the scenario could not be played at all.
//
// When a worker is lost, the run ends early, and the result says so. When ctx is cancelled
// it does, too, marked as interrupted.
func Run(ctx context.Context, cfg scoreboard.Config, clock *timebase.Clock, hub link.Hub) (*scoreboard.Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &coordinator{
		Scoreboard: scoreboard.New(cfg, clock, problem.NewCounter()), hub: hub, lag: &metric.Trend{},
		offers: map[string][][]byte{},
	}
	c.sampling = usage.NewSampling(c.Sampler)
	var hosts []string
	for _, w := range hub.Workers() {
		c.workers = append(c.workers, &workerState{Worker: scoreboard.Worker{WorkerInfo: w}, offered: map[string]bool{}})
		hosts = append(hosts, w.Machine)
	}
	c.Aggregator.Follow(cfg.Scenario.Thresholds)
	c.merger = record.NewMerger(c.Aggregator, hosts)
	c.Self = func() (*metric.Trend, uint64) {
		return c.lag, tally.Total(c.tallies(), hosts).Lost
	}
	c.Mics = func() (all, open int) {
		for _, w := range c.workers {
			if w.tally != nil {
				all, open = all+w.tally.Mics, open+w.tally.Published
			}
		}
		return all, open
	}
	c.Seats = func() int { return cfg.Scenario.Rooms * cfg.Scenario.Listeners() }
	c.Arm(func() { c.stop("a threshold was crossed") })
	c.EnterPhase("opening")
	return c.play(ctx, hosts)
}

func (c *coordinator) tallies() (all []*tally.Tally) {
	for _, w := range c.workers {
		all = append(all, w.tally)
	}
	return all
}

func (c *coordinator) play(ctx context.Context, hosts []string) (*scoreboard.Result, error) {
	measuring := context.WithoutCancel(ctx)
	c.sampling.Take(measuring, usage.OfSecond)
	tick := time.NewTicker(link.ReportEvery)
	defer tick.Stop()
	cancelled := ctx.Done()
	second, shown := time.Now(), 0 // of the merged seconds
	for c.playing() {
		select {
		case <-cancelled:
			cancelled = nil
			c.interrupted = !allTold(c.workers)
			c.stop("interrupted")
		case d := <-c.hub.Reports():
			c.deliver(d)
		case t := <-c.sampling.Taken:
			c.enterSample(t)
		case <-tick.C:
			c.checkSelf()
			c.sampleAt(measuring)
			c.send()
			since := time.Since(second).Round(link.ReportEvery)
			if since >= time.Second {
				second = second.Add(since) // a tick that comes early or late moves no other
				c.sampling.Take(measuring, usage.OfSecond)
				c.CheckAborts()
			}
			if merged := c.merger.Closed(); since >= time.Second || merged > shown {
				shown = merged
				c.Report()
			}
		}
	}
	c.send()
	for _, t := range c.sampling.Wait() {
		c.enterSample(t)
	}
	if c.after == nil {
		c.after = new(c.Sampler.Sample(measuring))
	}
	if c.before == nil { // it ended before
		c.before = c.after
	}
	if err := c.couldNotRun(); err != nil {
		return nil, err
	}
	c.merger.Finish()
	return c.conclude(hosts), nil
}

// couldNotRun returns why the scenario was not played at all, if nothing was measured.
func (c *coordinator) couldNotRun() error {
	if c.span.Arrivals > 0 {
		return nil
	}
	for _, w := range c.workers {
		switch {
		case c.trouble != "":
			return fmt.Errorf("the coordinator could not keep up: %s", c.trouble)
		case w.failed != "":
			return fmt.Errorf("worker %s could not begin: %s", w.Name, w.failed)
		case w.Lost != "":
			return fmt.Errorf("worker %s was lost before anything was measured: %s", w.Name, w.Lost)
		}
	}
	return errors.New("the run ended before anything was measured")
}

// playing reports whether a worker still has something to tell.
func (c *coordinator) playing() bool {
	return slices.ContainsFunc(c.workers, func(w *workerState) bool { return !w.gone() })
}

// stop has the workers end the arrivals and the hold.
func (c *coordinator) stop(why string) {
	if c.stopping == "" {
		c.stopping = why
	}
}

// lose goes on without a worker: the others see their people out.
func (c *coordinator) lose(i int, why string) { c.loseAfter(i, why, link.LostAfter-link.ReportEvery) }

// loseAfter is lose of a worker who may have ended for a silent time of the coordinator's that
// lasted for so long at least.
func (c *coordinator) loseAfter(i int, why string, silent time.Duration) {
	w := c.workers[i]
	if w.gone() {
		return
	}
	if w.told() { // nothing is missing
		w.done = true
		c.Problems.Add("see people out", fmt.Errorf("worker %s: %s", w.Name, urltext.Scrub(why)))
		return
	}
	c.checkSelf()
	if p := c.silentTime(); c.trouble == "" && p.lasted >= silent && time.Since(p.until) < recent {
		c.trouble = fmt.Sprintf("it told the workers nothing for %v, and they end after %v", p.lasted.Round(100*time.Millisecond), link.LostAfter)
	}
	if c.trouble != "" {
		w.cut = true
	} else {
		w.Lost = urltext.Scrub(why)
	}
	c.merger.Lose(i)
	c.stop(fmt.Sprintf("worker %s was lost", w.Name))
	for key := range c.offers {
		c.answer(key)
	}
}

// checkSelf sees whether the coordinator keeps up with the workers. What it missed they are
// not to blame for.
func (c *coordinator) checkSelf() {
	if allTold(c.workers) {
		return
	}
	err := c.hub.Overrun()
	if err == nil {
		err = behind(c.workers, c.Clock.Now())
	}
	if err != nil && c.trouble == "" {
		c.trouble = err.Error()
		c.stop("the coordinator could not keep up")
	}
}

// maxBehind is how late the workers may learn what others sent, and still measure what came of it. A worker that
// tells it later is lost before.
const maxBehind = link.BusyFor + link.LostAfter + time.Second

// behind is an error if they learn it later: what they told waits here.
func behind(workers []*workerState, now time.Duration) error {
	for _, w := range workers {
		if late := now - w.horizon.Start(); w.horizon > 0 && !w.measured && !w.gone() && late > maxBehind {
			return fmt.Errorf("what worker %s sent is known only %v later", w.Name, late.Round(100*time.Millisecond))
		}
	}
	return nil
}

// silentTime is the longest recent one, which may last still.
func (c *coordinator) silentTime() silentTime {
	now := time.Now()
	if c.sent.IsZero() {
		return silentTime{}
	}
	if lasts := now.Sub(c.sent); lasts >= c.paused.lasted || now.Sub(c.paused.until) >= recent {
		return silentTime{lasts, now}
	}
	return c.paused
}

// deliver takes a worker's message.
func (c *coordinator) deliver(d link.Delivery) {
	if d.Worker < 0 || d.Worker >= len(c.workers) {
		return
	}
	w := c.workers[d.Worker]
	switch {
	case d.Lost != nil:
		c.lose(d.Worker, d.Lost.Error())
		return
	case w.gone(), d.Report.Sequence <= w.sequence:
		return // once more, or too late
	case d.Report.Sequence != w.sequence+1:
		c.lose(d.Worker, fmt.Sprintf("%d of its messages did not come", d.Report.Sequence-w.sequence-1))
		return
	}
	w.sequence = d.Report.Sequence
	if err := c.take(d.Worker, w, d.Report); err != nil {
		c.lose(d.Worker, fmt.Sprintf("what it told can't be: %v", err))
	}
}

func (c *coordinator) take(i int, w *workerState, r link.Report) error {
	w.horizon, w.processed, w.dropped = max(w.horizon, r.Horizon), max(w.processed, r.Processed), max(w.dropped, r.Dropped)
	w.takeClock(r, c.measured == 0 || c.Clock.Now() < c.measured)
	for _, o := range r.Sources {
		o.Worker = i
		c.news.Sources = append(c.news.Sources, o)
	}
	for _, t := range r.Told {
		t.Worker = i
		c.news.Told = append(c.news.Told, t)
	}
	c.news.Heard = append(c.news.Heard, r.Heard...)
	c.news.Silenced = append(c.news.Silenced, r.Silenced...)
	for _, p := range r.Parts {
		if err := c.merger.Add(i, p); err != nil {
			return err
		}
		w.measured = w.measured || p.Ended > 0
	}
	if t := r.Tally; t != nil {
		if t.Lag != nil {
			c.lag.Merge(t.Lag)
			t.Lag = nil
		}
		w.tally = t
		if t.Final != nil {
			w.final = t.Final
		}
	}
	for key, offer := range r.Offers {
		if c.offers[key] == nil {
			c.offers[key] = make([][]byte, len(c.workers))
		}
		if w.offered[key] {
			return fmt.Errorf("it offered %s twice", key)
		}
		w.offered[key] = true
		c.offers[key][i] = offer
		c.answer(key)
	}
	switch {
	case r.Failed != "" && !r.Done: // it sees its people out, and has nothing more to tell
		if r.Deaf { // by what the coordinator did not say, or by what did not get there
			c.loseAfter(i, fmt.Sprintf("it heard nothing of the coordinator for %v", link.LostAfter), link.LostAfter/2)
		} else {
			c.lose(i, r.Failed)
		}
		w.failed = r.Failed
	case r.Done:
		w.done, w.failed = true, r.Failed
		switch {
		case w.tally != nil:
			w.tally.Problems = r.Problems
		case len(r.Problems) > 0:
			w.tally = &tally.Tally{Problems: r.Problems}
		}
		if !w.measured || w.final == nil || r.Failed != "" { // it ended before its part did
			w.done = false
			why := r.Failed
			if why == "" {
				why = "it ended before its part did"
			}
			c.lose(i, why)
			w.failed = why
		}
	}
	return nil
}

// send sends the workers what there is to tell them.
func (c *coordinator) send() {
	c.news.Horizon, c.news.Processed = timebase.Never, timebase.Never.Start()
	for _, w := range c.workers {
		if !w.gone() {
			c.news.Horizon, c.news.Processed = min(c.news.Horizon, w.horizon), min(c.news.Processed, w.processed)
		}
	}
	c.news.Dropped = droppedBy(c.workers)
	c.news.Stop, c.news.Interrupted = c.stopping, c.interrupted
	c.paused = c.silentTime()
	c.sent = time.Now()
	c.sequence++
	c.news.Sequence = c.sequence
	if err := c.hub.Send(c.news); err != nil {
		c.Problems.Add("tell the workers", err)
	}
	c.news = link.News{}
}

// droppedBy is how many packets each worker's side has dropped; nil if none have.
func droppedBy(workers []*workerState) (by []uint64) {
	for i, w := range workers {
		if w.dropped > 0 && by == nil {
			by = make([]uint64, len(workers))
		}
		if by != nil {
			by[i] = w.dropped
		}
	}
	return by
}

// answer ends an exchange if all workers that are left have put in theirs.
func (c *coordinator) answer(key string) {
	offers := c.offers[key]
	for i, w := range c.workers {
		if w.Lost == "" && !w.cut && offers[i] == nil {
			return
		}
	}
	delete(c.offers, key)
	for _, w := range c.workers {
		delete(w.offered, key)
	}
	if c.news.Answers == nil {
		c.news.Answers = map[string][][]byte{}
	}
	c.news.Answers[key] = offers
	c.enter(key, offers)
	c.send()
}

// enter follows the phases that the workers agree on.
func (c *coordinator) enter(key string, offers [][]byte) {
	met, err := link.Latest(offers)
	if err != nil {
		return // the workers say so, too
	}
	switch key {
	case record.Arrivals:
		c.span.Arrivals = met.At
		c.BeginArrivals(met.At)
		c.EnterPhase(record.Arrivals)
	case "hold":
		c.span.Hold = met.At
		c.steadyAt = met.At + c.Scenario.WarmUp.Duration()
		if c.Scenario.WarmUp > 0 {
			c.EnterPhase(record.WarmUp)
		}
	case "stop":
		c.span.Stop = met.At
		if met.Agreed && c.Scenario.Departs() {
			c.EnterPhase(record.Departures)
		}
	case "settling":
		c.measured = met.At + scoreboard.SettleTime
		c.EnterPhase("settling")
	}
}
