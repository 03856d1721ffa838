package tally

import (
	"errors"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// Uplinks measures the run's mics: whether the server takes them and keeps them, and what it
// reports to have received. It is safe for concurrent use.
type Uplinks struct {
	had time.Duration // how long a mic may take to open

	mu    sync.Mutex
	all   []*Uplink
	ended time.Duration // when the measuring did; 0 until then
}

// An Uplink is one mic, from when it was to open until the client closes it, or has the
// server end it.
type Uplink struct {
	from time.Duration // when it was to open

	mu     sync.Mutex
	until  time.Duration // when it had opened, or failed to
	waited time.Duration // for a timer of the client's, at most
	err    error         // why it did not open
	open   bool
	closed *Ending
}

// An Ending is what is known of a mic at its end.
type Ending struct {
	At     time.Duration
	Lost   bool          // the server had ended it before
	LostAt time.Duration // when
	// Reports are asked at the end of the run what the server has reported.
	Reports   interface{ Upstream() feedback.Upstream }
	RTT       time.Duration
	Checks    uint64        // of which RTT is the mean
	OwnJitter time.Duration // the generator's own, at most

	upstream feedback.Upstream // of Reports, when it is known what was in doubt
}

// NewUplinks returns the mics of a run, each of which may take so long to open.
func NewUplinks(had time.Duration) *Uplinks { return &Uplinks{had: had} }

// End ends the measuring at a moment. Mics that are lost later are not.
func (us *Uplinks) End(at time.Duration) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.ended = at
}

// Add adds a mic that is to open from a moment on.
func (us *Uplinks) Add(from time.Duration) *Uplink {
	u := &Uplink{from: from}
	us.mu.Lock()
	defer us.mu.Unlock()
	us.all = append(us.all, u)
	return u
}

// Opened enters that the mic is open. It waited so long at most for a timer of the client's.
func (u *Uplink) Opened(at, waited time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open, u.until, u.waited = true, at, waited
}

// Failed enters that the mic did not open. What fails after it has opened is not the
// server's doing.
func (u *Uplink) Failed(at time.Duration, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.open {
		u.until, u.err = at, err
	}
}

// Release enters the mic's end. Only the first call counts, and calls end.
func (u *Uplink) Release(end func() Ending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed != nil {
		return
	}
	u.closed = new(end())
}

// Counts returns how many mics there are, and how many have opened.
func (us *Uplinks) Counts() (all, open int) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.all {
		u.mu.Lock()
		if u.open {
			open++
		}
		u.mu.Unlock()
	}
	return len(us.all), open
}

// Unreachable returns an error if no mic opened since the target did not answer any of them.
func (us *Uplinks) Unreachable() error {
	us.mu.Lock()
	defer us.mu.Unlock()
	var last error
	for _, u := range us.all {
		u.mu.Lock()
		open, err := u.open, u.err
		u.mu.Unlock()
		if open || !errors.Is(err, driver.ErrUnreachable) {
			return nil
		}
		last = err
	}
	return last
}

// Refused reports whether there were mics to open by now, and the server refused all of them.
func (us *Uplinks) Refused() bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.all {
		u.mu.Lock()
		refused := !u.open && driver.Refused(u.err)
		u.mu.Unlock()
		if !refused {
			return false
		}
	}
	return len(us.all) > 0
}

// Mics counts the mics of a run.
type Mics struct {
	// Opened is how many were to open, Connected how many did, and Ended how many of those
	// the server ended.
	Opened, Connected, Ended int
	// Reported is on how many of those that connected the server sent receiver reports
	// to the end that can be true.
	Reported int
}

// An UplinkSum is the figures of the mics of one process or of several, as they go over the
// wire. Each rate and trend has a worst and a best case.
type UplinkSum struct {
	Mics      Mics
	Published [2]metric.Rate
	Trends    map[string]*[2]metric.Trend
	NACKs     uint64
	Open      bool // any
}

// Sum sums up the process's mics. The generator's machine has dropped so many packets, each
// of which may have been one mic's.
func (us *Uplinks) Sum(stalls StallCounter, dropped uint64) UplinkSum {
	us.mu.Lock()
	defer us.mu.Unlock()
	f := newUplinkFigures()
	f.dropped = dropped
	f.Mics.Opened = len(us.all)
	for _, u := range us.all {
		u.mu.Lock()
		if us.ended > 0 && u.closed != nil && u.closed.LostAt > us.ended {
			u.closed.Lost = false
		}
		if e := u.closed; e != nil && e.Reports != nil {
			e.upstream = e.Reports.Upstream()
		}
		open, lost, reported := f.enter(u, us.had, stalls)
		u.mu.Unlock()
		for into, is := range map[*int]bool{&f.Mics.Connected: open, &f.Mics.Ended: lost, &f.Mics.Reported: reported} {
			if is {
				*into++
			}
		}
	}
	f.Trends["mic_loss"][1] = *f.losses.Best(dropped, false)
	return f.UplinkSum
}

// add adds the mics of another process.
func (s *UplinkSum) add(o UplinkSum) {
	s.Mics.Opened, s.Mics.Connected = s.Mics.Opened+o.Mics.Opened, s.Mics.Connected+o.Mics.Connected
	s.Mics.Ended, s.Mics.Reported = s.Mics.Ended+o.Mics.Ended, s.Mics.Reported+o.Mics.Reported
	for i := range s.Published {
		s.Published[i] = s.Published[i].Plus(o.Published[i])
	}
	s.NACKs, s.Open = s.NACKs+o.NACKs, s.Open || o.Open
	if s.Trends == nil {
		s.Trends = map[string]*[2]metric.Trend{}
	}
	for name, t := range o.Trends {
		if s.Trends[name] == nil {
			s.Trends[name] = &[2]metric.Trend{}
		}
		for i := range t {
			s.Trends[name][i].Merge(&t[i])
		}
	}
}

