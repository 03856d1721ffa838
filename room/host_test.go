package room

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests of this file play what takes more than one call: who governs, who
// comes back, for whom a place is held.

func kinds(events []Event) []Kind {
	out := make([]Kind, len(events))
	for i, e := range events {
		out[i] = e.Kind
	}
	return out
}

// do makes a call that has to succeed and returns its events.
func do(t *testing.T) func([]Event, error) []Event {
	return func(events []Event, err error) []Event {
		t.Helper()
		require.NoError(t, err)
		return events
	}
}

func role(t *testing.T, r *Room, id MemberID) Role {
	t.Helper()
	m, ok := r.Member(id)
	require.True(t, ok, "%q is in the room", id)
	return m.Role
}

func TestGraceEndsWithASuccessor(t *testing.T) {
	r := cast(t, func(c *Config) { c.Stage, c.ReconnectWindow, c.Grace = 5, 60*time.Second, 30*time.Second })
	do(t)(r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(1)))
	assert.Equal(t, []Kind{Disconnected}, kinds(do(t)(r.Disconnect("h", at(10)))))
	assert.False(t, r.HasHost())
	assert.Equal(t, at(40), r.NextTick())
	assert.Empty(t, r.Tick(at(39)), "the host may come back")
	events := r.Tick(at(40))
	require.Equal(t, []Kind{Promoted}, kinds(events))
	assert.Equal(t, MemberID("s"), events[0].Member.ID)
	assert.Equal(t, ReasonSucceeded, events[0].Reason)
	assert.Equal(t, Operator, events[0].By)
	assert.True(t, r.HasHost())
	do(t)(r.Reconnect("h", at(41)))
	assert.Equal(t, Host, role(t, r, "h"), "who comes back in their window is what they were")
	assert.Equal(t, Host, role(t, r, "s"))
}

func TestHostReconnectsWithinTheGrace(t *testing.T) {
	r := cast(t, func(c *Config) { c.Grace = 30 * time.Second })
	do(t)(r.Disconnect("h", at(10)))
	do(t)(r.Reconnect("h", at(39)))
	assert.Zero(t, r.Grace())
	assert.Empty(t, r.Tick(at(100)))
	assert.Equal(t, Speaker, role(t, r, "s"))
}

func TestNoGraceWithAnotherHost(t *testing.T) {
	r := cast(t)
	do(t)(r.Promote("h", "s", Host, at(1)))
	do(t)(r.Disconnect("h", at(2)))
	assert.Zero(t, r.Grace())
}

func TestRoomEndsWithoutASuccessor(t *testing.T) {
	r := cast(t, func(c *Config) { c.ReconnectWindow, c.Grace = 10*time.Second, 30*time.Second })
	do(t)(r.Leave("s", at(1)))
	do(t)(r.Join(JoinRequest{ID: "w", Role: Speaker, MediaOnly: true}, at(1)))
	do(t)(r.Disconnect("h", at(2)))
	require.Equal(t, []Kind{Left}, kinds(r.Tick(at(12))), "the host's window is over")
	assert.Empty(t, r.Tick(at(31)))
	events := r.Tick(at(32))
	assert.Equal(t, []Kind{Left, Left, Ended}, kinds(events))
	assert.Equal(t, ReasonNoHost, events[2].Reason)
	assert.True(t, r.Ended())
}

func TestGraceWaitsForDisconnectedSpeakers(t *testing.T) {
	r := cast(t, func(c *Config) { c.ReconnectWindow, c.Grace = 60*time.Second, 30*time.Second })
	do(t)(r.Disconnect("h", at(0)))
	do(t)(r.Disconnect("s", at(10)))
	assert.Empty(t, r.Tick(at(30)), "nobody is there to succeed, but both may come back")
	do(t)(r.Reconnect("s", at(50)))
	assert.Equal(t, []Kind{Left, Promoted}, kinds(r.Tick(at(70))), "the host did not")
	assert.Equal(t, Host, role(t, r, "s"))
}

