package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/internal/spelling"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A problem is something wrong with the field at a path.
type problem struct{ path, message string }

// Validate returns an error if the scenario can't be played. Each mistake in it
// begins with the field's path, like cast[1].count. Files that [Load] or
// [Parse] accept are valid; it is for scenarios made or changed by a program.
func (s *Scenario) Validate() error {
	var errs []error
	for _, p := range s.problems() {
		errs = append(errs, fmt.Errorf("%s: %s", p.path, p.message))
	}
	return errors.Join(errs...)
}

// maxName bounds the scenario's name, which every report shows.
const maxName = 200

// A checker collects problems.
type checker []problem

func (c *checker) add(path, format string, args ...any) {
	*c = append(*c, problem{path, fmt.Sprintf(format, args...)})
}

// within adds a problem if a number is less than 1 or more than high.
func (c *checker) within(path string, v, high int) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if v < 1 {
		c.add(path, "%s is %d: the smallest is 1", name, v)
	}
	if v > high {
		c.add(path, "%s is %d: the largest is %d", name, v, high)
	}
}

// problems is everything that is wrong. Paths name fields as the file does.
func (s *Scenario) problems() []problem {
	var c checker
	switch {
	case strings.TrimSpace(s.Name) == "":
		c.add("name", "name is empty")
	case utf8.RuneCountInString(s.Name) > maxName:
		c.add("name", "name is longer than %d characters", maxName)
	case !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, unicode.IsControl):
		c.add("name", "name %q has characters that can't be printed", s.Name)
	}
	c.within("rooms", s.Rooms, wire.MaxRooms)
	c.within("room.capacity", s.Room.Capacity, wire.MaxCapacity)
	c.within("room.halls", s.Room.Halls, wire.MaxHalls)
	c.within("room.slots", s.Room.Slots, wire.MaxSlots)
	if hold := s.Room.AudienceHold.Duration(); hold < 0 || hold > wire.MaxAudienceHold || hold%time.Millisecond != 0 {
		c.add("room.audience_hold", "audience_hold is %s: it is a number of milliseconds, %s at most", hold, wire.MaxAudienceHold)
	}
	if s.Room.Node != 0 {
		c.within("room.node", s.Room.Node, MaxNodes)
	}
	if len(s.Cast) == 0 {
		c.add("cast", "cast is empty")
	}
	total := 0
	for i, g := range s.Cast {
		s.checkGroup(&c, fmt.Sprintf("cast[%d]", i), g)
		total += min(max(g.Count, 0), maxCount)
	}
	if all := total * max(s.Rooms, 1); len(s.Cast) > 0 && all > maxCount {
		c.add("cast", "the rooms hold %d people in all: the largest number is %d", all, maxCount)
	}
	for i, e := range s.Timeline {
		s.checkEvent(&c, i, e)
	}
	if s.AudioCheck == CheckMarker {
		for i, e := range s.Timeline {
			if spec := e.Do.Spec(); e.Do != "" && !spec.Local && !spec.Marked {
				c.add(fmt.Sprintf("timeline[%d].do", i), "audio_check: marker is for servers that mix or transcode, and %s is not for them: leave out one of the two", e.Do)
			}
		}
	}
	s.checkSpans(&c)
	if s.Hold <= 0 {
		c.add("hold", "hold is %s, and nothing would be measured: give it a time", s.Hold)
	}
	if s.WarmUp < 0 || s.WarmUp >= s.Hold && s.Hold > 0 {
		c.add("warm_up", "warm_up is %s: it is a part of the hold, which is %s", s.WarmUp, s.Hold)
	}
	if s.JoinDeadline <= 0 {
		c.add("join_deadline", "join_deadline is %s, and nobody could join: give it a time", s.JoinDeadline)
	}
	for path, d := range map[string]Duration{"hold": s.Hold, "join_deadline": s.JoinDeadline} {
		if d > maxDuration {
			c.add(path, "%s is %s: the longest is %s", path, d, maxDuration)
		}
	}
	for i, t := range s.Thresholds {
		s.checkThreshold(&c, fmt.Sprintf("thresholds[%d]", i), t)
	}
	return c
}

