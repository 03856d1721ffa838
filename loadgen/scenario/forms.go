package scenario

import (
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// The forms of a scenario file, from the inside out.
var (
	length = named("duration", value[Duration]{read: (*reader).duration})
	people = integer[int](1, maxCount)
	// nodeNumber is the number of a server of a cluster.
	nodeNumber = integer[int](1, MaxNodes)
	role       = named("role", oneOf(Speaker, Listener, Host))
	audio      = value[[]string]{read: readAudio, schema: func() *jsonschema.Schema {
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{ref("audioFile"), {Type: "array", MinItems: new(1), Items: ref("audioFile")}}}
	}}
	conditions = value[[]metric.Threshold]{
		read:   func(r *reader, f field, _ string) []metric.Threshold { return r.thresholds(f) },
		schema: thresholdsSchema,
	}
)

func roomForm() form[RoomSpec] {
	return form[RoomSpec]{
		what: "room",
		fields: []member[RoomSpec]{
			put("capacity", integer[int](1, wire.MaxCapacity), func(s *RoomSpec) *int { return &s.Capacity },
				"Audience seats of one hall. Left out: one for each listener of the cast."),
			put("halls", integer[int](1, wire.MaxHalls), func(s *RoomSpec) *int { return &s.Halls },
				"How many halls of that capacity the room may have, itself included. Who finds one full sits in the next and hears the same stage.").or(1),
			put("slots", integer[int](1, wire.MaxSlots), func(s *RoomSpec) *int { return &s.Slots },
				"How many voices the room passes on at once: the loudest.").or(wire.DefaultSlots),
			put("audience_hold", length, func(s *RoomSpec) *Duration { return &s.AudienceHold },
				"How long packets for the audience may wait for others, to leave as one message: 200ms at most. It costs as much latency, and saves work.").or("0s"),
			put("node", nodeNumber, func(s *RoomSpec) *int { return &s.Node },
				"Which server of a cluster has the room: the oldest is 1. Left out: the cluster decides."),
		},
	}
}

// arrivalsForm is when a group comes, or leaves.
func arrivalsForm(what string) form[Arrivals] {
	return form[Arrivals]{
		what: what,
		fields: []member[Arrivals]{
			put("within", length, func(a *Arrivals) *Duration { return &a.Within }, "The time in which all of them come, or leave."),
			put("shape", oneOf(Linear, Poisson, SCurve, Burst), func(a *Arrivals) *Shape { return &a.Shape },
				"linear: evenly spaced; poisson: by chance; s-curve: slow, fast, slow; burst: all at once at 0 s.").or(Linear),
		},
		finish: func(r *reader, f field, given map[string]field, a *Arrivals) {
			if a.Shape != Burst {
				r.require(f, given, what, "within")
			}
		},
		relate: func(s *jsonschema.Schema) {
			burst := is("shape", Burst)
			burst.Required = []string{"shape"}
			s.AnyOf = []*jsonschema.Schema{{Required: []string{"within"}}, burst}
		},
	}
}

func arrivals(what string) value[Arrivals] {
	return formed(arrivalsForm(what), Arrivals{Shape: Linear})
}

func turnsForm() form[Turns] {
	return form[Turns]{
		what: "turns",
		fields: []member[Turns]{
			put("talk", length, func(t *Turns) *Duration { return &t.Talk }, "How long a turn lasts: 200ms or more.").need(),
			put("overlap", people, func(t *Turns) *int { return &t.Overlap }, "How many of them talk at any time.").or(1),
		},
	}
}

