package room

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnd(t *testing.T) {
	for _, row := range []struct {
		name string
		by   MemberID
		end  func(*Room) ([]Event, error)
	}{
		{"a host ends the room for everyone", "h",
			func(r *Room) ([]Event, error) { return r.End("h", at(9)) }},
		{"the operator ends the room for everyone", Operator,
			func(r *Room) ([]Event, error) { return r.End(Operator, at(9)) }},
		{"closing ends the room for everyone", Operator,
			func(r *Room) ([]Event, error) { return r.Close(at(9)), nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := cast(t)
			_, err := r.RaiseHand("l", at(1))
			require.NoError(t, err)
			events, err := row.end(r)
			require.NoError(t, err)
			require.Len(t, events, 4)
			for i, id := range []MemberID{"h", "s", "l"} {
				assert.Equal(t, Left, events[i].Kind)
				assert.Equal(t, ReasonEnded, events[i].Reason)
				assert.Equal(t, id, events[i].Member.ID)
				assert.Equal(t, row.by, events[i].By)
			}
			assert.Equal(t, Event{Kind: Ended, Room: "lobby", By: row.by, Reason: ReasonEnded, At: at(9)}, events[3])
			assert.True(t, r.Ended())
			assert.Zero(t, r.Len())
			assert.Empty(t, r.Stage())
			assert.Empty(t, r.Hands())
		})
	}
}

func TestEndedRoomRefusesEveryCall(t *testing.T) {
	for name, call := range map[string]func(*Room) ([]Event, error){
		"join":          func(r *Room) ([]Event, error) { return r.Join(JoinRequest{ID: "x", Role: Listener}, at(2)) },
		"leave":         func(r *Room) ([]Event, error) { return r.Leave("l", at(2)) },
		"lose":          func(r *Room) ([]Event, error) { return r.TimeOut("l", at(2)) },
		"remove":        func(r *Room) ([]Event, error) { return r.Remove(Operator, "l", at(2)) },
		"promote":       func(r *Room) ([]Event, error) { return r.Promote("h", "l", Speaker, at(2)) },
		"demote":        func(r *Room) ([]Event, error) { return r.Demote("h", "s", at(2)) },
		"mute":          func(r *Room) ([]Event, error) { return r.Mute("s", "s", at(2)) },
		"unmute":        func(r *Room) ([]Event, error) { return r.Unmute("s", "s", at(2)) },
		"raise hand":    func(r *Room) ([]Event, error) { return r.RaiseHand("l", at(2)) },
		"lower hand":    func(r *Room) ([]Event, error) { return r.LowerHand("l", "l", at(2)) },
		"remove by ban": func(r *Room) ([]Event, error) { return r.Ban(Operator, "l", at(2)) },
		"unban":         func(r *Room) ([]Event, error) { return r.Unban(Operator, "l", at(2)) },
		"pass host":     func(r *Room) ([]Event, error) { return r.TransferHost("h", "s", at(2)) },
		"invite":        func(r *Room) ([]Event, error) { return r.InviteToStage("h", "l", Speaker, at(2)) },
		"accept":        func(r *Room) ([]Event, error) { return r.AcceptStage("l", at(2)) },
		"decline":       func(r *Room) ([]Event, error) { return r.DeclineStage("l", "l", at(2)) },
		"set rules":     func(r *Room) ([]Event, error) { return r.SetRules(Operator, Rules{}, at(2)) },
		"go away":       func(r *Room) ([]Event, error) { return r.Disconnect("l", at(2)) },
		"come back":     func(r *Room) ([]Event, error) { return r.Reconnect("l", at(2)) },
		"replace":       func(r *Room) ([]Event, error) { return r.Replace("l", at(2)) },
		"hold": func(r *Room) ([]Event, error) {
			return r.Reserve(Reservation{Key: "k", Role: Speaker, Until: at(9)}, at(2))
		},
		"release": func(r *Room) ([]Event, error) { return r.ReleaseReservation("k", at(2)) },
		"end":     func(r *Room) ([]Event, error) { return r.End(Operator, at(2)) },
	} {
		t.Run(name+" in an ended room is refused", func(t *testing.T) {
			r := cast(t)
			require.NotEmpty(t, r.Close(at(1)))
			events, err := call(r)
			require.ErrorIs(t, err, ErrEnded)
			assert.Empty(t, events)
			assert.Empty(t, r.Close(at(3)), "closing twice")
		})
	}
}

func TestOrders(t *testing.T) {
	t.Run("hands raised in one instant stay in the order of the calls", func(t *testing.T) {
		r := cast(t, func(c *Config) { c.Capacity = 9 })
		for _, id := range []MemberID{"z", "a", "m"} {
			_, err := r.Join(JoinRequest{ID: id, Role: Listener}, at(1))
			require.NoError(t, err)
			_, err = r.RaiseHand(id, at(1))
			require.NoError(t, err)
		}
		assert.Equal(t, []MemberID{"z", "a", "m"}, ids(r.Hands()))
		assert.Equal(t, 3, r.HandCount())
		_, err := r.LowerHand("z", "z", at(2))
		require.NoError(t, err)
		_, err = r.RaiseHand("z", at(2))
		require.NoError(t, err)
		assert.Equal(t, []MemberID{"a", "m", "z"}, ids(r.Hands()))
	})
	t.Run("the stage is in the order in which it was taken", func(t *testing.T) {
		r := cast(t)
		_, err := r.Demote("h", "h", at(1))
		require.NoError(t, err)
		_, err = r.Promote(Operator, "h", Host, at(2))
		require.NoError(t, err)
		assert.Equal(t, []MemberID{"s", "h"}, ids(r.Stage()))
		assert.Equal(t, []MemberID{"h", "s", "l"}, ids(r.Members()))
	})
	t.Run("what a room hands out is a copy", func(t *testing.T) {
		r := cast(t)
		r.Stage()[0].Muted = true
		r.Members()[0].Role = Listener
		m, ok := r.Member("h")
		require.True(t, ok)
		assert.Equal(t, Member{ID: "h", Name: "name of h", Role: Host, JoinedAt: noon}, m)
		_, ok = r.Member("nobody")
		assert.False(t, ok)
	})
}

func TestNames(t *testing.T) {
	assert.Equal(t, "listener speaker host role(0) role(4)",
		Listener.String()+" "+Speaker.String()+" "+Host.String()+" "+Role(0).String()+" "+Role(4).String())
	kinds := ""
	for k := Kind(0); k <= Ended+1; k++ {
		kinds += k.String() + " "
	}
	assert.Equal(t, "event(0) joined left promoted demoted muted unmuted hand-raised hand-lowered yielded went-away came-back "+
		"stage-invited stage-invite-closed applauded rules-set barred unbarred held released guest-lapsed ended event(22) ", kinds)
	outcomes := ""
	for o := Outcome(0); o <= Expired+1; o++ {
		outcomes += o.String() + " "
	}
	assert.Equal(t, " accepted declined withdrawn lapsed outcome(5) ", outcomes)
	reasons := ""
	for r := Reason(0); r <= ReasonSucceeded+1; r++ {
		reasons += r.String() + " "
	}
	assert.Equal(t, " left removed banned replaced lost ended ungoverned passed succeeded reason(10) ", reasons)
}
