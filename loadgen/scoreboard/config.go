package scoreboard

import (
	"log/slog"
	"time"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

const (
	// SettleTime is how long a run goes on listening after its last packet was due.
	SettleTime = time.Second
	// LeaveTimeout is how long it may take until everybody has left.
	LeaveTimeout = 20 * time.Second
	// HurriedLeave is that of a worker whose part is at an end early.
	HurriedLeave = 5 * time.Second
)

// Config configures a run.
type Config struct {
	// Scenario is what is played. It must be valid.
	Scenario *scenario.Scenario
	// Driver brings people into rooms.
	Driver driver.Driver
	// TURN is by which server those of the cast go who go by one.
	TURN TURN
	// Server measures the server's process; nil leaves it unmeasured.
	Server meter.Meter
	// Progress, if not nil, is called about once a second and at each change of
	// phase, by one goroutine at a time. It must not block.
	Progress func(Progress)
	// Watch, if not nil, is called together with Progress and gets more. It owns the
	// snapshot that it gets.
	Watch func(Snapshot)
	// Nodes are the servers that were started for the run; nil if there are none.
	Nodes cast.Nodes
	// Log receives what the run reports beside its result; nil discards it.
	Log *slog.Logger
}

// TURN is the TURN server of those who go by one.
type TURN = client.TURN
