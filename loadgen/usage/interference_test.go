package usage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// A second of a machine with two cores is told by what its processes used, in ms.
type second struct {
	own, ownWait, server, others, idle float64
	serverWaits                        map[int]time.Duration // nil: unknown
	unmeasured, elsewhere              bool                  // the server
}

func (s second) samples() (a, b Sample) {
	took := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	a = Sample{Server: &process.Usage{}, machine: &host.CPUTimes{}}
	if s.serverWaits != nil {
		a.Server.Waits = map[int]time.Duration{}
		for thread := range s.serverWaits {
			a.Server.Waits[thread] = time.Second
		}
	}
	b = Sample{
		At: time.Second, Own: took(s.own), Wait: took(s.ownWait),
		Server:  &process.Usage{CPU: took(s.server), Waits: map[int]time.Duration{}},
		machine: &host.CPUTimes{Busy: took(s.own + s.server + s.others), Idle: took(s.idle)},
	}
	for thread, wait := range s.serverWaits {
		b.Server.Waits[thread] = time.Second + wait
	}
	if s.serverWaits == nil {
		b.Server.Waits = nil
	}
	if s.unmeasured {
		a.Server, b.Server = nil, nil
	}
	return a, b
}

func TestBacklogLastsUntilACoreIsFree(t *testing.T) {
	m := Machine{Cores: 2, Local: true}
	waited := map[int]time.Duration{1: 50 * time.Millisecond}
	backlog := time.Duration(0)
	for _, c := range []struct {
		sentence string
		second   second
		backlog  time.Duration
	}{
		{"others take the cores", second{own: 100, server: 100, others: 1790, idle: 10, serverWaits: waited}, 50 * time.Millisecond},
		{"and go on: what waits adds up", second{own: 100, server: 100, others: 1790, idle: 10, serverWaits: waited}, 100 * time.Millisecond},
		{"they are gone, and the server works off what has waited", second{own: 100, server: 1850, idle: 50, serverWaits: waited}, 100 * time.Millisecond},
		{"it is done", second{own: 100, server: 100, idle: 1800, serverWaits: waited}, 0},
		{"it is not known how long it waited", second{own: 100, server: 100, others: 1790, idle: 10}, record.Lateness},
		{"nor more", second{own: 100, server: 100, others: 1790, idle: 10, serverWaits: waited}, record.Lateness},
	} {
		a, b := c.second.samples()
		backlog = m.backlog(backlog, a, b)
		assert.Equal(t, c.backlog, backlog, c.sentence)
	}
}

func TestContentionExcusesTheServerForWhatOthersTookFromIt(t *testing.T) {
	waited := map[int]time.Duration{1: 30 * time.Millisecond, 2: 20 * time.Millisecond}
	for _, c := range []struct {
		sentence  string
		second    second
		contended bool
		deprived  time.Duration
	}{
		{"an idle machine", second{own: 100, server: 100, idle: 1800, serverWaits: waited}, false, 0},
		{"neighbours on a machine with cores left", second{own: 100, server: 100, others: 900, idle: 900, serverWaits: waited}, false, 0},
		{"neighbours who took the cores, and for whom the server waited", second{own: 100, server: 100, others: 1790, idle: 10, serverWaits: waited}, true, 50 * time.Millisecond},
		{"neighbours who took the cores, and for whom the server did not wait", second{own: 100, server: 100, others: 1790, idle: 10, serverWaits: map[int]time.Duration{1: 0}}, true, 0},
		{"neighbours, and a server whose waiting is not known", second{own: 100, server: 100, others: 1790, idle: 10}, true, record.Lateness},
		{"a generator that took the cores itself", second{own: 1850, server: 140, idle: 10, serverWaits: waited}, true, 50 * time.Millisecond},
		{"a generator and a server that took the cores together", second{own: 800, ownWait: 500, server: 1190, idle: 10, serverWaits: waited}, false, 0},
		{"a server that took the cores, so that the generator waited", second{own: 100, ownWait: 2500, server: 1890, idle: 10, serverWaits: waited}, true, 0},
		{"a server that took the cores, and a generator that could do with the rest", second{own: 100, ownWait: 500, server: 1890, idle: 10, serverWaits: waited}, false, 0},
		{"a generator that was throttled beside an idle server", second{own: 100, ownWait: 2500, server: 20, idle: 1880, serverWaits: waited}, true, 0},
		{"a generator that waited, and a server that can't be measured", second{own: 100, ownWait: 2500, others: 1890, idle: 10, unmeasured: true}, true, record.Lateness},
		{"a server that can't be measured, or its neighbours, took the cores", second{own: 100, others: 1890, idle: 10, unmeasured: true}, true, record.Lateness},
		{"a server that can't be measured on a machine with cores left", second{own: 100, others: 900, idle: 1000, unmeasured: true}, false, 0},
		{"a server that can't be measured on another machine", second{own: 100, others: 1890, idle: 10, unmeasured: true, elsewhere: true}, false, 0},
		{"a server on another machine", second{own: 1850, ownWait: 2500, others: 140, idle: 10, elsewhere: true}, false, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			m := Machine{Cores: 2, Local: !c.second.elsewhere}
			a, b := c.second.samples()
			assert.Equal(t, c.contended, m.contended(a, b))
			assert.Equal(t, c.deprived, m.deprived(a, b))
		})
	}
}

