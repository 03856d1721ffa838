package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// state is all that can be seen of a room.
type state struct {
	Ended    bool
	Members  []Member // in the order of joining
	Stage    []Member
	Hands    []Member
	Audience int
}

func shape(r *Room) state {
	return state{Ended: r.Ended(), Members: r.Members(), Stage: r.Stage(), Hands: r.Hands(), Audience: r.Audience()}
}

// roster rebuilds a room from its events alone, knowing nothing of its rules.
type roster struct {
	ended                 bool
	members, stage, hands []Member
}

func put(list []Member, m Member, in bool) []Member {
	i := slices.IndexFunc(list, func(x Member) bool { return x.ID == m.ID })
	switch {
	case i >= 0 && in:
		list[i] = m
	case i >= 0:
		list = slices.Delete(list, i, i+1)
	case in:
		list = append(list, m)
	}
	return list
}

func (s *roster) apply(e Event) error {
	if s.ended {
		return fmt.Errorf("%s after the end", e.Kind)
	}
	if e.Kind == Ended {
		if len(s.members) > 0 {
			return fmt.Errorf("ended with %d people in the room", len(s.members))
		}
		s.ended = true
		return nil
	}
	was := slices.ContainsFunc(s.members, func(m Member) bool { return m.ID == e.Member.ID })
	if was == (e.Kind == Joined) {
		return fmt.Errorf("%s of %q, present before: %t", e.Kind, e.Member.ID, was)
	}
	in := e.Kind != Left
	s.members = put(s.members, e.Member, in)
	s.stage = put(s.stage, e.Member, in && e.Member.Role.OnStage())
	s.hands = put(s.hands, e.Member, in && e.Member.HandUp())
	return nil
}

func (s *roster) state() state {
	full := func(list []Member) []Member { return append([]Member{}, list...) }
	return state{Ended: s.ended, Members: full(s.members), Stage: full(s.stage), Hands: full(s.hands),
		Audience: len(s.members) - len(s.stage)}
}

