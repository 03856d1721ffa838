package room

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// at is n seconds past noon.
func at(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

// cast makes a room of two seats and three stage places with a host "h", a
// speaker "s" and a listener "l" in it.
func cast(t *testing.T, change ...func(*Config)) *Room {
	t.Helper()
	cfg := Config{Name: "lobby", Capacity: 2, Stage: 3}
	for _, c := range change {
		c(&cfg)
	}
	r, err := New(cfg, noon)
	require.NoError(t, err)
	for _, p := range []struct {
		id   MemberID
		role Role
	}{{"h", Host}, {"s", Speaker}, {"l", Listener}} {
		_, err := r.Join(JoinRequest{ID: p.id, Name: "name of " + string(p.id), Role: p.role}, noon)
		require.NoError(t, err)
	}
	return r
}

// must returns a setup step that has to succeed.
func must(call func(*Room) ([]Event, error)) func(*testing.T, *Room) {
	return func(t *testing.T, r *Room) {
		t.Helper()
		_, err := call(r)
		require.NoError(t, err)
	}
}

func TestNew(t *testing.T) {
	for _, row := range []struct {
		name string
		cfg  Config
		now  time.Time
		want error
	}{
		{"a name and one seat are enough", Config{Name: "a", Capacity: 1}, noon, nil},
		{"a room without a name is refused", Config{Capacity: 1}, noon, ErrConfig},
		{"a room without a seat is refused", Config{Name: "a"}, noon, ErrConfig},
		{"a negative capacity is refused", Config{Name: "a", Capacity: -1}, noon, ErrConfig},
		{"a negative stage is refused", Config{Name: "a", Capacity: 1, Stage: -1}, noon, ErrConfig},
		{"the zero time is refused", Config{Name: "a", Capacity: 1}, time.Time{}, ErrTime},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := New(row.cfg, row.now)
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
				require.ErrorIs(t, err, ErrConfig)
				assert.Nil(t, r)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, DefaultStage, r.Config().Stage)
			assert.Equal(t, row.cfg.Name, r.Name())
			assert.Equal(t, row.now, r.Created())
			assert.False(t, r.Ended())
			assert.Empty(t, r.Members())
		})
	}
}

