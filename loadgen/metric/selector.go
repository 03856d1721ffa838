package metric

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/internal/spelling"
)

// A Selector is a part of a run's people and time. The zero Selector is all of
// the listeners, and the time that a metric is of without one.
type Selector struct {
	Network string // the name of a network profile of the cast
	// Transport is how media gets to listeners: udp, tcp, turn-udp, turn-tcp
	// or turn-tls.
	Transport string
	Phase     string // of the run, or a span that the timeline names
	Node      string // the number of a cluster's server from which they were cast to hear
	Role      string // those who were cast for it; "" is the listeners
	Step      string // of a join, one of [JoinSteps]
	By        string // what recovered packets, one of [RecoveredBy]
}

// IsZero reports whether nothing is selected.
func (s Selector) IsZero() bool { return s == Selector{} }

// String is the selector as it is written after a metric's name: "{network:3g}",
// its keys in order. It is empty for the zero Selector.
func (s Selector) String() string {
	var pairs []string
	for _, key := range selectorKeys {
		if v := *s.field(key); v != "" {
			pairs = append(pairs, key+":"+v)
		}
	}
	if pairs == nil {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var selectorKeys = []string{"network", "transport", "node", "phase", "role", "step", "by"}

func (s *Selector) field(key string) *string {
	switch key {
	case "network":
		return &s.Network
	case "node":
		return &s.Node
	case "transport":
		return &s.Transport
	case "phase":
		return &s.Phase
	case "role":
		return &s.Role
	case "step":
		return &s.Step
	case "by":
		return &s.By
	}
	return nil
}

// Parts is which parts of a metric can be asked for.
type Parts struct {
	People  bool // those of a role, a network, a transport or a node
	Phases  bool // those of a phase or a named span
	Windows bool // windows of time
	Live    bool // what there is of it while the run goes on
	// Steps are the values that the key step can have; nil if it has no steps.
	Steps []string
	// By are the values that the key by can have; nil if it does not have it.
	By []string
}

// ParseName reads a metric's name with a selector, if it has one: "latency", or
// "latency{network:3g, phase:steady}". Space around keys and values is free.
//
// It returns an error that says what to write instead if there is no such
// metric, if the selector is no list of key:value, and if the metric can't be
// asked for that part.
func ParseName(name string) (Definition, Selector, error) {
	base, list, selected := strings.Cut(name, "{")
	base = strings.TrimSpace(base)
	d, ok := lookup(base)
	if !ok {
		return Definition{}, Selector{}, unknownMetric(base)
	}
	if !selected {
		return d, Selector{}, nil
	}
	s, err := parseSelector(list)
	if err == nil {
		err = d.allows(s)
	}
	if err != nil {
		return Definition{}, Selector{}, fmt.Errorf("%s: %w", name, err)
	}
	return d, s, nil
}

// parseSelector reads what follows the opening brace.
func parseSelector(list string) (s Selector, err error) {
	list, closed := strings.CutSuffix(strings.TrimSpace(list), "}")
	if !closed {
		return s, errors.New("the selector has no closing brace")
	}
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(pair, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || value == "" {
			return s, fmt.Errorf("%q is no key:value, like phase:steady", strings.TrimSpace(pair))
		}
		if strings.ContainsAny(value, "{}:\"'") {
			return s, fmt.Errorf("%q can't be a value of a selector", value)
		}
		field := s.field(key)
		if field == nil {
			return s, unknownKey(key)
		}
		if *field != "" {
			return s, fmt.Errorf("the key %s stands there twice", key)
		}
		*field = value
	}
	return s, nil
}

func unknownKey(key string) error {
	return fmt.Errorf("unknown key %q: %s", key, spelling.Hint(key, selectorKeys))
}

// allows returns an error if the metric can't be asked for the part.
func (d Definition) allows(s Selector) error {
	p := d.Parts
	if (s.Network != "" || s.Transport != "" || s.Role != "" || s.Node != "") && !p.People {
		return fmt.Errorf("%s is not kept by network, transport, role or node: only %s are", d.Name, d.having(func(p Parts) bool { return p.People }))
	}
	if s.Phase != "" && !p.Phases {
		return fmt.Errorf("%s is not kept by phase: only %s are", d.Name, d.having(func(p Parts) bool { return p.Phases }))
	}
	for _, c := range []struct {
		key, value string
		of         func(Parts) []string
	}{
		{"step", s.Step, func(p Parts) []string { return p.Steps }},
		{"by", s.By, func(p Parts) []string { return p.By }},
	} {
		values := c.of(p)
		switch {
		case c.value == "" || slices.Contains(values, c.value):
			continue
		case values == nil:
			return fmt.Errorf("%s has no %s: only %s has", d.Name, c.key, d.having(func(p Parts) bool { return c.of(p) != nil }))
		}
		return fmt.Errorf("unknown %s %q: %s", c.key, c.value, spelling.Hint(c.value, values))
	}
	return nil
}

// having lists the metrics that have a part.
func (Definition) having(part func(Parts) bool) string {
	var names []string
	for _, d := range catalogue {
		if part(d.Parts) {
			names = append(names, d.Name)
		}
	}
	return strings.Join(names, ", ")
}

// The bounds of a window, which is kept by the second.
const (
	minOver = time.Second
	maxOver = 10 * time.Minute
)

// cutWindow takes the window off an expression's end: "p(99) < 20ms over 10s".
func (d Definition) cutWindow(expression string) (rest string, over time.Duration, err error) {
	fields := strings.Fields(expression)
	i := slices.Index(fields, "over")
	if i < 0 {
		return expression, 0, nil
	}
	at := strings.LastIndex(expression, "over")
	rest = strings.TrimSpace(expression[:at])
	if i != len(fields)-2 {
		return "", 0, errors.New("over is followed by the length of a window and nothing else, as in over 10s")
	}
	length := fields[i+1]
	over, err = time.ParseDuration(length)
	switch {
	case err != nil || length[0] == '-' || length[0] == '+':
		return "", 0, fmt.Errorf("%q is no length of a window: write it like over 10s or over 1m30s", length)
	case !decimal.IsDuration(length):
		return "", 0, fmt.Errorf("%s: %w", length, decimal.ErrForm)
	case over < minOver || over > maxOver || over%time.Second != 0:
		return "", 0, fmt.Errorf("a window of %s: it can have whole seconds from %s to %s", length, minOver, maxOver)
	case !d.Parts.Windows:
		return "", 0, fmt.Errorf("%s is not kept over time: only %s are", d.Name, d.having(func(p Parts) bool { return p.Windows }))
	}
	return rest, over, nil
}
