// Package scenario holds what a run plays: who comes into which rooms, when,
// what they do there, and what must hold for the run to pass. It reads the YAML
// format that docs/scenario.md describes, and the shapes of arrivals and turns
// as pure functions.
package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// A Scenario is what is played in each of its rooms. One that [Load] or [Parse]
// returned is valid and has all defaults filled in; treat it as read-only, and
// use the With methods for a changed copy. Most of its other methods check one part of
// it against the rest.
type Scenario struct {
	Name string
	// Rooms is how many rooms there are. Each has the whole cast and plays the
	// whole timeline.
	Rooms    int
	Room     RoomSpec
	Cast     []Group
	Timeline []Event
	// Hold is how long the steady state lasts, and WarmUp how much of its
	// beginning is not measured.
	Hold, WarmUp Duration
	// JoinDeadline is how long after the intended start of its join a listener
	// may take to hear something.
	JoinDeadline Duration
	// AudioCheck is how a listener's audio is recognised.
	AudioCheck AudioCheck
	// AudioScore has what probes hear scored.
	AudioScore bool
	// Seed decides everything that is left to chance.
	Seed       int64
	Thresholds []metric.Threshold

	// Warnings are what is allowed but probably not meant, each with its place
	// in the file.
	Warnings []string
}

// An AudioCheck is how a run recognises what a listener gets.
type AudioCheck string

const (
	// CheckPackets knows packets by what they hold: the server passes them on as they are.
	CheckPackets AudioCheck = "packets"
	// CheckMarker puts a mark into the audio, which survives mixing and transcoding.
	CheckMarker AudioCheck = "marker"
)

// A RoomSpec is what every room is created with.
type RoomSpec struct {
	Capacity int // audience seats of one hall
	Halls    int // how many halls it may have, itself included; who finds one full sits in the next
	Slots    int // voices passed on at once
	// AudienceHold is how long packets for the audience may wait for others, to leave
	// as one message; people on stage get theirs at once.
	AudienceHold Duration
	// Node is the number of the server of a cluster that has the room, from 1; 0: any.
	Node int
}

// A Role is what a part of the cast comes as.
type Role string

const (
	Speaker  Role = "speaker"
	Listener Role = "listener"
	Host     Role = "host"
)

// A Group is one entry of the cast: so many alike in every room.
type Group struct {
	Role  Role
	Count int
	// Audio is paths of Ogg Opus files: person i of the group speaks file
	// i mod len(Audio). A listener speaks it when promoted; a host without any
	// has no mic.
	Audio []string
	// Arrive is when the listeners of the group come. The stage is there before
	// the first of them. Where nobody is cast to listen, it is when the speakers come.
	Arrive Arrivals
	// Depart is when the listeners of the group leave, after the hold; nil if
	// they stay to the end.
	Depart *Arrivals
	// Turns is how the group's speakers take turns; nil if they all talk all the
	// time.
	Turns *Turns
	// Sections is how many voices at once each ear of the group offers to take;
	// 0 is as many as the room has slots.
	Sections int
	// Network is the simulated network that the group's media goes through; nil
	// is none. It is not changed.
	Network *network.Profile
	// Repair is what their clients offer against lost packets; see RepairedBy.
	Repair network.Repair
	// Transport is how their media gets to the server, or on stage that of their mics.
	Transport network.Shares
	// Node is the number of the server of a cluster from which the group's listeners hear
	// the room, from 1; 0: any.
	Node int
}

// NodeName is what thresholds and reports call the group's node; "" is any.
func (g Group) NodeName() string {
	if g.Node == 0 {
		return ""
	}
	return strconv.Itoa(g.Node)
}

// NetworkName is what thresholds and reports call the group's network; "" is
// none.
func (g Group) NetworkName() string {
	if g.Network == nil {
		return ""
	}
	return g.Network.Name
}

// RepairedBy is what the group's clients offer against lost packets.
func (g Group) RepairedBy() network.Repair {
	switch {
	case g.Repair != "":
		return g.Repair
	case g.Network != nil:
		return network.RepairNACK
	}
	return network.RepairNone
}

// An Event is one entry of the timeline.
type Event struct {
	// At counts from the end of the arrivals.
	At Duration
	// Who are picked from the people who have this role then, Count of them in
	// each room.
	Who   Role
	Count int
	Do    Verb // "" is nothing: the entry has a name
	// Node is the number of the server that an entry of a node is for, from 1.
	Node int
	// Name names a span of the run, from At on, which thresholds can select as a
	// phase. It lasts for For, or if that is 0 until the next entry with a name,
	// or the end of the hold.
	Name string
	For  Duration
}