func TestSharedQuotaExcusesTheServerForWhatTheGeneratorUsed(t *testing.T) {
	const own, took = 60 * time.Millisecond, 400 * time.Millisecond
	for _, c := range []struct {
		sentence      string
		before, after bool // they share a group
		own           time.Duration
		moved         bool
		deprived      time.Duration
	}{
		{"both used the quota up", true, true, own, false, took},
		{"the server used nearly all of it", true, true, 4 * time.Millisecond, false, 0},
		{"the server is in another group", false, false, own, false, 0},
		{"they were moved together from one group to another, and what either did is not known", true, true, own, true, time.Second},
		{"they were moved into a group", false, true, own, true, time.Second},
		{"they were moved out of it", true, false, own, true, time.Second},
		{"the server alone was moved out of it", true, false, own, false, time.Second},
		{"the server alone was moved into it", false, true, own, false, time.Second},
		{"they were moved out of it, and the server had used nearly all of it", true, false, 4 * time.Millisecond, true, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			m := Machine{Cores: 2, Local: true}
			a, b := second{own: 60, server: 60, idle: 1880, serverWaits: map[int]time.Duration{1: 0}}.samples()
			b.Own = c.own
			a.shared, b.shared = c.before, c.after
			a.Group = process.ControlGroup{Path: "a", Throttled: time.Second, Quota: 0.1}
			b.Group = process.ControlGroup{Path: "a", Throttled: time.Second + took, Quota: 0.1}
			if c.moved {
				b.Group.Path = "b"
			}
			assert.Equal(t, c.deprived, m.deprived(a, b))
		})
	}
}

func TestThrottledIsAllTheTimeWhereItIsNotKnown(t *testing.T) {
	const took = 400 * time.Millisecond
	quota := process.ControlGroup{Path: "/a", Throttled: time.Second, Quota: 0.1}
	later := process.ControlGroup{Path: "/a", Throttled: time.Second + took, Quota: 0.1}
	for _, c := range []struct {
		sentence      string
		before, after process.ControlGroup
		took          time.Duration
	}{
		{"the generator stays in its group", quota, later, took},
		{"it is moved out of it", quota, process.ControlGroup{Path: "/"}, time.Second},
		{"it is moved into it", process.ControlGroup{Path: "/"}, quota, time.Second},
		{"it is moved between groups without a quota", process.ControlGroup{Path: "/"}, process.ControlGroup{Path: "/b", Throttled: 5}, 0},
	} {
		assert.Equal(t, c.took, throttled(Sample{Group: c.before}, Sample{At: time.Second, Group: c.after}), c.sentence)
	}
}

func TestStarvedIsWhatTheGeneratorWaitedAndNotForTheServer(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	for _, c := range []struct {
		sentence string
		second   second
		quota    float64
		starved  time.Duration
	}{
		{"its threads did not wait", second{own: 100, server: 100, idle: 1800}, 0, 0},
		{"they waited on a machine with idle cores", second{own: 100, ownWait: 600, others: 900, idle: 1000}, 0, ms(600)},
		{"they waited for others, and for the server", second{own: 100, ownWait: 600, server: 500, others: 1400}, 0, ms(450)},
		{"they waited for the server", second{ownWait: 600, server: 2000}, 0, 0},
		{"the server's use is not known", second{own: 100, ownWait: 600, others: 1900, unmeasured: true}, 0, ms(600)},
		{"the server is elsewhere", second{own: 100, ownWait: 600, server: 1900, elsewhere: true}, 0, ms(600)},
		{"a quota was used up", second{own: 95, idle: 1900}, 0.1, time.Second},
		{"a quota was not used up", second{own: 60, idle: 1900}, 0.1, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			m := Machine{Cores: 2, Local: !c.second.elsewhere}
			a, b := c.second.samples()
			b.Group.Quota = c.quota
			assert.Equal(t, c.starved, m.starved(a, b))
		})
	}
}

func TestStolenTimeIsOfAllCores(t *testing.T) {
	a, b := Sample{machine: &host.CPUTimes{Idle: time.Second, Steal: time.Second}}, Sample{machine: &host.CPUTimes{Idle: 2500 * time.Millisecond, Busy: 440 * time.Millisecond, Steal: 1060 * time.Millisecond}}
	took, idle := stolen(a, b)
	assert.Equal(t, 60*time.Millisecond, took)
	assert.InDelta(t, 0.75, idle, 1e-9)
	for _, unknown := range [][2]Sample{{a, {}}, {{}, b}, {a, a}} {
		took, _ := stolen(unknown[0], unknown[1])
		assert.Zero(t, took)
	}
}