// uplinkFigures enters mics into their sum.
type uplinkFigures struct {
	UplinkSum
	losses  record.SharedDrops // mic_loss at best
	dropped uint64             // packets, by the generator's machine
}

func newUplinkFigures() *uplinkFigures {
	f := &uplinkFigures{UplinkSum: UplinkSum{Trends: map[string]*[2]metric.Trend{}}}
	for _, name := range []string{"publish_duration", "mic_rtt", "mic_loss", "mic_jitter"} {
		f.Trends[name] = &[2]metric.Trend{}
	}
	return f
}

func (f *uplinkFigures) record(name string, worst, best float64) {
	f.Trends[name][0].Record(worst)
	f.Trends[name][1].Record(max(0, best))
}

// enter enters a mic that may take so long to open.
func (f *uplinkFigures) enter(u *Uplink, had time.Duration, stalls StallCounter) (open, lost, reported bool) {
	kept, excused := u.open, false
	f.Published[0].Total++
	f.Published[1].Total++
	if u.open {
		took := u.until - u.from
		f.record("publish_duration", metric.InMilliseconds(took), metric.InMilliseconds(took-u.waited-stalls.HeldBack(u.from, u.until)))
	} else {
		// It would have taken at least as long as it had.
		atBest := had
		if !driver.Refused(u.err) {
			atBest = stalls.AtBest(u.from, u.until, had)
		}
		excused = atBest != had
		f.record("publish_duration", metric.InMilliseconds(had), metric.InMilliseconds(atBest))
	}
	if e := u.closed; u.open && e != nil {
		f.Open = true
		if lost = e.Lost; lost {
			kept = false
			silent := max(0, e.LostAt-client.PatienceOfMics)
			excused = stalls.AtBest(silent, e.LostAt, client.PatienceOfMics) != client.PatienceOfMics
		}
		reported = e.upstream.Reported()
		f.enterEnding(e, u.from, stalls)
	}
	if kept {
		f.Published[0].Passes++
	}
	if kept || excused {
		f.Published[1].Passes++
	}
	return u.open, lost, reported
}

// enterEnding enters the figures of a mic that began to open at a time.
func (f *uplinkFigures) enterEnding(e *Ending, from time.Duration, stalls StallCounter) {
	f.NACKs += e.upstream.NACKs
	if e.Checks > 0 {
		// A busy generator reads an answer late by no more than it did not run, and a server that waits for
		// cores by no more than it waits. Checks are seconds apart: rarely are there two at once.
		each := func(d time.Duration) time.Duration { return 2 * d / time.Duration(e.Checks) }
		late := min(each(stalls.HeldBack(from, e.At)), stalls.Behind(from, e.At)+each(stalls.Stalled(from, e.At)))
		f.record("mic_rtt", metric.InMilliseconds(e.RTT), metric.InMilliseconds(e.RTT-late))
	}
	if s := e.upstream; s.Reported() {
		share := func(lost uint64) float64 { return 100 * float64(lost) / float64(s.Covered) }
		f.Trends["mic_loss"][0].Record(share(s.Lost))
		sure := s.Lost - min(s.Lost, s.Excused)
		f.losses.Enter(sure, func(dropped uint64) float64 { return share(sure - min(dropped, f.dropped)) })
		// A server that waits for a core reads its packets late, by no more than that, and then at once.
		waits := func(together time.Duration) time.Duration { return jitterOfWaits(together, e.At-from, s.Reports) }
		waited := min(waits(stalls.HeldBack(from, e.At)), stalls.Behind(from, e.At)+waits(stalls.Stalled(from, e.At)))
		f.record("mic_jitter", metric.InMilliseconds(s.Jitter), metric.InMilliseconds(s.Jitter-e.OwnJitter-waited))
	}
}

// jitterOfWaits is by how much waits that lasted so long together make the jitter greater that a server reports on
// average, so many times in some time. By RFC 3550, section 6.4.1, a packet that waited for d adds d/16, and those
// that waited behind it, 20 ms apart, as much again. After a second hardly anything of that is left.
func jitterOfWaits(together, during time.Duration, reports uint64) time.Duration {
	most := together / 8
	if reports > 2 && during/time.Duration(reports) >= time.Second/2 {
		most = 2 * most / time.Duration(reports) // none has more than two reports within reach
	}
	return most
}

// publish sets the metrics that have values.
func (s *UplinkSum) publish(worst, best metric.Values) {
	if s.Mics.Opened == 0 {
		return
	}
	worst.Set("published", s.Published[0])
	if s.Published[0] != s.Published[1] {
		best.Set("published", s.Published[1])
	}
	for name, t := range s.Trends {
		if t[0].Count() == 0 {
			continue
		}
		setBounds(name, &t[0], &t[1], worst, best)
	}
	if s.Open {
		worst.Set("mic_nacks", metric.Counter(s.NACKs))
	}
}

// A Lateness is how late a mic's frames go out, of which the server sees jitter. Its jitter is
// that of RFC 3550, section 6.4.1, at its greatest.
type Lateness struct {
	began         bool
	earliest      time.Duration // when the last frame may have left
	latest        time.Duration
	now, greatest time.Duration
}

// Enter enters a frame that left between two moments after it was due.
func (l *Lateness) Enter(earliest, latest time.Duration) {
	if l.began {
		apart := max(latest-l.earliest, l.latest-earliest)
		l.now += (apart - l.now) / 16
		l.greatest = max(l.greatest, l.now)
	}
	l.began, l.earliest, l.latest = true, earliest, latest
}

// Jitter returns it.
func (l *Lateness) Jitter() time.Duration { return l.greatest }
