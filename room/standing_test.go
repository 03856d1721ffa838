package room

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// known is the request of a person with a token of their own, "t-" and their id.
func known(id MemberID, role Role) JoinRequest {
	return JoinRequest{ID: id, Role: role, Invited: true, Identity: Identity{TokenFamily: "t-" + string(id)}}
}

func claimOf(n JoinRequest) Claim {
	return Claim{Identity: n.Identity, Role: n.Role, Owner: n.Owner, InvitedBy: n.InvitedBy}
}

// TestDecisionsOutliveAStay does something to people and asks, when they have left and
// after a restart, what they may do.
func TestDecisionsOutliveAStay(t *testing.T) {
	for name, row := range map[string]struct {
		role  Role
		owner bool
		do    func(r *Room) ([]Event, error)
		want  Role
		muted bool
		err   error
	}{
		"who was left alone is what the token says": {role: Speaker, do: func(*Room) ([]Event, error) { return nil, nil }, want: Speaker},
		"a demoted host is a listener":              {role: Host, do: func(r *Room) ([]Event, error) { return r.Demote("h", "p", at(1)) }, want: Listener},
		"a demoted owner is a listener":             {role: Host, owner: true, do: func(r *Room) ([]Event, error) { return r.Demote("h", "p", at(1)) }, want: Listener},
		"a promoted listener is a speaker":          {role: Listener, do: func(r *Room) ([]Event, error) { return r.Promote("h", "p", Speaker, at(1)) }, want: Speaker},
		"who stepped down is a listener":            {role: Speaker, do: func(r *Room) ([]Event, error) { return r.Demote("p", "p", at(1)) }, want: Listener},
		"an owner takes back what they gave up":     {role: Host, owner: true, do: func(r *Room) ([]Event, error) { return r.TransferHost("p", "l", at(1)) }, want: Host},
		"who passed the host on is a speaker":       {role: Host, do: func(r *Room) ([]Event, error) { return r.TransferHost("p", "l", at(1)) }, want: Speaker},
		"who was muted is muted":                    {role: Speaker, do: func(r *Room) ([]Event, error) { return r.Mute("h", "p", at(1)) }, want: Speaker, muted: true},
		"who muted themselves is not":               {role: Speaker, do: func(r *Room) ([]Event, error) { return r.Mute("p", "p", at(1)) }, want: Speaker},
		"who was removed stays out":                 {role: Host, do: func(r *Room) ([]Event, error) { return r.Remove("h", "p", at(1)) }, err: ErrBlocked},
		"a banned owner stays out":                  {role: Host, owner: true, do: func(r *Room) ([]Event, error) { return r.Ban("h", "p", at(1)) }, err: ErrBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			r := cast(t, func(cfg *Config) { cfg.Capacity, cfg.Stage = 9, 9 })
			n := known("p", row.role)
			n.Owner = row.owner
			do := do(t)
			do(r.Join(n, noon))
			do(row.do(r))
			_, _ = r.Leave("p", at(2))
			restored, err := Restore(r.State(), at(3))
			require.NoError(t, err)
			for _, r := range []*Room{r, restored} {
				role, err := r.Allowed(claimOf(n))
				require.ErrorIs(t, err, row.err)
				if err != nil {
					_, err = r.Join(n, at(4))
					assert.ErrorIs(t, err, row.err)
					continue
				}
				assert.Equal(t, row.want, role)
				again := n
				if again.Role = role; role < row.role {
					_, err := r.Join(n, at(4))
					assert.ErrorIs(t, err, ErrForbidden, "not in the role of the token")
				}
				do(r.Join(again, at(4)))
				m, _ := r.Member("p")
				assert.Equal(t, row.muted, m.Muted)
			}
		})
	}
}

// TestTokenIsOnePerson has one token in the room twice: what is done to one session is
// done to the person.
func TestTokenIsOnePerson(t *testing.T) {
	both := func(t *testing.T) (*Room, func([]Event, error) []Event) {
		t.Helper()
		r, do := cast(t, func(cfg *Config) { cfg.Capacity, cfg.Stage = 9, 9 }), do(t)
		first, second := known("p", Host), known("q", Host)
		second.Identity = first.Identity
		do(r.Join(first, noon))
		do(r.Join(second, noon))
		return r, do
	}
	t.Run("removed", func(t *testing.T) {
		r, do := both(t)
		do(r.Remove("h", "p", at(1)))
		assert.Equal(t, 3, r.Len())
		assert.Len(t, r.Blocks(), 1)
	})
	t.Run("demoted", func(t *testing.T) {
		r, do := both(t)
		do(r.Demote("h", "p", at(1)))
		_, there := r.Member("q")
		assert.False(t, there, "the other session was a host")
	})
	t.Run("muted", func(t *testing.T) {
		r, do := both(t)
		assert.Len(t, do(r.Mute("h", "p", at(1))), 2)
		assert.Len(t, do(r.Unmute("h", "q", at(1))), 2)
	})
	t.Run("passes the host on", func(t *testing.T) {
		r, do := both(t)
		do(r.TransferHost("p", "l", at(1)))
		assert.Equal(t, Speaker, role(t, r, "q"))
	})
	t.Run("cannot put itself out", func(t *testing.T) {
		r, _ := both(t)
		_, err := r.Ban("p", "q", at(1))
		assert.ErrorIs(t, err, ErrForbidden)
	})
}