func (s *Scenario) checkGroup(c *checker, path string, g Group) {
	c.within(path+".count", g.Count, maxCount)
	switch g.Role {
	case Speaker:
		if len(g.Audio) == 0 {
			c.add(path, "speakers need audio: a recording, or a list of them")
		}
	case Listener, Host:
	default:
		c.add(path+".role", "role is %q: it can be speaker, listener, host", g.Role)
	}
	for i, a := range g.Audio {
		if a == "" {
			c.add(fmt.Sprintf("%s.audio[%d]", path, i), "audio is empty")
		}
	}
	if g.Role != Listener && g.Arrive != (Arrivals{}) && s.Listeners() > 0 {
		c.add(path+".arrive", "arrive is for listeners: a %s is there before the first of them", g.Role)
	}
	if g.Role != Listener && g.Depart != nil {
		c.add(path+".depart", "depart is for listeners: a %s is there to the last of them", g.Role)
	}
	checkArrivals(c, path+".arrive", g.Arrive)
	if g.Depart != nil {
		checkArrivals(c, path+".depart", *g.Depart)
	}
	if g.Sections != 0 {
		c.within(path+".sections", g.Sections, s.Room.Slots)
	}
	switch {
	case g.Node != 0 && g.Role != Listener:
		c.add(path+".node", "node is for listeners: the others are on the room's node")
	case g.Node != 0:
		c.within(path+".node", g.Node, MaxNodes)
	}
	if g.Turns != nil {
		checkTurns(c, path+".turns", g)
	}
	if g.Network != nil {
		s.checkNetwork(c, path+".network", g.Network)
	}
	if g.Repair.NACK() && g.Network == nil {
		c.add(path+".repair", "only people on a simulated network ask for lost packets again: give them a network, or leave out nack")
	}
	for _, text := range g.Transport.Problems() {
		c.add(path+".transport", "%s", text)
	}
	if g.Network != nil && !slices.Equal(g.Transport.Transports(), []network.Transport{network.UDP}) {
		c.add(path+".transport", "a simulated network carries datagrams, and cannot stand for one under TCP or before a TURN server: make two groups of these people")
	}
}

func (s *Scenario) checkNetwork(c *checker, path string, p *network.Profile) {
	for _, w := range p.Problems() {
		c.add(path+"."+w.Field, "%s", w.Message)
	}
	for i, o := range p.Outages {
		if o.At > s.Hold.Duration() {
			c.add(fmt.Sprintf("%s.outages[%d].at", path, i), "at is %s, outside of the hold of %s", o.At, s.Hold)
		}
	}
	for i, at := range p.Rebinds {
		if at > s.Hold.Duration() {
			c.add(fmt.Sprintf("%s.rebinds[%d]", path, i), "%s is outside of the hold of %s", at, s.Hold)
		}
	}
}

func checkArrivals(c *checker, path string, a Arrivals) {
	switch a.Shape {
	case "", Linear, Poisson, SCurve, Burst:
	default:
		c.add(path+".shape", "shape is %q: it can be linear, poisson, s-curve, burst", a.Shape)
	}
	if a.Within < 0 || a.Within > maxDuration {
		c.add(path+".within", "within is %s: it can be 0s to %s", a.Within, maxDuration)
	}
}

func checkTurns(c *checker, path string, g Group) {
	if g.Role == Listener || len(g.Audio) == 0 {
		c.add(path, "turns are for speakers and hosts who have audio")
		return
	}
	if g.Turns.Talk < minTalk || g.Turns.Talk > maxDuration {
		c.add(path+".talk", "talk is %s: it can be %s to %s", g.Turns.Talk, minTalk, maxDuration)
	}
	if g.Turns.Overlap < 1 || g.Turns.Overlap > g.Count {
		c.add(path+".overlap", "overlap is %d: from 1 to all %d can talk at the same time", g.Turns.Overlap, g.Count)
	}
}