// Who can't be measured may have waited for the quota that it shares, or may share.
func TestSharedQuotaOfAServerThatCannotBeMeasured(t *testing.T) {
	const took = 400 * time.Millisecond
	for _, c := range []struct {
		sentence string
		change   func(a, b *Sample)
		excused  time.Duration
	}{
		{"it can be measured, and used nearly all", func(*Sample, *Sample) {}, 0},
		{"it can't be measured any more", func(_, b *Sample) { b.Server = nil }, took},
		{"it could not be measured before", func(a, _ *Sample) { a.Server = nil }, took},
		{"it never can", func(a, b *Sample) { a.Server, b.Server = nil, nil }, took},
		{"its process has begun anew, so that what it used is not known", func(_, b *Sample) { b.Server.CPU = time.Millisecond }, took},
		{"its process has ended", func(_, b *Sample) { b.Server, b.Ended = nil, true }, 0},
		{"it does not share the quota", func(a, b *Sample) { a.Server, b.Server, a.shared, b.shared = nil, nil, false, false }, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := Sample{Server: &process.Usage{CPU: time.Second}, shared: true, Group: process.ControlGroup{Path: "a", Quota: 0.1}}
			b := Sample{
				At: time.Second, Own: time.Millisecond, Server: &process.Usage{CPU: 1100 * time.Millisecond}, shared: true,
				Group: process.ControlGroup{Path: "a", Quota: 0.1, Throttled: took},
			}
			c.change(&a, &b)
			assert.Equal(t, c.excused, throttledServer(a, b))
		})
	}
}

// grouped is a meter of a server that is in some control groups.
type grouped struct {
	meter.Meter
	groups []process.ControlGroup
}

// ControlGroups implements meter.Grouped.
func (g grouped) ControlGroups() []process.ControlGroup { return g.groups }

func TestQuotaMayBeSharedUnlessItIsKnownThatItIsNot(t *testing.T) {
	limited := process.ControlGroup{Path: "/a", Quota: 0.5}
	for _, c := range []struct {
		sentence string
		server   meter.Meter
		local    bool
		own      process.ControlGroup
		may      bool
	}{
		{"there is no quota", nil, true, process.ControlGroup{Path: "/a"}, false},
		{"nobody says where the server is, on this machine", nil, true, limited, true},
		{"nor does its page of metrics", meter.Metrics{}, true, limited, true},
		{"it is on another machine", meter.Metrics{}, false, limited, false},
		{"it is in another group", grouped{groups: []process.ControlGroup{{Path: "/b", Quota: 1}}}, true, limited, false},
		{"it consists of several, and where one is can't be read", grouped{groups: []process.ControlGroup{{Path: "/b"}, {}}}, true, limited, true},
	} {
		assert.Equal(t, c.may, (&Sampler{server: c.server, Local: c.local}).mayShare(c.own), c.sentence)
	}
	assert.Implements(t, (*meter.Grouped)(nil), meter.Process{})
	assert.Implements(t, (*meter.Grouped)(nil), &meter.Processes{})
}

// A generator without a free descriptor reads nothing for a while. That is not that nothing happened,
// nor that all of it happened when it reads again.
func TestWhatCannotBeReadForOnceIsAsItWas(t *testing.T) {
	const s = time.Second
	group := func(throttled time.Duration) process.ControlGroup {
		return process.ControlGroup{Path: "/a", Quota: 0.5, Throttled: throttled}
	}
	r := &readings{}
	var last Sample
	for _, c := range []struct {
		sentence  string
		group     process.ControlGroup
		wait      time.Duration
		waitKnown bool
		kin       map[int]time.Duration
		waited    time.Duration // since the last
		ofKin     time.Duration
		throttled time.Duration
	}{
		{"all is read", group(3 * s), 5 * s, true, map[int]time.Duration{1: 7 * s, 2: 8 * s}, 5 * s, 15 * s, 0},
		{"nothing can be", process.ControlGroup{Unread: true}, 0, false, nil, 0, 0, s},
		{"nor a second later", process.ControlGroup{Path: "/a", Unread: true}, 0, false, nil, 0, 0, s},
		{"all is read again, and one has ended", group(3*s + 100*time.Millisecond), 6 * s, true, map[int]time.Duration{1: 9 * s}, s, 2 * s, 100 * time.Millisecond},
	} {
		next := Sample{At: last.At + s, Group: c.group, Wait: c.wait}
		r.enter(&next, c.waitKnown, c.kin)
		assert.Equal(t, c.waited, next.Wait-last.Wait, c.sentence)
		assert.Equal(t, c.ofKin, next.kin-last.kin, c.sentence)
		if last.At > 0 {
			assert.Equal(t, c.throttled, throttled(last, next), c.sentence)
		}
		last = next
	}
}
