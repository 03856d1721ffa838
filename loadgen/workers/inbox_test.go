package workers

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/coordinator"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// waiting are the arrivals that wait in an inbox.
func waiting(b *inbox) (all []arrival) {
	for {
		select {
		case a := <-b.queue:
			all = append(all, a)
		default:
			return all
		}
	}
}

func TestInboxKnowsWhoIsSilent(t *testing.T) {
	const often = int(link.LostAfter/link.ReportEvery) + 1
	for _, c := range []struct {
		sentence string
		looks    int
		passed   time.Duration
		speaks   func(look int) bool
		lost     bool
	}{
		{"a worker that never speaks is lost", often, link.ReportEvery, func(int) bool { return false }, true},
		{"it is lost once", 5 * often, link.ReportEvery, func(int) bool { return false }, true},
		{"one that speaks is not", 5 * often, link.ReportEvery, func(int) bool { return true }, false},
		{"one that speaks now and then is not", 5 * often, link.ReportEvery, func(i int) bool { return i%(often-1) == 0 }, false},
		{"one that stops is", 3 * often, link.ReportEvery, func(i int) bool { return i < often }, true},
		{"while this process stands still nobody can be heard", 3, time.Hour, func(int) bool { return false }, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			now := time.Duration(0)
			b, s := newInbox(2, func() time.Duration { now++; return now }), make([]silence, 2)
			said := 0
			for i := range c.looks {
				b.arrived(0, []byte("of the other"))
				if c.speaks(i) {
					b.arrived(1, []byte("word"))
					said++
				}
				b.look(s, c.passed)
			}
			var lost []arrival
			for _, a := range waiting(b) {
				switch {
				case a.lost != nil:
					lost = append(lost, a)
					assert.Zero(t, said, "it is lost behind its last message")
				case a.worker == 1:
					said--
				}
			}
			if !c.lost {
				assert.Empty(t, lost)
				return
			}
			require.Len(t, lost, 1)
			assert.Equal(t, 1, lost[0].worker)
			assert.ErrorContains(t, lost[0].lost, "said nothing")
		})
	}
}

// A message without anything in it is a sign of life.
func TestWorkerThatSaysNothingNewIsNotSilent(t *testing.T) {
	c := coordinate(t, 1)
	m, err := Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Minute})
	require.NoError(t, err)
	defer m.Close()
	before := c.inbox.heard[0].Load()
	require.NoError(t, m.Alive())
	require.Eventually(t, func() bool { return c.inbox.heard[0].Load() > before }, time.Minute, time.Millisecond)
}

func TestInboxThatIsFullSaysSo(t *testing.T) {
	for sentence, fill := range map[string]func(b *inbox){
		"of messages": func(b *inbox) {
			for range maxQueued + 1 {
				b.arrived(0, []byte("short"))
			}
		},
		"of bytes": func(b *inbox) {
			long := make([]byte, maxMessage)
			for range maxQueuedBytes/maxMessage + 1 {
				b.arrived(0, long)
			}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			b := newInbox(1, func() time.Duration { return 1 })
			b.arrived(0, []byte("first"))
			require.NoError(t, b.overrunError())
			fill(b)
			require.Error(t, b.overrunError())
			for _, a := range waiting(b) {
				assert.NoError(t, a.lost, "it is not the worker's fault")
			}
		})
	}
}

// joined are workers that have joined a run on this machine, and their coordinator.
func joined(t *testing.T, names ...string) (*Coordinator, []*Membership) {
	t.Helper()
	c := coordinate(t, len(names))
	all := make([]*Membership, len(names))
	for i, name := range names {
		var err error
		all[i], err = Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Minute, Name: name})
		require.NoError(t, err)
		t.Cleanup(all[i].Close)
	}
	return c, all
}

// startTogether has the workers begin. It returns what coordinates them, and when the run's
// clock showed 0.
func startTogether(t *testing.T, c *Coordinator, all []*Membership, change ...func(*loadgen.Config)) (coordinate func(func(loadgen.Progress)) (*loadgen.Result, error), zero time.Time) {
	t.Helper()
	zeros := make(chan time.Time, len(all))
	for _, m := range all {
		go func() {
			part, err := m.begin(t.Context())
			assert.NoError(t, err)
			zeros <- part.Zero
		}()
	}
	require.NoError(t, c.Wait(t.Context(), time.Minute))
	clock, err := c.Start(nil)
	require.NoError(t, err)
	for range all {
		zero = <-zeros
	}
	d, err := whep.New("http://127.0.0.1:1/{room}/whip", "http://127.0.0.1:1/{room}/whep", "", nil)
	require.NoError(t, err)
	cfg := loadgen.Config{Scenario: c.cfg.Plan.Scenario, Driver: d}
	for _, f := range change {
		f(&cfg)
	}
	return func(progress func(loadgen.Progress)) (*loadgen.Result, error) {
		cfg.Progress = progress
		return coordinator.Run(context.WithoutCancel(t.Context()), cfg, clock, c)
	}, zero
}

