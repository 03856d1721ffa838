package usage

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
)

func TestCompetedIsWhatAServerWaitedForOthers(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		sentence    string
		busy, idle  time.Duration // of two cores, in 100 ms
		ran, waited time.Duration // by the server's two threads each
		competed    time.Duration
		crowded     bool
	}{
		{"cores are free now and then, and half of what runs is the server's", 100 * ms, 100 * ms, 25 * ms, 10 * ms, 20 * ms, false},
		{"none is free, and half of what runs is the server's", 190 * ms, 10 * ms, 45 * ms, 30 * ms, 60 * ms, true},
		{"it can't have waited for others for longer than they ran", 190 * ms, 10 * ms, 75 * ms, 100 * ms, 40 * ms, true},
		{"others run, and it does not wait for them", 190 * ms, 10 * ms, 10 * ms, 0, 0, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			before := coreSample{threads: map[int]process.ThreadTimes{1: {Ran: time.Hour}, 2: {Waited: time.Minute}, 3: {Ran: time.Hour}}}
			after := coreSample{
				machine: host.CPUTimes{Busy: c.busy, Idle: c.idle},
				threads: map[int]process.ThreadTimes{
					1: {Ran: time.Hour + c.ran, Waited: c.waited}, 2: {Ran: c.ran, Waited: time.Minute + c.waited},
					4: {Ran: time.Hour, Waited: time.Hour}, // of which nothing was known
				},
			}
			competed, _, crowded := competed(before, after)
			assert.Equal(t, c.competed, competed)
			assert.Equal(t, c.crowded, crowded)
		})
	}
}

// A server that takes all cores is behind by its own work. The kernel counts the machine's time in 10 ms: in
// one sample others seem to run that do not.
func TestCompetitionOfAServerThatComputes(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		sentence string
		others   func(sample int) time.Duration // in 100 ms of two cores
		competes bool
	}{
		{"nobody else runs", func(int) time.Duration { return 0 }, false},
		{"others run for a little", func(int) time.Duration { return 15 * ms }, false},
		{"they seem to run more, and then less", func(n int) time.Duration { return time.Duration((n+1)%2) * 30 * ms }, false},
		{"they run for more", func(int) time.Duration { return 25 * ms }, true},
		{"they take the cores for a moment", func(n int) time.Duration { return time.Duration(n/11) * 120 * ms }, true},
		{"what seems to be others is threads that have just begun", nil, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			watch := Competition{aggregator: record.NewAggregator()}
			now, did := coreSample{}, process.ThreadTimes{}
			for n := range 12 {
				now.at += competeEvery
				now.machine.Busy += 200 * ms
				others := 60 * ms
				if c.others != nil {
					others = c.others(n)
				}
				did.Ran, did.Waited = did.Ran+200*ms-others, did.Waited+50*ms
				now.threads = map[int]process.ThreadTimes{1: did}
				if c.others == nil {
					now.threads[2+n] = process.ThreadTimes{Ran: others}
				}
				watch.look(now.threads)
				watch.enter(now)
			}
			assert.Equal(t, c.competes, watch.aggregator.Doubted().Competed > 0)
		})
	}
}

func TestCompetitionEndsWhenACoreIsFree(t *testing.T) {
	const ms = time.Millisecond
	c := Competition{aggregator: record.NewAggregator()}
	now := coreSample{threads: map[int]process.ThreadTimes{1: {}}}
	c.look(now.threads)
	c.enter(now)
	for _, step := range []struct {
		sentence     string
		idle, waited time.Duration
		behind       time.Duration
	}{
		{"it waits", 10 * ms, 40 * ms, 40 * ms},
		{"and waits on: it has not caught up", 10 * ms, 30 * ms, 70 * ms},
		{"it does not wait, but no core was free", 10 * ms, 0, 70 * ms},
		{"cores are free now and then", 100 * ms, 10 * ms, 0},
		{"it waits again", 10 * ms, 5 * ms, 5 * ms},
		{"several of its threads do", 10 * ms, 190 * ms, 195 * ms},
		{"and go on", 10 * ms, 190 * ms, 385 * ms},
		{"no packet waits for longer than no core has been free", 10 * ms, 190 * ms, 500 * ms},
	} {
		now.at += competeEvery
		now.machine.Idle += step.idle
		now.machine.Busy += 200*ms - step.idle
		now.threads = map[int]process.ThreadTimes{1: {Waited: now.threads[1].Waited + step.waited}}
		c.look(now.threads)
		c.enter(now)
		assert.Equal(t, step.behind, c.behind, step.sentence)
	}
	assert.Equal(t, 655*ms, c.aggregator.Doubted().Competed)
}

// A server that waits in each frame is behind by no more than it waits around one, as long as a core is free
// now and then.
func TestCompetitionAroundAFrame(t *testing.T) {
	const ms = time.Millisecond
	c := Competition{}
	waited := time.Duration(0)
	c.look(map[int]process.ThreadTimes{1: {}})
	for _, longer := range []time.Duration{2 * ms, 7 * ms, 4 * ms, 0, 9 * ms} {
		waited += longer
		c.look(map[int]process.ThreadTimes{1: {Waited: waited}})
	}
	assert.Equal(t, 11*ms, c.longest)
}

func TestCompetitionFollowsTheServersThreads(t *testing.T) {
	usage, err := process.UsageOf(os.Getpid())
	require.NoError(t, err)
	if usage.Waits == nil {
		t.Skip("this kernel does not tell for how long threads waited")
	}
	c := Competition{}
	c.Follow(nil)
	assert.Nil(t, c.threads.Load())
	c.Follow(&usage)
	require.NotEmpty(t, *c.threads.Load())
	times := process.ThreadTimesOf(append(*c.threads.Load(), 1<<30))
	assert.NotEmpty(t, times)
	assert.NotContains(t, times, 1<<30, "there is no such thread")
	var ran time.Duration
	for _, thread := range times {
		ran += thread.Ran
	}
	assert.Positive(t, ran)
}
