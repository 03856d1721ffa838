package loadgen

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

// uplinks measures the run's mics: whether the server takes them and keeps them, and what it
// reports to have received. It is safe for concurrent use.
type uplinks struct {
	had time.Duration // how long a mic may take to open

	mu    sync.Mutex
	all   []*uplink
	ended time.Duration // when the measuring did; 0 until then
}

// An uplink is one mic, from when it was to open until the client closes it, or has the
// server end it.
type uplink struct {
	from time.Duration // when it was to open

	mu     sync.Mutex
	until  time.Duration // when it had opened, or failed to
	waited time.Duration // for a timer of the client's, at most
	err    error         // why it did not open
	open   bool
	closed *ending
}

// An ending is what is known of a mic at its end.
type ending struct {
	at        time.Duration
	lost      bool          // the server had ended it before
	lostAt    time.Duration // when
	reports   *feedback.UpstreamReports
	upstream  feedback.Upstream // of reports, when it is known what was in doubt
	rtt       time.Duration
	checks    uint64        // of which rtt is the mean
	ownJitter time.Duration // the generator's own, at most
}

// end ends the measuring at a moment. Mics that are lost later are not.
func (us *uplinks) end(at time.Duration) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.ended = at
}

func (us *uplinks) add(from time.Duration) *uplink {
	u := &uplink{from: from}
	us.mu.Lock()
	defer us.mu.Unlock()
	us.all = append(us.all, u)
	return u
}

func (u *uplink) opened(at, waited time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open, u.until, u.waited = true, at, waited
}

// failed enters that the mic did not open. What fails after it has opened is not the
// server's doing.
func (u *uplink) failed(at time.Duration, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.open {
		u.until, u.err = at, err
	}
}

// release enters the mic's end. Only the first call counts.
func (u *uplink) release(now time.Duration, m *client.Publisher, ownJitter time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed != nil {
		return
	}
	e := &ending{at: now, reports: m.EndUpstream(), ownJitter: ownJitter}
	e.lostAt, e.lost = m.Lost()
	e.rtt, e.checks = m.RTT()
	u.closed = e
}

// counts returns how many mics there are, and how many have opened.
func (us *uplinks) counts() (all, open int) {
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

// unreachable returns an error if no mic opened since the target did not answer any of them.
func (us *uplinks) unreachable() error {
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

// Mics counts the mics of a run.
type Mics struct {
	// Opened is how many were to open, Connected how many did, and Ended how many of those
	// the server ended.
	Opened, Connected, Ended int
	// Reported is on how many of those that connected the server sent receiver reports
	// to the end that can be true.
	Reported int
}

// An uplinkSum is the figures of the mics of one process or of several, as they go over the
// wire. Each rate and trend has a worst and a best case.
type uplinkSum struct {
	Mics      Mics
	Published [2]metric.Rate
	Trends    map[string]*[2]metric.Trend
	NACKs     uint64
	Open      bool // any
}

// sum sums up the process's mics. The generator's machine has dropped so many packets, each
// of which may have been one mic's.
func (us *uplinks) sum(stalls stallCounter, dropped uint64) uplinkSum {
	us.mu.Lock()
	defer us.mu.Unlock()
	f := newUplinkFigures()
	f.dropped = dropped
	f.Mics.Opened = len(us.all)
	for _, u := range us.all {
		u.mu.Lock()
		if us.ended > 0 && u.closed != nil && u.closed.lostAt > us.ended {
			u.closed.lost = false
		}
		if e := u.closed; e != nil && e.reports != nil {
			e.upstream = e.reports.Upstream()
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
	return f.uplinkSum
}

// add adds the mics of another process.
func (s *uplinkSum) add(o uplinkSum) {
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
	uplinkSum
	losses  record.SharedDrops // mic_loss at best
	dropped uint64             // packets, by the generator's machine
}

func newUplinkFigures() *uplinkFigures {
	f := &uplinkFigures{uplinkSum: uplinkSum{Trends: map[string]*[2]metric.Trend{}}}
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
func (f *uplinkFigures) enter(u *uplink, had time.Duration, stalls stallCounter) (open, lost, reported bool) {
	kept, excused := u.open, false
	f.Published[0].Total++
	f.Published[1].Total++
	if u.open {
		took := u.until - u.from
		f.record("publish_duration", ms(took), ms(took-u.waited-stalls.HeldBack(u.from, u.until)))
	} else {
		// It would have taken at least as long as it had.
		atBest := had
		if !driver.Refused(u.err) {
			atBest = stalls.AtBest(u.from, u.until, had)
		}
		excused = atBest != had
		f.record("publish_duration", ms(had), ms(atBest))
	}
	if e := u.closed; u.open && e != nil {
		f.Open = true
		if lost = e.lost; lost {
			kept = false
			silent := max(0, e.lostAt-client.PatienceOfMics)
			excused = stalls.AtBest(silent, e.lostAt, client.PatienceOfMics) != client.PatienceOfMics
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
func (f *uplinkFigures) enterEnding(e *ending, from time.Duration, stalls stallCounter) {
	f.NACKs += e.upstream.NACKs
	if e.checks > 0 {
		// A busy generator reads an answer late by no more than it did not run, and a server that waits for
		// cores by no more than it waits. Checks are seconds apart: rarely are there two at once.
		each := func(d time.Duration) time.Duration { return 2 * d / time.Duration(e.checks) }
		late := min(each(stalls.HeldBack(from, e.at)), stalls.Behind(from, e.at)+each(stalls.Stalled(from, e.at)))
		f.record("mic_rtt", ms(e.rtt), ms(e.rtt-late))
	}
	if s := e.upstream; s.Reported() {
		share := func(lost uint64) float64 { return 100 * float64(lost) / float64(s.Covered) }
		f.Trends["mic_loss"][0].Record(share(s.Lost))
		sure := s.Lost - min(s.Lost, s.Excused)
		f.losses.Enter(sure, func(dropped uint64) float64 { return share(sure - min(dropped, f.dropped)) })
		// A server that waits for a core reads its packets late, by no more than that, and then at once.
		waits := func(together time.Duration) time.Duration { return jitterOfWaits(together, e.at-from, s.Reports) }
		waited := min(waits(stalls.HeldBack(from, e.at)), stalls.Behind(from, e.at)+waits(stalls.Stalled(from, e.at)))
		f.record("mic_jitter", ms(s.Jitter), ms(s.Jitter-e.ownJitter-waited))
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
func (s *uplinkSum) publish(worst, best metric.Values) {
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

// A lateness is how late a mic's frames go out, of which the server sees jitter. Its jitter is
// that of RFC 3550, section 6.4.1, at its greatest.
type lateness struct {
	began         bool
	earliest      time.Duration // when the last frame may have left
	latest        time.Duration
	now, greatest time.Duration
}

// enter enters a frame that left between two moments after it was due.
func (l *lateness) enter(earliest, latest time.Duration) {
	if l.began {
		apart := max(latest-l.earliest, l.latest-earliest)
		l.now += (apart - l.now) / 16
		l.greatest = max(l.greatest, l.now)
	}
	l.began, l.earliest, l.latest = true, earliest, latest
}

func (l *lateness) jitter() time.Duration { return l.greatest }