func TestRoomWaitsForItsFirstHost(t *testing.T) {
	r, err := New(Config{Name: "r", Capacity: 9}, noon)
	require.NoError(t, err)
	do(t)(r.Join(JoinRequest{ID: "l", Role: Listener}, at(1)))
	do(t)(r.Join(JoinRequest{ID: "s", Role: Speaker}, at(1)))
	assert.Zero(t, r.NextTick())
	do(t)(r.Join(JoinRequest{ID: "h", Role: Host}, at(2)))
	for _, id := range []MemberID{"l", "s", "h"} {
		do(t)(r.Leave(id, at(3)))
	}
	do(t)(r.Join(JoinRequest{ID: "l", Role: Listener}, at(4)))
	assert.Zero(t, r.NextTick(), "and so does one that everybody has left")
}

func TestTransferHost(t *testing.T) {
	for _, row := range []struct {
		name  string
		by    MemberID
		to    MemberID
		kinds []Kind
		err   error
	}{
		{"to a speaker", "h", "s", []Kind{Promoted, SteppedDown}, nil},
		{"to a listener, who comes on stage", "h", "l", []Kind{Promoted, SteppedDown}, nil},
		{"by the operator, who has none to lose", Operator, "s", []Kind{Promoted}, nil},
		{"not to oneself", "h", "h", nil, ErrOnStage},
		{"not by a speaker", "s", "l", nil, ErrForbidden},
		{"not to who is not there", "h", "x", nil, ErrNotMember},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := cast(t)
			events, err := r.TransferHost(row.by, row.to, at(1))
			require.ErrorIs(t, err, row.err)
			if row.err != nil {
				return
			}
			assert.Equal(t, row.kinds, kinds(events))
			assert.Equal(t, ReasonTransferred, events[0].Reason)
			assert.Equal(t, Host, role(t, r, row.to))
			if row.by == "h" {
				assert.Equal(t, Speaker, role(t, r, "h"))
			}
			assert.True(t, r.HasHost())
		})
	}
	t.Run("not to somebody without signaling", func(t *testing.T) {
		r := cast(t)
		do(t)(r.Join(JoinRequest{ID: "w", Role: Speaker, MediaOnly: true}, at(1)))
		_, err := r.TransferHost("h", "w", at(1))
		require.ErrorIs(t, err, ErrMediaOnly)
	})
}

func TestInviteToStageReservesAPlace(t *testing.T) {
	setup := func(t *testing.T) *Room {
		r := cast(t, func(c *Config) { c.Capacity, c.Stage, c.InvitationTimeout = 9, 3, 60*time.Second })
		do(t)(r.Join(JoinRequest{ID: "l2", Role: Listener}, at(1)))
		events := do(t)(r.InviteToStage("h", "l", Speaker, at(10)))
		require.Equal(t, []Kind{StageInvited}, kinds(events))
		require.Equal(t, Invitation{Role: Speaker, By: "h", Until: at(70)}, events[0].Member.Invitation)
		_, err := r.Promote("h", "l2", Speaker, at(11))
		require.ErrorIs(t, err, ErrStageFull, "the last place is held")
		_, err = r.InviteToStage("h", "l2", Speaker, at(11))
		require.ErrorIs(t, err, ErrStageFull)
		return r
	}
	closed := func(t *testing.T, events []Event, outcome Outcome) {
		t.Helper()
		require.NotEmpty(t, events)
		assert.Equal(t, StageInviteClosed, events[0].Kind)
		assert.Equal(t, outcome, events[0].Outcome)
		assert.False(t, events[0].Member.HasInvitation())
	}
	t.Run("for who accepts", func(t *testing.T) {
		r := setup(t)
		events := do(t)(r.AcceptStage("l", at(69)))
		closed(t, events, Accepted)
		require.Equal(t, []Kind{StageInviteClosed, Promoted}, kinds(events))
		assert.Equal(t, MemberID("h"), events[1].By)
		assert.Equal(t, Speaker, role(t, r, "l"))
	})
	t.Run("which is free when they decline", func(t *testing.T) {
		r := setup(t)
		closed(t, do(t)(r.DeclineStage("l", "l", at(12))), Declined)
		do(t)(r.Promote("h", "l2", Speaker, at(13)))
	})
	t.Run("or a host withdraws it", func(t *testing.T) {
		r := setup(t)
		_, err := r.DeclineStage("s", "l", at(12))
		require.ErrorIs(t, err, ErrForbidden)
		closed(t, do(t)(r.DeclineStage("h", "l", at(12))), Withdrawn)
		_, err = r.AcceptStage("l", at(13))
		require.ErrorIs(t, err, ErrNotInvited)
	})
	t.Run("or there is no answer in time", func(t *testing.T) {
		r := setup(t)
		assert.Equal(t, at(70), r.NextTick())
		assert.Empty(t, r.Tick(at(69)))
		closed(t, r.Tick(at(70)), Expired)
		do(t)(r.Promote("h", "l2", Speaker, at(71)))
	})
	t.Run("or they go", func(t *testing.T) {
		r := setup(t)
		events := do(t)(r.Leave("l", at(12)))
		closed(t, events, Withdrawn)
		assert.Equal(t, []Kind{StageInviteClosed, Left}, kinds(events))
	})
	t.Run("or a host brings them up without waiting", func(t *testing.T) {
		r := setup(t)
		events := do(t)(r.Promote("h", "l", Speaker, at(12)))
		closed(t, events, Accepted)
	})
	t.Run("and a second one takes its place", func(t *testing.T) {
		r := setup(t)
		do(t)(r.InviteToStage("h", "l", Host, at(20)))
		assert.Equal(t, at(80), r.NextTick())
		do(t)(r.AcceptStage("l", at(70)))
		assert.Equal(t, Host, role(t, r, "l"))
	})
}

