package link

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Link connects a worker's run with the coordinator's. Messages come in their order, and
// each is numbered, so that a lost one is noticed.
type Link interface {
	// Send sends a message to the coordinator.
	Send(Report) error
	// Alive tells the coordinator that the worker is there, and nothing else. It has no number.
	Alive() error
	// News are the coordinator's messages. It is closed when there will be none any more.
	News() <-chan News
	// Clock returns by how much the worker's clock, which the run follows, has to be put
	// forward since the run's began, and by how much what was stamped lately may be wrong. An error
	// is why it can't be known. It is called once for each report, and the clock put forward.
	Clock() (ahead, bound time.Duration, err error)
	// Order has another worker, by its number, carry out an order, and returns what came of it.
	// The error is why that is not known.
	Order(ctx context.Context, worker int, o Order) (Outcome, error)
	// Obey has the orders of others carried out, several at a time, until the link is closed.
	Obey(act func(context.Context, Order) Outcome) error
}

// A Hub connects the coordinator of a run with its workers.
type Hub interface {
	// Workers describes the workers, by their numbers.
	Workers() []WorkerInfo
	// Reports are the workers' messages, in the order in which they arrived. That a worker is
	// lost comes after its last message: a worker is silent by when messages arrive, and not by
	// when they are taken from here.
	Reports() <-chan Delivery
	// Overrun is why messages were dropped here, by no fault of the workers; nil if none were.
	Overrun() error
	// Send sends a message to all workers.
	Send(News) error
}

// A WorkerInfo is what is known of a worker beforehand.
type WorkerInfo struct {
	// Name is what reports call it, and Host the name of its machine.
	Name, Host string
	// Machine identifies the machine: others may have its name, and its containers have names of
	// their own.
	Machine string
	CPUs    int
}

// A Delivery is a worker's message; or why there will be none any more.
type Delivery struct {
	Worker int
	Report Report
	Lost   error
}

// Relayed is what workers tell one another by way of the coordinator: each of its own people,
// and the coordinator of all.
type Relayed struct {
	// Horizon is before when all is told that was sent, and Processed before when all has
	// been looked at that listeners received.
	Horizon   timebase.Bin     `json:"horizon"`
	Processed time.Duration    `json:"processed"`
	Sources   []OpenedSource   `json:"sources,omitempty"`
	Told      []ToldSource     `json:"told,omitempty"`
	Heard     []HeardSource    `json:"heard,omitempty"`
	Silenced  []SilencedSource `json:"silenced,omitempty"`
}

// A Report is a worker's message. It goes out five times a second, so that a worker without
// one is known to be lost.
type Report struct {
	// Sequence counts the worker's messages, from 1.
	Sequence uint64 `json:"seq"`
	Relayed
	// Bound is by how much the worker's clock may be wrong, and ClockTrouble why it can't be
	// relied on.
	Bound        time.Duration `json:"bound,omitempty"`
	ClockTrouble string        `json:"clock_trouble,omitempty"`
	// Dropped is how many packets have been dropped on the worker's side, among those that came
	// before Processed at least.
	Dropped uint64        `json:"dropped,omitempty"`
	Ahead   time.Duration `json:"ahead,omitempty"`
	// Offers are what the worker puts into exchanges, by their keys.
	Offers map[string][]byte `json:"offers,omitempty"`
	Parts  []record.Part     `json:"parts,omitempty"`
	Tally  *tally.Tally      `json:"tally,omitempty"`
	// Done means that nothing follows: the worker has played its part.
	Done bool `json:"done,omitempty"`
	// Problems are those of the whole part, when it is done.
	Problems []problem.Problem `json:"problems,omitempty"`
	// Failed is why the worker could not play its part, or does not play it to the end, and
	// Deaf means that it heard nothing of the coordinator.
	Failed string `json:"failed,omitempty"`
	Deaf   bool   `json:"deaf,omitempty"`
}

// News is the coordinator's message to all workers, five times a second.
type News struct {
	// Sequence counts them, from 1. One without a number only says that the coordinator is there.
	Sequence uint64 `json:"seq"`
	Relayed
	// Dropped is how many packets have been dropped on the workers' sides, by the worker; nil if
	// none have.
	Dropped []uint64 `json:"dropped,omitempty"`
	// Answers are the offers of all workers, by the exchanges' keys.
	Answers map[string][][]byte `json:"answers,omitempty"`
	// Stop ends the arrivals and the hold, and says why.
	Stop string `json:"stop,omitempty"`
	// Interrupted means that the coordinator's user ended it.
	Interrupted bool `json:"interrupted,omitempty"`
}

// A SourceID names a mic of the run.
type SourceID struct {
	Room  int `json:"room"`
	Index int `json:"index"`
}

// An OpenedSource is a mic that a worker has opened: of a person of the cast.
type OpenedSource struct {
	SourceID
	Worker int `json:"worker"`
	Group  int `json:"group"`
	Number int `json:"number"`
}

// A ToldSource is what was sent by a mic of a worker whose clock may be wrong by Bound.
type ToldSource struct {
	SourceID
	Worker int           `json:"worker"`
	Bound  time.Duration `json:"bound,omitempty"`
	ledger.Told
}

// A HeardSource is when the first frame of another worker's mic was heard, by a clock that may be
// wrong by Bound.
type HeardSource struct {
	SourceID
	At    time.Duration `json:"at"`
	Bound time.Duration `json:"bound,omitempty"`
}

// A SilencedSource is the frames of another worker's mic that were heard since it should
// have been silent.
type SilencedSource struct {
	SourceID
	Since time.Duration  `json:"since"`
	Bins  []timebase.Bin `json:"bins"`
}

const (
	// ReportEvery is how often workers and coordinator send, and LostAfter after how long
	// without a message one of them is lost.
	ReportEvery = 200 * time.Millisecond
	LostAfter   = 3 * time.Second
	// BusyFor is for how long one that is busy may only say that it is there. With what follows it is less
	// than what workers can measure without it: [ledger.Remembered].
	BusyFor = 12 * time.Second
)
