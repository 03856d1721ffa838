package loadgen

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
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

// While a server does not know somebody, nothing can be asked of it about them.
func TestNobodyIsChosenWhileTheyReconnect(t *testing.T) {
	for sentence, refused := range map[string]error{
		"they are back":                   nil,
		"they stay, though it went wrong": errors.New("not now"),
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &run{scoreboard: scoreboard{clock: measure.NewClock()}, clients: &clients{capabilities: driver.Capabilities{Resume: true}}}
			before := &resuming{cut: make(chan struct{}), let: make(chan error)}
			p := &person{room: &roomRun{run: r}, role: scenario.Listener, participant: before}
			can := func() bool { return p.can(scenario.Listener, scenario.PassHost.Spec()) }
			require.True(t, can())
			done := make(chan error)
			go func() { done <- p.reconnect(t.Context()) }()
			<-before.cut
			assert.False(t, can(), "their connection is cut")
			before.let <- refused
			require.Equal(t, refused, <-done)
			assert.True(t, can())
		})
	}
}