func TestReservationExpires(t *testing.T) {
	r := cast(t)
	guest := Reservation{Key: "k", Name: "Dr. No", Role: Speaker, Until: at(60)}
	require.Equal(t, []Kind{PlaceReserved}, kinds(do(t)(r.Reserve(guest, at(1)))))
	_, err := r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(2))
	require.ErrorIs(t, err, ErrStageFull)
	_, err = r.Reserve(Reservation{Key: "k2", Role: Host, Until: at(60)}, at(2))
	require.ErrorIs(t, err, ErrStageFull)
	assert.Equal(t, at(60), r.NextTick())
	events := r.Tick(at(60))
	require.Equal(t, []Kind{ReservationExpired}, kinds(events))
	assert.Equal(t, guest, events[0].Reservation)
	do(t)(r.Join(JoinRequest{ID: "s2", Role: Speaker}, at(61)))
}

func TestJoinUsesUpAReservation(t *testing.T) {
	r := cast(t)
	do(t)(r.Reserve(Reservation{Key: "k", Role: Speaker, Until: at(60)}, at(1)))
	events := do(t)(r.Join(JoinRequest{ID: "g", Role: Speaker, Reservation: "k"}, at(2)))
	assert.Equal(t, []Kind{ReservationReleased, Joined}, kinds(events))
	assert.Empty(t, r.Reservations())
	assert.Empty(t, do(t)(r.ReleaseReservation("k", at(3))), "it is not held any more")
	_, err := r.Join(JoinRequest{ID: "g2", Role: Speaker, Reservation: "k"}, at(3))
	assert.ErrorIs(t, err, ErrStageFull, "one hold is one place")
}

func TestRemoveAndBanBlock(t *testing.T) {
	guest := JoinRequest{ID: "g", Role: Listener, Identity: Identity{Account: "a", TokenFamily: "p"}}
	for _, row := range []struct {
		name string
		out  func(*Room) ([]Event, error)
		back Identity
		err  error
	}{
		{"who was removed, with the same token",
			func(r *Room) ([]Event, error) { return r.Remove("h", "g", at(2)) }, Identity{Account: "a", TokenFamily: "p"}, ErrBlocked},
		{"who was removed may come by another token",
			func(r *Room) ([]Event, error) { return r.Remove("h", "g", at(2)) }, Identity{Account: "a", TokenFamily: "q"}, nil},
		{"who was banned, with the same token",
			func(r *Room) ([]Event, error) { return r.Ban("h", "g", at(2)) }, Identity{TokenFamily: "p"}, ErrBlocked},
		{"who was banned, with another token of their account",
			func(r *Room) ([]Event, error) { return r.Ban("h", "g", at(2)) }, Identity{Account: "a", TokenFamily: "q"}, ErrBlocked},
		{"who left may come back",
			func(r *Room) ([]Event, error) { return r.Leave("g", at(2)) }, Identity{Account: "a", TokenFamily: "p"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := cast(t, func(c *Config) { c.Capacity = 9 })
			do(t)(r.Join(guest, at(1)))
			do(t)(row.out(r))
			again := guest
			again.ID, again.Identity = "g2", row.back
			_, err := r.Join(again, at(3))
			require.ErrorIs(t, err, row.err)
			if row.err == nil {
				return
			}
			do(t)(r.Unban("h", "g", at(4)))
			do(t)(r.Join(again, at(5)))
		})
	}
	t.Run("nobody puts themselves out", func(t *testing.T) {
		r := cast(t)
		_, err := r.Ban("h", "h", at(1))
		require.ErrorIs(t, err, ErrForbidden)
		_, err = r.Remove("h", "h", at(1))
		require.ErrorIs(t, err, ErrForbidden)
	})
	t.Run("only a host lets somebody back in", func(t *testing.T) {
		r := cast(t)
		_, err := r.Unban("s", "g", at(1))
		require.ErrorIs(t, err, ErrForbidden)
		_, err = r.Unban("h", "g", at(1))
		require.ErrorIs(t, err, ErrNotMember)
	})
}

