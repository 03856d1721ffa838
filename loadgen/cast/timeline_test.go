package cast

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A resuming participant resumes when it is let, to what it is given.
type resuming struct {
	driver.Participant
	cut chan struct{}
	let chan error
}

func (r *resuming) Resume(context.Context) (driver.Participant, error) {
	close(r.cut)
	return &resuming{}, <-r.let
}

func (*resuming) OnMediaClosed(func(driver.Media)) {}
func (*resuming) OnEarMoving(func())               {}

// While a server does not know somebody, nothing is asked of it about them: it waits, and has its time then.
func TestWhatIsAskedWaitsForAReconnect(t *testing.T) {
	for sentence, refused := range map[string]error{
		"they are back":                   nil,
		"they stay, though it went wrong": errors.New("not now"),
	} {
		t.Run(sentence, func(t *testing.T) {
			c := &Cast{Setting: Setting{Scenario: &scenario.Scenario{}, Clock: timebase.NewClock()}, clients: &clients{capabilities: driver.Capabilities{Resume: true}}}
			before := &resuming{cut: make(chan struct{}), let: make(chan error)}
			p := &person{room: &roomRun{cast: c}, role: scenario.Listener, participant: before}
			done := make(chan error)
			go func() { done <- p.reconnect(t.Context()) }()
			<-before.cut
			assert.True(t, p.can(scenario.Listener, scenario.PassHost.Spec()))
			acting, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			until, _ := acting.Deadline()
			asked := make(chan context.Context)
			go func() {
				ctx, end := p.connected(acting)
				asked <- ctx
				end()
			}()
			select {
			case <-asked:
				t.Error("their connection is cut")
			case <-time.After(20 * time.Millisecond):
			}
			before.let <- refused
			require.Equal(t, refused, <-done)
			ctx := <-asked
			later, _ := ctx.Deadline()
			assert.True(t, later.After(until), "the waiting does not count")
			assert.Equal(t, refused == nil, p.participant != before)
		})
	}
}

// Who is on their way out does not come back.
func TestNobodyReconnectsWhoIsOnTheirWayOut(t *testing.T) {
	c := &Cast{Setting: Setting{Scenario: &scenario.Scenario{}, Clock: timebase.NewClock()}, clients: &clients{capabilities: driver.Capabilities{Resume: true}}}
	p := &person{room: &roomRun{cast: c}, role: scenario.Listener, participant: &resuming{}}
	p.setAway(true)
	assert.False(t, p.can(scenario.Listener, scenario.Reconnect.Spec()))
	require.ErrorIs(t, p.reconnect(t.Context()), errGone, "they were chosen for something else at the same moment")
	c.moderation.Reconnected(tally.Interval{From: time.Second, Until: 2 * time.Second}) // of somebody else
	worst, best := metric.Values{}, metric.Values{}
	c.moderation.Durations(&doubt.Register{}, worst, best)
	assert.EqualValues(t, 1, worst["reconnect_duration"].(*metric.Trend).Count(), "which says nothing of the server")
	assert.EqualValues(t, 2, best["reconnect_duration"].(*metric.Trend).Count(), "nor does it that there is one less")
}

// Which number a mic has that an event opens does not depend on who plays those people.
func TestMicsOfEventsHaveNumbersOfTheirOwn(t *testing.T) {
	s := &scenario.Scenario{Seed: 3, Timeline: []scenario.Event{
		{Do: scenario.Promote, Count: 4}, {Do: scenario.Kick, Count: 9}, {Do: scenario.Mute, Count: 2}, {Do: scenario.AcceptStage, Count: 3}, {Do: scenario.Promote, Count: 40},
	}}
	const mics = 6
	h := &roomRun{cast: &Cast{}, mics: mics, number: 2}
	h.cast.Scenario = s
	next := mics
	for i, e := range s.Timeline {
		assert.Equal(t, next, h.firstMicOf(i), "mics have numbers without gaps, and each its own")
		if e.Do.Spec().OpensMic() {
			next += e.Count
		}
	}
	assert.Equal(t, next, h.firstMicOf(len(s.Timeline)))

	// Mics with one file are as far from one another as they can be, or packets could not be told apart.
	const frames = 3000
	var starts []int
	for index := range next {
		starts = append(starts, firstFrame(s.Seed, 0, index, frames))
	}
	slices.Sort(starts)
	for i := range starts[1:] {
		assert.Greater(t, starts[i+1]-starts[i], frames/next/2)
	}
}