// TestAnySequenceOfCalls holds what must be true of a room whatever is done to
// it, in whatever order, by whomever.
func TestAnySequenceOfCalls(t *testing.T) {
	people := []MemberID{"a", "b", "c", "d", "e", "f", Operator, "never joins"}
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Name:       "r",
			Capacity:   rapid.IntRange(1, 3).Draw(t, "capacity"),
			Stage:      rapid.IntRange(1, 3).Draw(t, "stage"),
			SelfUnmute: rapid.Bool().Draw(t, "self unmute"),
		}
		r, err := New(cfg, noon)
		require.NoError(t, err)
		var replay roster
		now := noon
		before := shape(r)

		// step makes a call, then holds it to what is true of every call.
		step := func(call func(by, id MemberID) ([]Event, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				// Calls may share an instant: order must not rest on the clock.
				now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "later")) * time.Second)
				// Most calls are by and about people who are there, or few would be
				// allowed; the rest are by and about anyone.
				by, id := rapid.SampledFrom(people).Draw(t, "by"), rapid.SampledFrom(people).Draw(t, "id")
				if there := ids(r.Members()); len(there) > 0 && rapid.IntRange(0, 3).Draw(t, "there") > 0 {
					by = rapid.SampledFrom(append(there, Operator, Operator)).Draw(t, "by one who is there")
					id = rapid.SampledFrom(there).Draw(t, "one who is there")
				}
				events, err := call(by, id)
				if err != nil {
					require.Empty(t, events, "a refused call reported events")
					require.Equal(t, before, shape(r), "a refused call changed the room")
				}
				for _, e := range events {
					require.Equal(t, now, e.At)
					require.NoError(t, replay.apply(e))
				}
				before = shape(r)
			}
		}
		// Invalid roles are tried as well, but seldom.
		roles := []Role{Listener, Listener, Listener, Speaker, Speaker, Host, Host, 0, Host + 1}
		role := func(t *rapid.T) Role { return rapid.SampledFrom(roles).Draw(t, "role") }

		// Some people are there from the start, or most calls would find nobody.
		for range rapid.IntRange(0, 8).Draw(t, "present") {
			as := role(t)
			step(func(_, id MemberID) ([]Event, error) { return r.Join(id, "n", as, now) })(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				as := role(t)
				who := rapid.SampledFrom(people).Draw(t, "who")
				step(func(_, _ MemberID) ([]Event, error) { return r.Join(who, "n", as, now) })(t)
			},
			"promote": func(t *rapid.T) {
				to := role(t)
				step(func(by, id MemberID) ([]Event, error) { return r.Promote(by, id, to, now) })(t)
			},
			"leave":  step(func(_, id MemberID) ([]Event, error) { return r.Leave(id, now) }),
			"lose":   step(func(_, id MemberID) ([]Event, error) { return r.Lose(id, now) }),
			"remove": step(func(by, id MemberID) ([]Event, error) { return r.Remove(by, id, now) }),
			"demote": step(func(by, id MemberID) ([]Event, error) { return r.Demote(by, id, now) }),
			"mute":   step(func(by, id MemberID) ([]Event, error) { return r.Mute(by, id, now) }),
			"unmute": step(func(by, id MemberID) ([]Event, error) { return r.Unmute(by, id, now) }),
			"raise":  step(func(_, id MemberID) ([]Event, error) { return r.RaiseHand(id, now) }),
			"lower":  step(func(by, id MemberID) ([]Event, error) { return r.LowerHand(by, id, now) }),
			"end": func(t *rapid.T) {
				// Rarely, or most sequences would be spent in an ended room.
				if rapid.IntRange(0, 9).Draw(t, "really") != 0 {
					t.Skip("not this time")
				}
				step(func(by, _ MemberID) ([]Event, error) { return r.End(by, now) })(t)
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 19).Draw(t, "really") != 0 {
					t.Skip("not this time")
				}
				step(func(_, _ MemberID) ([]Event, error) { return r.Close(now), nil })(t)
			},
			"": func(t *rapid.T) {
				hold(t, r, cfg)
				require.Equal(t, shape(r), replay.state(), "the events do not rebuild the room")
			},
		})
	})
}

// hold checks the invariants of a room at rest.
func hold(t *rapid.T, r *Room, cfg Config) {
	s := shape(r)
	require.LessOrEqual(t, s.Audience, cfg.Capacity, "more listeners than seats")
	require.LessOrEqual(t, len(s.Stage), cfg.Stage, "more on stage than places")
	require.Equal(t, len(s.Members), r.Len())
	require.Equal(t, len(s.Hands), r.HandCount())
	if s.Ended {
		require.Empty(t, s.Members, "someone is in an ended room")
	}

	listeners := 0
	seen := map[MemberID]bool{}
	for _, m := range s.Members {
		require.False(t, seen[m.ID], "%q is in the room twice", m.ID)
		seen[m.ID] = true
		require.NotEqual(t, Operator, m.ID)
		require.True(t, m.Role.Valid(), "%q is %s", m.ID, m.Role)
		require.Equal(t, m.Role.OnStage(), count(s.Stage, m) == 1, "%q is %s, and on stage %d times", m.ID, m.Role, count(s.Stage, m))
		require.Equal(t, m.HandUp(), count(s.Hands, m) == 1)
		if m.Role == Listener {
			listeners++
			require.False(t, m.Muted, "%q is muted in the audience", m.ID)
		} else {
			require.False(t, m.HandUp(), "%q has a hand up on stage", m.ID)
		}
		got, ok := r.Member(m.ID)
		require.True(t, ok)
		require.Equal(t, m, got)
	}
	require.Equal(t, listeners, s.Audience)
	require.Len(t, s.Stage, len(s.Members)-listeners)
	for _, m := range append(slices.Clone(s.Stage), s.Hands...) {
		require.True(t, seen[m.ID], "%q is on stage or has a hand up but is not in the room", m.ID)
	}
}

// count tells how often exactly this member, in this state, is in the list.
func count(list []Member, m Member) int {
	n := 0
	for _, x := range list {
		if x == m {
			n++
		}
	}
	return n
}