func TestJoinRefusesASecondAccountSession(t *testing.T) {
	r := cast(t, func(c *Config) { c.Capacity = 9 })
	do(t)(r.Join(JoinRequest{ID: "g", Role: Listener, Identity: Identity{Account: "a"}}, at(1)))
	again := JoinRequest{ID: "g2", Role: Listener, Identity: Identity{Account: "a"}}
	_, err := r.Join(again, at(2))
	require.ErrorIs(t, err, ErrAlreadyMember)
	id, known := r.Identify(again.Identity)
	require.True(t, known)
	events := do(t)(r.Replace(id, at(2)))
	assert.Equal(t, ReasonReplaced, events[0].Reason)
	do(t)(r.Join(again, at(2)))
}

func TestHandPolicies(t *testing.T) {
	for _, row := range []struct {
		name    string
		hands   HandPolicy
		invited bool
		err     error
	}{
		{"everybody may", HandsEveryone, false, nil},
		{"invited only, and they are", HandsInvited, true, nil},
		{"invited only, and they are not", HandsInvited, false, ErrHandPolicy},
		{"nobody may", HandsOff, true, ErrHandPolicy},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := cast(t, func(c *Config) { c.Capacity = 9 })
			do(t)(r.Join(JoinRequest{ID: "g", Role: Listener, Invited: row.invited}, at(1)))
			do(t)(r.RaiseHand("g", at(1)))
			events := do(t)(r.SetRules("h", Rules{Hands: row.hands}, at(2)))
			switch {
			case row.hands == HandsEveryone:
				assert.Empty(t, events, "nothing has changed")
			case row.err != nil:
				assert.Equal(t, []Kind{RulesSet, HandLowered}, kinds(events))
				_, err := r.RaiseHand("g", at(3))
				assert.ErrorIs(t, err, row.err)
			default:
				assert.Equal(t, []Kind{RulesSet}, kinds(events))
				assert.Equal(t, 1, r.HandCount())
			}
		})
	}
	t.Run("only a host sets the rules", func(t *testing.T) {
		_, err := cast(t).SetRules("s", Rules{Hands: HandsOff}, at(1))
		require.ErrorIs(t, err, ErrForbidden)
	})
	t.Run("a rule that there is not is refused", func(t *testing.T) {
		_, err := cast(t).SetRules("h", Rules{Visibility: Closed + 1}, at(1))
		require.ErrorIs(t, err, ErrConfig)
		_, err = cast(t).SetRules("h", Rules{AudienceHold: -1}, at(1))
		require.ErrorIs(t, err, ErrConfig)
	})
}

func TestJoinVisibility(t *testing.T) {
	for _, row := range []struct {
		name    string
		as      Visibility
		club    bool
		invited bool
		err     error
	}{
		{"an open room takes anybody", Open, false, false, nil},
		{"a members-only room takes an account", MembersOnly, true, false, nil},
		{"a members-only room takes an invited guest", MembersOnly, false, true, nil},
		{"a members-only room does not exist for others", MembersOnly, false, false, ErrHidden},
		{"a closed room takes who is invited", Closed, true, true, nil},
		{"a closed room does not exist for others", Closed, true, false, ErrHidden},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := cast(t)
			do(t)(r.SetRules("h", Rules{Visibility: row.as}, at(1)))
			_, err := r.Join(JoinRequest{ID: "g", Role: Listener, ClubMember: row.club, Invited: row.invited}, at(2))
			require.ErrorIs(t, err, row.err)
			assert.Equal(t, 3+map[bool]int{true: 1}[row.err == nil], r.Len(), "who is in stays")
		})
	}
}