// TestWhatSomebodyOfferedEnds puts a host out who has invited others.
func TestWhatSomebodyOfferedEnds(t *testing.T) {
	for name, put := range map[string]func(r *Room) ([]Event, error){
		"banned":  func(r *Room) ([]Event, error) { return r.Ban("h", "p", at(1)) },
		"demoted": func(r *Room) ([]Event, error) { return r.Demote("h", "p", at(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			r, do := cast(t, func(cfg *Config) { cfg.Capacity, cfg.Stage = 9, 9 }), do(t)
			maker := known("p", Host)
			maker.Invite = "theirs"
			do(r.Join(maker, noon))
			do(r.InviteToStage("p", "l", Host, noon))
			do(r.Reserve(Reservation{Key: "i", Role: Speaker, Until: at(99), Inviter: maker.Identity}, noon))
			do(put(r))
			_, err := r.AcceptStage("l", at(2))
			assert.ErrorIs(t, err, ErrNotInvited)
			assert.Empty(t, r.Reservations())
			assert.True(t, r.InviteEnded("i", claimOf(maker), Speaker), "an invite to the stage that they made")
			banned := name == "banned"
			assert.Equal(t, banned, r.InviteEnded("i", claimOf(maker), Listener), "an invite to the audience that they made")
			assert.Equal(t, banned, r.InviteEnded("theirs", Claim{}, Listener), "the invite by which they came")
			second := known("second", Host)
			second.InvitedBy = maker.TokenFamily + " somebody"
			_, err = r.Allowed(claimOf(second))
			assert.Equal(t, banned, err != nil, "a token that they made for themselves")
		})
	}
	t.Run("who has come by their invite stays", func(t *testing.T) {
		r, do := cast(t, func(cfg *Config) { cfg.Capacity = 9 }), do(t)
		guest := known("g", Listener)
		guest.InvitedBy = "t-p"
		do(r.Join(known("p", Speaker), noon))
		do(r.Join(guest, noon))
		do(r.Ban("h", "p", at(1)))
		do(r.Leave("g", at(2)))
		do(r.Join(guest, at(3)))
	})
}

func TestNewerInviteGivesARoleBack(t *testing.T) {
	r, do := cast(t), do(t)
	who := Identity{Account: "a"}
	do(r.Join(JoinRequest{ID: "p", Role: Speaker, Identity: who}, noon))
	do(r.Demote("h", "p", at(2)))
	assert.False(t, r.Regrant(who, Speaker, at(1)), "an invite of before")
	assert.True(t, r.Regrant(who, Speaker, at(3)), "an invite of after")
	got, err := r.Allowed(Claim{Identity: who, Role: Listener})
	require.NoError(t, err)
	assert.Equal(t, Speaker, got)
}

// TestPromotedListenerWithoutAPlaceSits has the stage full when somebody comes back who
// was brought there.
func TestPromotedListenerWithoutAPlaceSits(t *testing.T) {
	r, do := cast(t), do(t)
	n := known("p", Listener)
	do(r.Join(n, noon))
	do(r.Promote("h", "p", Speaker, noon))
	do(r.Leave("p", at(1)))
	do(r.Join(JoinRequest{ID: "x", Role: Speaker}, at(1)))
	n.Role = Speaker
	_, err := r.Join(n, at(2))
	require.ErrorIs(t, err, ErrStageFull)
	n.OrListener = true
	do(r.Join(n, at(2)))
	assert.Equal(t, Listener, role(t, r, "p"))
}

// TestRoomRemembersSoManyAndNoMore fills what a room remembers: what it could not
// remember is refused, and not forgotten.
func TestRoomRemembersSoManyAndNoMore(t *testing.T) {
	r, do := cast(t, func(cfg *Config) { cfg.Capacity, cfg.Stage = 9, 9 }), do(t)
	do(r.Join(known("p", Speaker), noon))
	do(r.Join(known("q", Speaker), noon))
	do(r.Mute("h", "q", noon))
	for n := range MaxRemembered {
		r.blocks = append(r.blocks, Block{Member: "gone", Identity: Identity{Account: fmt.Sprint(n)}})
		r.standings[fmt.Sprint(n)] = Standing{Person: fmt.Sprint(n), Role: Listener}
	}
	_, err := r.Ban("h", "p", noon)
	require.ErrorIs(t, err, ErrRemembered)
	_, err = r.Mute("h", "p", noon)
	require.ErrorIs(t, err, ErrRemembered)
	_, err = r.Demote("h", "p", noon)
	require.ErrorIs(t, err, ErrRemembered)
	do(r.Demote("h", "q", noon)) // who is remembered already
	do(r.Demote("p", "p", noon))
	do(r.Unban("h", "gone", noon))
	do(r.Ban("h", "p", noon))
	assert.LessOrEqual(t, len(r.Standings()), MaxRemembered+1)
}