// TestRules has one row a rule. A row without an error must cause exactly the
// events of the kinds it names, or none if it names none; a refused one must
// leave the room as it was.
func TestRules(t *testing.T) {
	type step = func(*testing.T, *Room)
	selfUnmute := func(c *Config) { c.SelfUnmute = true }
	for _, row := range []struct {
		name   string
		change func(*Config)
		given  []step
		call   func(*Room) ([]Event, error)
		err    error
		kind   Kind // 0: no event
		then   []Kind
		check  func(*testing.T, *Room, Event)
	}{
		{name: "a listener takes a seat",
			call: func(r *Room) ([]Event, error) {
				return r.Join(JoinRequest{ID: "l2", Name: "Lea", Role: Listener}, at(1))
			},
			kind: Joined,
			check: func(t *testing.T, r *Room, e Event) {
				assert.Equal(t, Member{ID: "l2", Name: "Lea", Role: Listener, JoinedAt: at(1)}, e.Member)
				assert.Equal(t, MemberID("l2"), e.By)
				assert.Equal(t, 2, r.Audience())
				assert.Len(t, r.Stage(), 2)
			}},
		{name: "a listener without a seat is refused",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l2", Role: Listener}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l3", Role: Listener}, at(1)) },
			err:   ErrFull},
		{name: "a full audience does not keep a speaker out",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l2", Role: Listener}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)) },
			kind:  Joined,
			check: func(t *testing.T, r *Room, _ Event) { assert.Equal(t, 2, r.Audience()) }},
		{name: "a speaker without a place on stage is refused",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s3", Role: Speaker}, at(1)) },
			err:   ErrStageFull},
		{name: "a host without a place on stage is refused",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "h2", Role: Host}, at(1)) },
			err:   ErrStageFull},
		{name: "an id that is present cannot join again, in another role either",
			call: func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l", Role: Speaker}, at(1)) },
			err:  ErrAlreadyMember},
		{name: "the empty id cannot join",
			call: func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "", Role: Listener}, at(1)) },
			err:  ErrID},
		{name: "the zero role cannot join",
			call: func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "x", Role: 0}, at(1)) },
			err:  ErrRole},
		{name: "a role beyond host cannot join",
			call: func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "x", Role: Host + 1}, at(1)) },
			err:  ErrRole},
		{name: "the zero time is refused",
			call: func(r *Room) ([]Event, error) { return r.RaiseHand("l", time.Time{}) },
			err:  ErrTime},

		{name: "anyone may leave",
			call: func(r *Room) ([]Event, error) { return r.Leave("l", at(1)) },
			kind: Left,
			check: func(t *testing.T, r *Room, e Event) {
				assert.Equal(t, ReasonLeft, e.Reason)
				assert.Equal(t, Listener, e.Member.Role)
				assert.Zero(t, r.Audience())
			}},
		{name: "the only host may leave, and the speaker is host",
			call: func(r *Room) ([]Event, error) { return r.Leave("h", at(1)) },
			kind: Left, then: []Kind{Promoted},
			check: func(t *testing.T, r *Room, _ Event) { assert.False(t, r.Ended()); assert.Len(t, r.Stage(), 1) }},
		{name: "who leaves takes the raised hand along",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Leave("l", at(2)) },
			kind:  Left,
			check: func(t *testing.T, r *Room, e Event) {
				assert.True(t, e.Member.HandUp(), "the event shows them as they last were")
				assert.Empty(t, r.Hands())
			}},
		{name: "a lost connection takes its person out and says so",
			call:  func(r *Room) ([]Event, error) { return r.TimeOut("s", at(1)) },
			kind:  Left,
			check: func(t *testing.T, _ *Room, e Event) { assert.Equal(t, ReasonLost, e.Reason) }},
		{name: "who is not there cannot leave",
			call: func(r *Room) ([]Event, error) { return r.Leave("x", at(1)) },
			err:  ErrNotMember},
		{name: "a freed seat can be taken",
			given: []step{
				must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l2", Role: Listener}, at(1)) }),
				must(func(r *Room) ([]Event, error) { return r.Leave("l", at(1)) })},
			call: func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l3", Role: Listener}, at(2)) },
			kind: Joined},

		{name: "a host may promote a listener to speaker, which lowers the hand and frees the seat",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Promote("h", "l", Speaker, at(2)) },
			kind:  Promoted,
			check: func(t *testing.T, r *Room, e Event) {
				assert.Equal(t, Listener, e.Was)
				assert.Equal(t, Speaker, e.Member.Role)
				assert.False(t, e.Member.HandUp())
				assert.Equal(t, MemberID("h"), e.By)
				assert.Empty(t, r.Hands())
				assert.Zero(t, r.Audience())
				assert.Equal(t, MemberID("l"), r.Stage()[2].ID)
			}},
		{name: "a host may promote a speaker to host, who keeps the place and the mute",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Promote("h", "s", Host, at(2)) },
			kind:  Promoted,
			check: func(t *testing.T, r *Room, e Event) {
				assert.Equal(t, Speaker, e.Was)
				assert.True(t, e.Member.Muted)
				assert.Equal(t, MemberID("s"), r.Stage()[1].ID)
			}},
		{name: "the operator may promote",
			call: func(r *Room) ([]Event, error) { return r.Promote(Operator, "l", Host, at(2)) },
			kind: Promoted},
		{name: "a speaker may not promote",
			call: func(r *Room) ([]Event, error) { return r.Promote("s", "l", Speaker, at(2)) },
			err:  ErrForbidden},
		{name: "a listener may not promote themselves",
			call: func(r *Room) ([]Event, error) { return r.Promote("l", "l", Speaker, at(2)) },
			err:  ErrForbidden},
		{name: "someone who is not in the room may not promote",
			call: func(r *Room) ([]Event, error) { return r.Promote("x", "l", Speaker, at(2)) },
			err:  ErrNotMember},
		{name: "someone who is not in the room cannot be promoted",
			call: func(r *Room) ([]Event, error) { return r.Promote("h", "x", Speaker, at(2)) },
			err:  ErrNotMember},
		{name: "who may not promote does not learn who is in the room",
			call: func(r *Room) ([]Event, error) { return r.Promote("l", "x", Speaker, at(2)) },
			err:  ErrForbidden},
		{name: "nobody is promoted to listener",
			call: func(r *Room) ([]Event, error) { return r.Promote("h", "s", Listener, at(2)) },
			err:  ErrRole},
		{name: "a speaker is not promoted to speaker",
			call: func(r *Room) ([]Event, error) { return r.Promote("h", "s", Speaker, at(2)) },
			err:  ErrOnStage},
		{name: "a host is not promoted to speaker",
			call: func(r *Room) ([]Event, error) { return r.Promote("h", "h", Speaker, at(2)) },
			err:  ErrOnStage},
		{name: "no promotion onto a full stage, and the hand stays up",
			given: []step{
				must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)) }),
				must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call: func(r *Room) ([]Event, error) { return r.Promote("h", "l", Speaker, at(2)) },
			err:  ErrStageFull},
		{name: "a full stage does not keep a speaker from becoming host",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Promote("h", "s", Host, at(2)) },
			kind:  Promoted},

		{name: "a host may demote a speaker, whose mute ends",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Demote("h", "s", at(2)) },
			kind:  Demoted,
			check: func(t *testing.T, r *Room, e Event) {
				assert.Equal(t, Speaker, e.Was)
				assert.Equal(t, Member{ID: "s", Name: "name of s", Role: Listener, JoinedAt: noon}, e.Member)
				assert.Equal(t, 2, r.Audience())
			}},
		{name: "a speaker may step down",
			call:  func(r *Room) ([]Event, error) { return r.Demote("s", "s", at(2)) },
			kind:  Demoted,
			check: func(t *testing.T, _ *Room, e Event) { assert.Equal(t, MemberID("s"), e.By) }},
		{name: "the only host may step down, and the speaker is host",
			call: func(r *Room) ([]Event, error) { return r.Demote("h", "h", at(2)) },
			kind: Demoted, then: []Kind{Promoted},
			check: func(t *testing.T, _ *Room, e Event) { assert.Equal(t, Host, e.Was) }},
		{name: "the operator may demote a host",
			call: func(r *Room) ([]Event, error) { return r.Demote(Operator, "h", at(2)) },
			kind: Demoted, then: []Kind{Promoted}},
		{name: "a speaker may not demote another",
			call: func(r *Room) ([]Event, error) { return r.Demote("s", "h", at(2)) },
			err:  ErrForbidden},
		{name: "a listener may not demote anyone",
			call: func(r *Room) ([]Event, error) { return r.Demote("l", "s", at(2)) },
			err:  ErrForbidden},
		{name: "a listener cannot step down",
			call: func(r *Room) ([]Event, error) { return r.Demote("l", "l", at(2)) },
			err:  ErrNotOnStage},
		{name: "no demotion into a full audience",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "l2", Role: Listener}, at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Demote("h", "s", at(2)) },
			err:   ErrFull},

		{name: "a speaker may mute themselves",
			call: func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(1)) },
			kind: Muted,
			check: func(t *testing.T, r *Room, _ Event) {
				m, _ := r.Member("s")
				assert.True(t, m.Muted)
				assert.Equal(t, MemberID("s"), m.MutedBy)
			}},
		{name: "a host may mute a speaker",
			call: func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) },
			kind: Muted},
		{name: "the operator may mute a host",
			call: func(r *Room) ([]Event, error) { return r.Mute(Operator, "h", at(1)) },
			kind: Muted},
		{name: "a speaker may not mute another",
			call: func(r *Room) ([]Event, error) { return r.Mute("s", "h", at(1)) },
			err:  ErrForbidden},
		{name: "a listener has nothing to mute",
			call: func(r *Room) ([]Event, error) { return r.Mute("l", "l", at(1)) },
			err:  ErrNotOnStage},
		{name: "muting the muted changes nothing",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(2)) }},
		{name: "a host's mute takes over a speaker's own",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(2)) },
			kind:  Muted,
			check: func(t *testing.T, _ *Room, e Event) { assert.Equal(t, MemberID("h"), e.Member.MutedBy) }},
		{name: "a speaker's own mute does not weaken a host's",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(2)) }},

		{name: "a speaker may undo their own mute",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) },
			kind:  Unmuted,
			check: func(t *testing.T, _ *Room, e Event) { assert.False(t, e.Member.Muted) }},
		{name: "a speaker may not undo a host's mute",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) },
			err:   ErrForbidden},
		{name: "a speaker may not undo the operator's mute",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute(Operator, "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) },
			err:   ErrForbidden},
		{name: "a speaker may undo a host's mute where the room allows it", change: selfUnmute,
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) },
			kind:  Unmuted},
		{name: "a host may undo the operator's mute of themselves",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute(Operator, "h", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("h", "h", at(2)) },
			kind:  Unmuted},
		{name: "a host may undo a speaker's own mute",
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("h", "s", at(2)) },
			kind:  Unmuted},
		{name: "a speaker may not unmute another", change: selfUnmute,
			given: []step{must(func(r *Room) ([]Event, error) { return r.Mute("h", "h", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.Unmute("s", "h", at(2)) },
			err:   ErrForbidden},
		{name: "unmuting the unmuted changes nothing",
			call: func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) }},
		{name: "a listener has nothing to unmute",
			call: func(r *Room) ([]Event, error) { return r.Unmute("h", "l", at(2)) },
			err:  ErrNotOnStage},

		{name: "a host may remove a listener",
			call: func(r *Room) ([]Event, error) { return r.Remove("h", "l", at(1)) },
			kind: Left,
			check: func(t *testing.T, _ *Room, e Event) {
				assert.Equal(t, ReasonRemoved, e.Reason)
				assert.Equal(t, MemberID("h"), e.By)
			}},
		{name: "the operator may remove a host",
			call: func(r *Room) ([]Event, error) { return r.Remove(Operator, "h", at(1)) },
			kind: Left, then: []Kind{Promoted}},
		{name: "a speaker may not remove anyone",
			call: func(r *Room) ([]Event, error) { return r.Remove("s", "l", at(1)) },
			err:  ErrForbidden},
		{name: "a listener may not remove even themselves: that is leaving",
			call: func(r *Room) ([]Event, error) { return r.Remove("l", "l", at(1)) },
			err:  ErrForbidden},
		{name: "who is not there cannot be removed",
			call: func(r *Room) ([]Event, error) { return r.Remove("h", "x", at(1)) },
			err:  ErrNotMember},

		{name: "a listener may raise a hand",
			call:  func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) },
			kind:  HandRaised,
			check: func(t *testing.T, r *Room, _ Event) { assert.Equal(t, at(1), r.Hands()[0].HandRaisedAt) }},
		{name: "a hand that is up keeps its time",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(2)) }},
		{name: "a speaker has no hand to raise",
			call: func(r *Room) ([]Event, error) { return r.RaiseHand("s", at(1)) },
			err:  ErrOnStage},
		{name: "a listener may lower their own hand",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.LowerHand("l", "l", at(2)) },
			kind:  HandLowered},
		{name: "a host may lower a hand",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.LowerHand("h", "l", at(2)) },
			kind:  HandLowered},
		{name: "a speaker may not lower another's hand",
			given: []step{must(func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(1)) })},
			call:  func(r *Room) ([]Event, error) { return r.LowerHand("s", "l", at(2)) },
			err:   ErrForbidden},
		{name: "lowering a hand that is down changes nothing",
			call: func(r *Room) ([]Event, error) { return r.LowerHand("l", "l", at(2)) }},

		{name: "a speaker may not end the room",
			call: func(r *Room) ([]Event, error) { return r.End("s", at(1)) },
			err:  ErrForbidden},
		{name: "someone who is not in the room may not end it",
			call: func(r *Room) ([]Event, error) { return r.End("x", at(1)) },
			err:  ErrNotMember},
	} {
		t.Run(row.name, func(t *testing.T) {
			change := row.change
			if change == nil {
				change = func(*Config) {}
			}
			r := cast(t, change)
			for _, s := range row.given {
				s(t, r)
			}
			before := shape(r)
			events, err := row.call(r)
			if row.err != nil {
				require.ErrorIs(t, err, row.err)
				assert.Empty(t, events)
				assert.Equal(t, before, shape(r), "a refused call changed the room")
				return
			}
			require.NoError(t, err)
			if row.kind == 0 {
				assert.Empty(t, events)
				assert.Equal(t, before, shape(r), "a call without an event changed the room")
				return
			}
			kinds := make([]Kind, len(events))
			for i, e := range events {
				kinds[i] = e.Kind
			}
			require.Equal(t, append([]Kind{row.kind}, row.then...), kinds)
			assert.Equal(t, "lobby", events[0].Room)
			assert.NotEqual(t, before, shape(r), "an event was reported but nothing changed")
			if row.check != nil {
				row.check(t, r, events[0])
			}
		})
	}
}

func ids(members []Member) []MemberID {
	out := make([]MemberID, len(members))
	for i, m := range members {
		out[i] = m.ID
	}
	return out
}