func TestJoinOverflowsIntoTheNextHall(t *testing.T) {
	r, err := New(Config{Name: "r", Capacity: 2, Halls: 2}, noon)
	require.NoError(t, err)
	for _, row := range []struct {
		id   MemberID
		hall int
	}{{"a", 0}, {"b", 0}, {"c", 1}, {"d", 1}} {
		events := do(t)(r.Join(JoinRequest{ID: row.id, Role: Listener}, at(1)))
		assert.Equal(t, row.hall, events[0].Member.Hall, row.id)
	}
	_, err = r.Join(JoinRequest{ID: "e", Role: Listener}, at(2))
	require.ErrorIs(t, err, ErrFull)
	assert.Equal(t, []int{2, 2}, r.Halls())
	assert.Equal(t, 4, r.Audience())
	do(t)(r.Leave("a", at(3)))
	assert.Equal(t, []int{1, 2}, r.Halls())
	events := do(t)(r.Join(JoinRequest{ID: "e", Role: Listener}, at(4)))
	assert.Equal(t, 0, events[0].Member.Hall, "a seat that is free again is in the first hall")
	do(t)(r.Promote(Operator, "c", Speaker, at(5)))
	assert.Equal(t, []int{2, 1}, r.Halls())
	events = do(t)(r.Demote(Operator, "c", at(6)))
	assert.Equal(t, 1, events[0].Member.Hall, "who steps down sits where there is a seat")
}

func TestDisconnectedMemberKeepsTheirSeat(t *testing.T) {
	r := cast(t, func(c *Config) { c.ReconnectWindow = 20 * time.Second })
	do(t)(r.RaiseHand("l", at(1)))
	do(t)(r.Disconnect("l", at(2)))
	assert.Empty(t, do(t)(r.Disconnect("l", at(3))), "away is away")
	assert.Equal(t, 1, r.Audience())
	assert.Equal(t, 1, r.HandCount())
	do(t)(r.Reconnect("l", at(10)))
	assert.Empty(t, do(t)(r.Reconnect("l", at(11))))
	do(t)(r.Disconnect("l", at(12)))
	assert.Equal(t, at(32), r.NextTick(), "the window is that of the last loss")
	events := r.Tick(at(32))
	require.Equal(t, []Kind{Left}, kinds(events))
	assert.Equal(t, ReasonLost, events[0].Reason)
	assert.Zero(t, r.Audience())
	t.Run("who has no signaling has nothing to come back with", func(t *testing.T) {
		do(t)(r.Join(JoinRequest{ID: "w", Role: Listener, MediaOnly: true}, at(40)))
		_, err := r.Disconnect("w", at(41))
		require.ErrorIs(t, err, ErrMediaOnly)
	})
}

func TestRestoreBringsTheStageBack(t *testing.T) {
	r := cast(t, func(c *Config) {
		c.Capacity, c.Stage, c.ReconnectWindow, c.Grace = 9, 9, 20*time.Second, 30*time.Second
	})
	do(t)(r.Join(JoinRequest{ID: "g", Name: "Gil", Role: Speaker, Identity: Identity{TokenFamily: "p"}}, at(1)))
	do(t)(r.Mute("h", "g", at(2)))
	do(t)(r.Ban("h", "l", at(2)))
	again, err := Restore(r.State(), at(60))
	require.NoError(t, err)
	id, known := again.Identify(Identity{TokenFamily: "p"})
	require.True(t, known, "somebody on stage is known by their token")
	assert.Equal(t, MemberID("g"), id)
	do(t)(again.Reconnect("g", at(61)))
	m, _ := again.Member("g")
	assert.True(t, m.Muted, "a restart does not unmute")
	assert.Equal(t, Speaker, m.Role)
	assert.Equal(t, "Gil", m.Name)
	assert.Equal(t, []Kind{Left, Left}, kinds(again.Tick(at(80))), "who did not come back is gone")
	assert.Equal(t, []Kind{Promoted}, kinds(again.Tick(at(90))), "and somebody governs")
	t.Run("what is no state is refused", func(t *testing.T) {
		s := r.State()
		s.Stage[0].Role = Listener
		_, err := Restore(s, at(1))
		require.ErrorIs(t, err, ErrConfig)
	})
}