// A Span is a part of the hold that has a name. Times count from the end of the
// arrivals.
type Span struct {
	Name        string
	From, Until Duration
}

// Spans is the spans that the timeline names.
func (s *Scenario) Spans() (spans []Span) {
	for _, e := range s.Timeline {
		if e.Name == "" {
			continue
		}
		span := Span{e.Name, e.At, s.Hold}
		for _, next := range s.Timeline {
			if next.Name != "" && next.At > e.At {
				span.Until = min(span.Until, next.At)
			}
		}
		if e.For > 0 {
			span.Until = e.At + e.For
		}
		spans = append(spans, span)
	}
	return spans
}

// MaxNodes is the largest number of a node.
const MaxNodes = 50

// Nodes is how many nodes a cluster must have to play the scenario: the largest number of one
// that it names; 0: it names none.
func (s *Scenario) Nodes() int {
	n := s.Room.Node
	for _, g := range s.Cast {
		n = max(n, g.Node)
	}
	for _, e := range s.Timeline {
		n = max(n, e.Node)
	}
	return n
}

// OwnNodes reports whether the timeline kills or restarts a node.
func (s *Scenario) OwnNodes() bool {
	return slices.ContainsFunc(s.Timeline, func(e Event) bool { return e.Do.Spec().OfNode })
}

// Departs reports whether anybody leaves after the hold.
func (s *Scenario) Departs() bool {
	return slices.ContainsFunc(s.Cast, func(g Group) bool { return g.Depart != nil })
}

// String says what happens, in a few words: "promote 1 listener".
func (e Event) String() string {
	switch {
	case e.Do == End:
		return string(e.Do)
	case e.Do.Spec().OfNode:
		return fmt.Sprintf("%s %d", e.Do, e.Node)
	}
	plural := "s"
	if e.Count == 1 {
		plural = ""
	}
	if e.Do == InviteGuest {
		return fmt.Sprintf("%s %d", e.Do, e.Count)
	}
	return fmt.Sprintf("%s %d %s%s", e.Do, e.Count, e.Who, plural)
}

// Invites reports whether the timeline invites guests from outside.
func (s *Scenario) Invites() bool {
	return slices.ContainsFunc(s.Timeline, func(e Event) bool { return e.Do == InviteGuest })
}

// The values of what a file leaves out.
const (
	defaultJoinDeadline = Duration(10 * time.Second)
	defaultSeed         = 1
)

// Listeners is how many listeners are cast for each room.
func (s *Scenario) Listeners() int { return s.people(Listener) }

// OnStage is how many people are cast for the stage of each room.
func (s *Scenario) OnStage() int { return s.people(Speaker) + s.people(Host) }

// Transports are those by which anybody of the cast goes.
func (s *Scenario) Transports() (all []network.Transport) {
	for _, g := range s.Cast {
		for _, t := range g.Transport.Transports() {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// WithMics is how many people of each room have a mic from the beginning.
func (s *Scenario) WithMics() (n int) {
	for _, g := range s.Cast {
		if g.Role != Listener && len(g.Audio) > 0 {
			n += g.Count
		}
	}
	return n
}

// people is how many have a role in each room.
func (s *Scenario) people(role Role) (n int) {
	for _, g := range s.Cast {
		if g.Role == role {
			n += g.Count
		}
	}
	return n
}

// A Duration is a length of time that is written with its unit, like 10s,
// 500ms or 1m30s.
type Duration time.Duration

// Duration is d for the time package.
func (d Duration) Duration() time.Duration { return time.Duration(d) }

// String is d as it may be written in a file.
func (d Duration) String() string { return time.Duration(d).String() }

// maxDuration bounds every duration of a scenario.
const maxDuration = Duration(24 * time.Hour)

// parseDuration reads what the schema's pattern allows.
func parseDuration(text string) (Duration, error) {
	const example = "write a number with a unit, like 500ms, 10s or 1m30s"
	for _, r := range text {
		// The time package would take signs and smaller units, too.
		if (r < '0' || r > '9') && r != '.' && r != 'm' && r != 's' && r != 'h' {
			return 0, fmt.Errorf("%q is no duration: %s", text, example)
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || text == "0" || text[0] == '.' {
		return 0, fmt.Errorf("%q is no duration: %s", text, example)
	}
	if !decimal.IsDuration(text) {
		return 0, fmt.Errorf("%q: %w", text, decimal.ErrForm)
	}
	if Duration(d) > maxDuration {
		return 0, fmt.Errorf("%s is longer than %s", text, maxDuration)
	}
	return Duration(d), nil
}
