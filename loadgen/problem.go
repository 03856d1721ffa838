package loadgen

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"

	"github.com/earshot-audio/earshot/internal/table"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Problem is an error that did not end the run, with the number of times it happened.
type Problem struct {
	// Doing is what failed: "join", "connect" or a verb of the timeline.
	Doing string `json:"doing"`
	// Act means that an event of the timeline failed.
	Act bool `json:"act,omitempty" jsonschema:"An entry of the timeline could not be played."`
	// Own means that the generator's machine was at a limit, so that the server was
	// not the cause.
	Own bool `json:"own,omitempty" jsonschema:"The generator's machine was at a limit."`
	// Error is the error's text.
	Error string `json:"error"`
	Count int    `json:"count"`
}

// problems counts problems by what failed and the error's text. It is safe for
// concurrent use.
type problems struct {
	mu     sync.Mutex
	counts map[Problem]int
}

// maxProblems is how many different problems are counted separately.
const maxProblems = 100

func newProblems() *problems { return &problems{counts: map[Problem]int{}} }

// add counts an error. It ignores nil and the cancellation of an interrupted run.
func (p *problems) add(doing string, err error) { p.count(Problem{Doing: doing}, err) }

// act counts an error of a timeline event.
func (p *problems) act(verb scenario.Verb, err error) {
	p.count(Problem{Doing: string(verb), Act: true}, err)
}

func (p *problems) count(key Problem, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	key.Error = table.Printable(err.Error()) // it may quote the target
	key.Own = atLimit(err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.counts[key]; !ok && len(p.counts) >= maxProblems {
		key.Error = "(other errors)"
	}
	p.counts[key]++
}

// atLimit reports whether an error means that this machine has no file descriptor,
// port or buffer left.
func atLimit(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS}, func(limit error) bool {
		return errors.Is(err, limit)
	})
}

// list returns the problems, the most frequent first.
func (p *problems) list() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Problem, 0, len(p.counts))
	for key, n := range p.counts {
		key.Count = n
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Doing, b.Doing), cmp.Compare(a.Error, b.Error))
	})
	return list
}