func groupForm() form[Group] {
	return form[Group]{
		what: "an entry of the cast",
		fields: []member[Group]{
			put("role", role, func(g *Group) *Role { return &g.Role },
				"What they come as: speakers and hosts are on stage, listeners in the audience.").need(),
			put("count", people, func(g *Group) *int { return &g.Count }, "How many of them, in each room.").need(),
			put("audio", audio, func(g *Group) *[]string { return &g.Audio },
				"What they say, looped: one recording, or a list that they take in turn."),
			put("arrive", arrivals("arrive"), func(g *Group) *Arrivals { return &g.Arrive },
				"When the listeners come, or the speakers where nobody is cast to listen. Left out: all at once."),
			put("depart", pointer(arrivals("depart")), func(g *Group) **Arrivals { return &g.Depart },
				"When the listeners leave, after the hold. Left out: they stay to the end."),
			put("turns", pointer(formed(turnsForm(), Turns{Overlap: 1})), func(g *Group) **Turns { return &g.Turns },
				"How these speakers take turns. Left out: all of them talk all the time."),
			put("sections", integer[int](1, wire.MaxSlots), func(g *Group) *int { return &g.Sections },
				"How many voices at once each of their ears offers to take. Left out: as many as the room has slots."),
			put("network", networks, func(g *Group) **network.Profile { return &g.Network },
				"The simulated network that their media goes through. Left out: none."),
			put("repair", oneOf(network.Repairs()...), func(g *Group) *network.Repair { return &g.Repair },
				"What their clients offer against lost packets: to ask for them again (NACK), redundant audio (RED, RFC 2198), or both. Left out: nack on a simulated network, and else none."),
			put("node", nodeNumber, func(g *Group) *int { return &g.Node },
				"From which server of a cluster these listeners hear the room: the oldest is 1. Left out: the cluster decides."),
			put("transport", transports, func(g *Group) *network.Shares { return &g.Transport },
				"How their media gets to the server: how many of them by each transport, relative to one another. Left out: all by UDP."),
		},
		relate: func(s *jsonschema.Schema) {
			s.DependentRequired = map[string][]string{"turns": {"audio"}}
			s.AllOf = []*jsonschema.Schema{
				{If: is("role", Speaker), Then: &jsonschema.Schema{Required: []string{"audio"}}},
				{
					If:   is("role", Listener),
					Then: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"turns": never()}},
					Else: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"depart": never(), "node": never()}},
				},
			}
		},
	}
}

func eventForm() form[Event] {
	const what = "an entry of the timeline"
	return form[Event]{
		what: what,
		fields: []member[Event]{
			put("at", length, func(e *Event) *Duration { return &e.At }, "When, counted from the end of the arrivals.").need(),
			put("who", role, func(e *Event) *Role { return &e.Who },
				"From the people of which role they are picked. Not needed for end, invite-guest, kill-node and restart-node."),
			put("count", people, func(e *Event) *int { return &e.Count }, "How many of them, in each room.").or(1),
			put("do", oneOf(verbNames()...), func(e *Event) *Verb { return &e.Do },
				"What they do, or what the room's moderator does to them; or what happens to a server."),
			put("node", nodeNumber, func(e *Event) *int { return &e.Node }, "Which server kill-node or restart-node is for: the oldest is 1."),
			put("name", words("^[A-Za-z0-9_-]+$", maxSpanName), func(e *Event) *string { return &e.Name },
				"Names a span of the run, which thresholds select as a phase."),
			put("for", length, func(e *Event) *Duration { return &e.For },
				"How long the named span lasts. Left out: until the next name, or the end of the hold."),
		},
		finish: func(r *reader, f field, given map[string]field, e *Event) {
			_, acts := given["do"]
			_, named := given["name"]
			_, of := given["who"]
			switch {
			case !acts && named:
				for _, key := range []string{"who", "count", "node"} {
					if _, ok := given[key]; ok {
						r.fail(f.node, "%s has %s and nothing to do: give it the field do", what, key)
					}
				}
				e.Count = 0
			case e.Do.Spec().OfNode:
				e.Who = Host
				r.require(f, given, what, "node")
				for _, key := range []string{"who", "count"} {
					if _, ok := given[key]; ok {
						r.fail(f.node, "%s has %s, and %s is for a node", what, key, e.Do)
					}
				}
			case !acts:
				r.require(f, given, what, "do")
			case !of && e.Do.Spec().OfRoom:
				e.Who = Host
			case !of:
				r.require(f, given, what, "who")
			}
		},
		relate: func(s *jsonschema.Schema) {
			s.DependentRequired = map[string][]string{"for": {"name"}}
			s.AllOf = []*jsonschema.Schema{{
				If:   &jsonschema.Schema{Required: []string{"do"}},
				Else: &jsonschema.Schema{Required: []string{"name"}, Properties: map[string]*jsonschema.Schema{"who": never(), "count": never(), "node": never()}},
			}}
			for _, v := range verbs {
				then := is("who", v.Who...)
				if !v.OfRoom {
					then.Required = []string{"who"}
				}
				if v.OfNode {
					then = &jsonschema.Schema{
						Required: []string{"node"}, Properties: map[string]*jsonschema.Schema{"who": never(), "count": never()},
					}
				}
				if v.MaxCount > 0 {
					then.Properties["count"] = &jsonschema.Schema{Maximum: new(float64(v.MaxCount))}
				}
				only := is("do", v.Verb)
				only.Required = []string{"do"}
				s.AllOf = append(s.AllOf, &jsonschema.Schema{If: only, Then: then})
			}
		},
	}
}

