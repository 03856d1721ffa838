package room

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestForgetKeepsABanWithoutAName(t *testing.T) {
	r, err := New(Config{Name: "lobby", Capacity: 9, Stage: 9}, at(0))
	require.NoError(t, err)
	do(t)(r.Join(JoinRequest{ID: "h", Name: "Ada", Role: Host}, at(1)))
	join := func(id MemberID, account, family string) {
		do(t)(r.Join(JoinRequest{ID: id, Name: "Zed", Role: Speaker, Identity: Identity{Account: account, TokenFamily: family}, Invited: true}, at(2)))
	}
	join("z", "zed", "1")
	do(t)(r.Mute("h", "z", at(3)))
	do(t)(r.Ban("h", "z", at(4)))
	join("o", "other", "2")
	do(t)(r.Demote("h", "o", at(5)))
	do(t)(r.Reserve(Reservation{Key: "k", Name: "Guest", Role: Speaker, Until: at(99), Inviter: Identity{Account: "zed"}}, at(5)))

	assert.True(t, r.Forget("zed", "Zed"))
	assert.False(t, r.Forget("zed", "Zed"), "nothing is left")
	assert.True(t, r.Blocked(Identity{Account: "zed"}), "the ban holds")
	assert.Empty(t, r.Blocks()[0].Name)
	assert.Empty(t, r.Reservations())
	for _, s := range r.Standings() {
		assert.Equal(t, "other", s.Person, "others are not forgotten")
	}
	assert.Len(t, r.Standings(), 1)
	assert.False(t, r.Forget("", ""), "people without an account are not one person")
}