func (s *Scenario) checkEvent(c *checker, i int, e Event) {
	path := fmt.Sprintf("timeline[%d]", i)
	if e.At < 0 || e.At > s.Hold {
		c.add(path+".at", "at is %s, outside of the hold of %s", e.At, s.Hold)
	}
	if e.Do == "" && e.Name != "" {
		return
	}
	spec := e.Do.Spec()
	switch {
	case spec.Verb == "":
		c.add(path+".do", "do is %q: it can be %s", e.Do, listFor(e.Do, verbNames()))
	case spec.OfNode:
		c.within(path+".node", e.Node, MaxNodes)
		if e.Who != Host || e.Count != 1 {
			c.add(path, "%s is for a node: leave out who and count", e.Do)
		}
	case e.Node != 0:
		c.add(path+".node", "node is for %s and %s", KillNode, RestartNode)
	case !slices.Contains(spec.Who, e.Who):
		c.add(path+".who", "who is %q: %s is for %s", e.Who, e.Do, list(spec.Who))
	case e.Do == End && e.Count != 1:
		c.add(path+".count", "count is %d: a room ends once", e.Count)
	case e.Do == InviteGuest && e.Count > spec.MaxCount:
		c.add(path+".count", "count is %d: a stage has at most %d places", e.Count, spec.MaxCount)
	case !spec.OfRoom && e.Count > s.most(e.Who, i):
		c.add(path+".count", "count is %d: a room has at most %d with the role of %s then", e.Count, s.most(e.Who, i), e.Who)
	case spec.Becomes == Speaker && !s.speaks():
		c.add(path, "nobody in the cast has audio, so a promoted listener has nothing to say: give the listeners audio")
	}
	if e.Count < 1 {
		c.add(path+".count", "count is %d: the smallest is 1", e.Count)
	}
}

// most is the largest number of people who can have a role in a room when entry
// i of the timeline is played: those cast for it, and those whom other entries,
// in whatever order, bring into it.
func (s *Scenario) most(role Role, i int) int {
	n := s.people(role)
	for j, e := range s.Timeline {
		if j == i {
			continue
		}
		if e.Do.Spec().Becomes == role {
			n += min(max(e.Count, 0), maxCount)
		}
	}
	return n
}

// list writes words with commas between them.
func list[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// listFor is a list of the words that there are, and which of them another one most likely
// meant.
func listFor[T ~string](word T, words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	if question := spelling.Question(string(word), texts); question != "" {
		return list(words) + ": " + question
	}
	return list(words)
}

// speaks reports whether anybody has a recording to play.
func (s *Scenario) speaks() bool {
	for _, g := range s.Cast {
		if len(g.Audio) > 0 {
			return true
		}
	}
	return false
}

// doubts is what is allowed but probably not meant.
func (s *Scenario) doubts() []problem {
	var c checker
	listeners := s.Listeners()
	if seats := s.Room.Capacity * max(s.Room.Halls, 1); listeners > seats {
		c.add("room.capacity", "capacity is %d and %d listeners are cast: %d of them will be refused", seats, listeners, listeners-seats)
	}
	onStage, places := false, 0
	for i, g := range s.Cast {
		if g.Role != Listener {
			before := places
			if places += g.Count; places > wire.DefaultStage && before <= wire.DefaultStage {
				c.add(fmt.Sprintf("cast[%d].count", i), "with these, %d people are cast for the stage, and a room of earshot's server has %d places: the run fails there", places, wire.DefaultStage)
			}
		}
		onStage = onStage || g.Role != Listener && len(g.Audio) > 0
		if g.Arrive.Shape == Burst && g.Arrive.Within > 0 {
			c.add(fmt.Sprintf("cast[%d].arrive.within", i), "a burst comes all at once: within %s has no effect", g.Arrive.Within)
		}
	}
	switch {
	case !onStage && listeners == 0:
		c.add("cast", "nobody listens, and nobody on stage has audio: nothing will be measured")
	case !onStage:
		c.add("cast", "nobody on stage has audio: nobody will be owed anything unless somebody is promoted")
	}
	return c
}
