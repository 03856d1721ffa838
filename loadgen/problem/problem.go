package problem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/earshot-audio/earshot/internal/table"
	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// ErrUnanswered means that the server did not answer a request though the generator ran.
var ErrUnanswered = errors.New("the server did not answer")

// Publishing is what somebody was doing whose mic did not open.
const Publishing = "publish"

// A Problem is an error that did not end the run, with the number of times it happened.
type Problem struct {
	// Doing is what failed: "join", "connect", [Publishing] or a verb of the timeline.
	Doing string `json:"doing"`
	// Act means that an event of the timeline failed.
	Act bool `json:"act,omitempty" jsonschema:"An entry of the timeline could not be played."`
	// Unanswered means that the server did not answer what an event of the timeline asked
	// for, though the generator ran.
	Unanswered bool `json:"unanswered,omitempty" jsonschema:"The server did not answer what an entry of the timeline asked for, though the generator ran."`
	// Refused means that the server said no to somebody who wanted to come in.
	Refused bool `json:"refused,omitempty" jsonschema:"The server's answer was that somebody can't come in."`
	// Own means that the generator's machine was at a limit, so that the server was
	// not the cause.
	Own bool `json:"own,omitempty" jsonschema:"The generator's machine was at a limit."`
	// Shared means that the limit is the whole machine's, so that a server on it may have met it.
	Shared bool `json:"shared,omitempty" jsonschema:"The limit is that of the whole machine, so that a server on it may have met it, too."`
	// Error is the text of the first error of its kind.
	Error string `json:"error"`
	Count int    `json:"count"`
	// Variants is how many texts there were, if more than one: they differ in addresses,
	// names and times.
	Variants int `json:"variants,omitempty" jsonschema:"How many texts the errors had that differ in addresses, names and times; absent if all are alike."`
}

// String is the error, and how often it happened.
func (p Problem) String() string {
	text := fmt.Sprintf("%s: %s (%d time", p.Doing, p.Error, p.Count)
	if p.Count != 1 {
		text += "s"
	}
	if p.Variants > 1 {
		text += ", with other addresses, names or times"
	}
	return text + ")"
}

// A Counter counts problems by what failed and the kind of the error. It is safe for
// concurrent use.
type Counter struct {
	mu    sync.Mutex
	kinds map[Problem]*Problem // by what they have in common
	texts map[Problem]*Problem // by their own text
}

// maxKinds is how many kinds of problems are counted separately, and maxTexts how many
// texts are known of all of them.
const maxKinds, maxTexts = 100, 1000

// others stands for the kinds beyond maxKinds.
const others = "(other errors)"

// NewCounter returns a counter of no problems.
func NewCounter() *Counter {
	return &Counter{kinds: map[Problem]*Problem{}, texts: map[Problem]*Problem{}}
}

// varying matches what differs between errors of one kind: URLs, addresses, people,
// rooms, identifiers and times. Bare numbers, such as HTTP statuses, are no such thing.
var varying = regexp.MustCompile(`https?://[^\s"]+` +
	`|\[[0-9a-fA-F:.%a-z]+\](:\d+)?|\b\d+\.\d+\.\d+\.\d+(:\d+)?` +
	`|\b(speaker|listener|host) \d+\.\d+|\bearshot-\d+` +
	`|\b[0-9a-fA-F]{8}[0-9a-fA-F-]*\b|\b(\d+(\.\d+)?(h|m|s|ms|µs|ns))+\b`)

// Add counts an error. It ignores nil and the cancellation of an interrupted run.
func (p *Counter) Add(doing string, err error) { p.count(Problem{Doing: doing}, err) }

// Act counts an error of a timeline event.
func (p *Counter) Act(verb scenario.Verb, err error) {
	p.count(Problem{Doing: string(verb), Act: true}, err)
}

func (p *Counter) count(key Problem, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	if all := joined(err); len(all) > 0 {
		for _, one := range all {
			p.count(key, one)
		}
		return
	}
	key.Error = table.Printable(urltext.Scrub(err.Error())) // it may quote the target
	key.Own, key.Shared = AtLimit(err), sharedLimit(err)
	key.Refused = !key.Act && driver.Refused(err)
	key.Unanswered = key.Act && errors.Is(err, ErrUnanswered)
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := p.texts[key]
	if kind == nil {
		kind = p.kind(key)
	}
	kind.Count++
}

// group is what all problems of one kind have in common.
func (p Problem) group() Problem {
	return Problem{Doing: p.Doing, Act: p.Act, Own: p.Own, Shared: p.Shared, Unanswered: p.Unanswered, Refused: p.Refused, Error: varying.ReplaceAllString(p.Error, "…")}
}

// kind returns the kind of a problem whose text is new. p.mu is held.
func (p *Counter) kind(key Problem) *Problem {
	group := key.group()
	kind := p.kinds[group]
	if kind == nil {
		first := key
		if len(p.kinds) >= maxKinds {
			first.Error, group.Error = others, others
			if rest := p.kinds[group]; rest != nil {
				return rest
			}
		}
		kind = &first
		p.kinds[group] = kind
	}
	kind.Variants++
	if len(p.texts) < maxTexts {
		p.texts[key] = kind
	}
	return kind
}

// joined returns the errors of which [errors.Join] made one.
func joined(err error) []error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, one := range all.Unwrap() {
		texts = append(texts, one.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil // one error that wraps several
	}
	return all.Unwrap()
}

// AtLimit reports whether an error means that this process has no file descriptor or port left,
// or its machine no descriptor or buffer.
func AtLimit(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) || sharedLimit(err)
}

// sharedLimit reports whether it is a limit of the machine, which others share.
func sharedLimit(err error) bool {
	return errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS)
}

// List returns the problems, the most frequent first.
func (p *Counter) List() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Problem, 0, len(p.kinds))
	for _, kind := range p.kinds {
		one := *kind
		if one.Variants == 1 {
			one.Variants = 0
		}
		list = append(list, one)
	}
	sortProblems(list)
	return list
}

// sortProblems sorts problems, the most frequent first.
func sortProblems(list []Problem) {
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Doing, b.Doing), cmp.Compare(a.Error, b.Error))
	})
}

// Merge returns the problems of several processes as one list. Those whose texts are
// alike but for addresses, names and times count together.
func Merge(lists [][]Problem) []Problem {
	var all []Problem
	at := map[Problem]int{}
	for _, list := range lists {
		for _, p := range list {
			key := p.group()
			i, known := at[key]
			if !known {
				at[key] = len(all)
				all = append(all, p)
				continue
			}
			all[i].Count += p.Count
			all[i].Variants = max(all[i].Variants, p.Variants)
			if all[i].Error != p.Error {
				all[i].Variants = max(all[i].Variants, 2)
			}
		}
	}
	sortProblems(all)
	return all
}
