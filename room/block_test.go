package room

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRecalledPersonIsKeptOut removes and bans somebody who was in the room on another server and has not come here.
func TestRecalledPersonIsKeptOut(t *testing.T) {
	who := Identity{Account: "bo", TokenFamily: "bo's"}
	recalled := Member{ID: "bo's earlier", Name: "Bo", Role: Listener, Identity: who}
	for _, row := range []struct {
		name     string
		by, id   MemberID
		ban      bool
		again    bool // they have come here since
		want     []Kind
		err      error
		kept     Identity // who is refused
		recalled Member
	}{
		{"a host removes them", "h", recalled.ID, false, false, []Kind{Blocked}, nil, Identity{TokenFamily: who.TokenFamily}, recalled},
		{"a host bans them", "h", recalled.ID, true, false, []Kind{Blocked}, nil, Identity{Account: who.Account}, recalled},
		{"the operator bans them", Operator, recalled.ID, true, false, []Kind{Blocked}, nil, Identity{Account: who.Account}, recalled},
		{"they have come here under another id, and go", "h", recalled.ID, true, true, []Kind{Blocked, Left}, nil, Identity{Account: who.Account}, recalled},
		{"a listener may not", "l", recalled.ID, true, false, nil, ErrForbidden, Identity{}, recalled},
		{"somebody who is not in may not", "nobody", recalled.ID, true, false, nil, ErrNotMember, Identity{}, recalled},
		{"somebody else is not in", "h", "other", true, false, nil, ErrNotMember, Identity{}, recalled},
		{"nobody removes themselves", "h", "h's earlier", true, false, nil, ErrForbidden, Identity{}, Member{ID: "h's earlier", Role: Host, Identity: Identity{TokenFamily: "h's"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := New(Config{Name: "lobby", Capacity: 3}, noon)
			require.NoError(t, err)
			for _, n := range []JoinRequest{{ID: "h", Role: Host, Identity: Identity{TokenFamily: "h's"}}, {ID: "l", Role: Listener}} {
				_, err := r.Join(n, noon)
				require.NoError(t, err)
			}
			if row.again {
				_, err := r.Join(JoinRequest{ID: "bo's", Role: Listener, Identity: who}, noon)
				require.NoError(t, err)
			}
			r.Recall(row.recalled)
			how := (*Room).Remove
			if row.ban {
				how = (*Room).Ban
			}
			events, err := how(r, row.by, row.id, at(1))
			require.ErrorIs(t, err, row.err)
			var kinds []Kind
			for _, e := range events {
				kinds = append(kinds, e.Kind)
			}
			assert.Equal(t, row.want, kinds)
			assert.Equal(t, row.kept != Identity{}, r.Blocked(row.kept))
			assert.Equal(t, 2, r.Len())
			if err == nil {
				_, err = how(r, row.by, row.id, at(2))
				require.ErrorIs(t, err, ErrNotMember, "it is done once")
				_, err = r.Unban(row.by, row.id, at(2))
				require.NoError(t, err)
				assert.False(t, r.Blocked(row.kept))
			}
		})
	}
}