// TestSlowCoordinatorBlamesNoWorker has a coordinator do something else for longer than a
// worker may be silent, while the workers go on.
func TestSlowCoordinatorBlamesNoWorker(t *testing.T) {
	t.Parallel()
	c, all := joined(t, "one", "two")
	coordinate, zero := startTogether(t, c, all)
	clip, err := speech.Load("builtin:speech")
	require.NoError(t, err)
	b, err := newBand(0, 20, clip)
	require.NoError(t, err)
	b.members = all
	played := make(chan error, 1)
	go func() { played <- b.play(zero, 2*time.Second) }()
	slow := 1
	result, err := coordinate(func(p loadgen.Progress) {
		if p.Phase == "steady" && slow > 0 {
			slow--
			time.Sleep(link.LostAfter + time.Second)
		}
	})
	require.NoError(t, err)
	require.NoError(t, <-played)
	for _, w := range result.Workers {
		assert.Empty(t, w.Lost, w.Name)
	}
	assert.Empty(t, result.Overrun)
	assert.Zero(t, slow, "it was slow")
	told := b.told.Delivered
	assert.Equal(t, told.Plus(told), result.Values["delivered"], "nothing was missed")
}

// A slowServer does not say what it uses before it is told to.
type slowServer struct{ asked, answer chan struct{} }

// Usage implements meter.Meter.
func (s slowServer) Usage(context.Context) (process.Usage, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-s.answer
	return process.Usage{}, nil
}

// TestSlowServerDoesNotSilenceTheCoordinator has a busy server take its time to say what it
// uses. Workers that hear nothing of their coordinator meanwhile would end.
func TestSlowServerDoesNotSilenceTheCoordinator(t *testing.T) {
	t.Parallel()
	c, all := joined(t, "one")
	server := slowServer{make(chan struct{}, 1), make(chan struct{})}
	coordinate, _ := startTogether(t, c, all, func(cfg *loadgen.Config) { cfg.Server = server })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(server.answer)
		<-server.asked
		tick := time.NewTicker(link.ReportEvery)
		defer tick.Stop()
		patience := time.After(time.Minute)
		heard := 0
		for i := uint64(1); ; i++ {
			r := link.Report{Sequence: i}
			select {
			case <-all[0].News():
				heard++
			case <-tick.C:
			case <-patience:
				t.Error("the coordinator says nothing while it waits for the server")
				r.Done = true
			}
			r.Done = r.Done || heard == 20
			assert.NoError(t, all[0].Send(r))
			if r.Done {
				return
			}
		}
	}()
	_, err := coordinate(nil)
	<-ended
	require.ErrorContains(t, err, "ended before its part did")
}

// TestSilentWorkerIsBlamedByName has one of two workers say nothing.
func TestSilentWorkerIsBlamedByName(t *testing.T) {
	t.Parallel()
	c, all := joined(t, "silent", "talking")
	coordinate, _ := startTogether(t, c, all)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(link.ReportEvery)
		defer tick.Stop()
		for i := uint64(1); ; i++ {
			r := link.Report{Sequence: i}
			select {
			case n := <-all[1].News():
				r.Done = n.Stop != ""
			case <-tick.C:
			}
			assert.NoError(t, all[1].Send(r))
			if r.Done {
				return
			}
		}
	}()
	_, err := coordinate(nil)
	<-ended
	require.ErrorContains(t, err, "worker 1 (silent) was lost")
	assert.ErrorContains(t, err, "it said nothing for 3s")
}

// TestCoordinatorThatStoodStillIsNamed has a coordinator say nothing for so long that its worker
// ends, as workers do.
func TestCoordinatorThatStoodStillIsNamed(t *testing.T) {
	t.Parallel()
	c, all := joined(t, "innocent")
	coordinate, _ := startTogether(t, c, all)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(link.ReportEvery)
		defer tick.Stop()
		heard := time.Now()
		for i := uint64(1); ; i++ {
			r := link.Report{Sequence: i}
			select {
			case <-all[0].News():
				heard = time.Now()
			case <-tick.C:
			}
			if time.Since(heard) > link.LostAfter {
				r.Done, r.Failed = true, "the coordinator is lost"
			}
			assert.NoError(t, all[0].Send(r))
			if r.Done {
				return
			}
		}
	}()
	calls := 0
	_, err := coordinate(func(loadgen.Progress) {
		if calls++; calls == 3 { // it has told the worker something
			<-ended
		}
	})
	require.ErrorContains(t, err, "the coordinator could not keep up: it told the workers nothing")
	assert.NotContains(t, err.Error(), "innocent")
}