func scenarioForm() form[Scenario] {
	return form[Scenario]{
		what: "a scenario",
		fields: []member[Scenario]{
			put("name", words(`\S`, maxName), func(s *Scenario) *string { return &s.Name }, "What the report calls the scenario.").need(),
			put("rooms", integer[int](1, wire.MaxRooms), func(s *Scenario) *int { return &s.Rooms },
				"How many rooms; each has the whole cast and timeline.").or(1),
			put("room", formed(roomForm(), RoomSpec{Slots: wire.DefaultSlots, Halls: 1}), func(s *Scenario) *RoomSpec { return &s.Room },
				"What each room is created with."),
			put("cast", many(formed(groupForm(), Group{}), ""), func(s *Scenario) *[]Group { return &s.Cast },
				"The people of each room, in groups of alike.").need(),
			put("timeline", many(formed(eventForm(), Event{Count: 1}), ""), func(s *Scenario) *[]Event { return &s.Timeline },
				"What happens during the hold."),
			put("hold", length, func(s *Scenario) *Duration { return &s.Hold },
				"How long the steady state lasts, in which is measured.").need(),
			put("warm_up", length, func(s *Scenario) *Duration { return &s.WarmUp },
				"How much of the beginning of the hold is not measured.").or("0s"),
			put("join_deadline", length, func(s *Scenario) *Duration { return &s.JoinDeadline },
				"How long after the intended start of its join a listener may take to hear something.").or(defaultJoinDeadline.String()),
			put("audio_check", oneOf(CheckPackets, CheckMarker), func(s *Scenario) *AudioCheck { return &s.AudioCheck },
				"How a listener's audio is recognised: by its packets, or by a mark in the audio, for servers that mix or transcode.").or(string(CheckPackets)),
			put("audio_score", yes, func(s *Scenario) *bool { return &s.AudioScore },
				"Whether what probes hear is decoded after the run and scored, as audio_score.").or(false),
			put("seed", seed, func(s *Scenario) *int64 { return &s.Seed }, "Decides everything that is left to chance.").or(defaultSeed),
			put("thresholds", conditions, func(s *Scenario) *[]metric.Threshold { return &s.Thresholds },
				"What must hold for the run to pass, by metric. A name may select a part: latency{network:3g}, delivered{phase:steady}."),
		},
	}
}

// seed is any whole number of 64 bits.
var seed = func() value[int64] {
	v := integer[int64](-1<<63, 1<<63-1)
	v.schema = func() *jsonschema.Schema { return &jsonschema.Schema{Type: "integer"} }
	return v
}()

// defaults is a scenario in which nothing is given.
func defaults() *Scenario {
	return &Scenario{
		Rooms: 1, Room: RoomSpec{Halls: 1, Slots: wire.DefaultSlots}, JoinDeadline: defaultJoinDeadline, AudioCheck: CheckPackets, Seed: defaultSeed,
	}
}

// readAudio reads one path or a list of them.
func readAudio(r *reader, f field, what string) (paths []string) {
	items := []field{f}
	if _, list := f.node.(*ast.SequenceNode); list {
		items = r.items(f, what)
	}
	for _, item := range items {
		paths = append(paths, audioPath(r.file, r.audioName(item, what)))
	}
	return paths
}

// audioName reads the name of a recording. In a list in brackets the YAML parser takes
// builtin:speech for a field, which YAML 1.2 does not (section 7.3.3).
func (r *reader) audioName(f field, what string) string {
	if m, ok := f.node.(*ast.MappingNode); ok && len(m.Values) == 1 {
		f.node = m.Values[0]
	}
	if m, ok := f.node.(*ast.MappingValueNode); ok && m.Key.String()+":" == BuiltIn {
		return BuiltIn + r.text(field{f.path, m.Value}, what)
	}
	return r.text(f, what)
}

// audioPath returns where the recording is that a scenario file names.
func audioPath(file, name string) string {
	switch {
	case name == "", filepath.IsAbs(name), strings.HasPrefix(name, BuiltIn):
		return name
	case strings.HasPrefix(file, BuiltIn): // its recordings come with earshot, too
		return BuiltIn + strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	return filepath.Join(filepath.Dir(file), filepath.FromSlash(name))
}

// moment is a length of time that the network package keeps.
var moment = value[time.Duration]{
	read:   func(r *reader, f field, what string) time.Duration { return r.duration(f, what).Duration() },
	schema: length.schema,
}
