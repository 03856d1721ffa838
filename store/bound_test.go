package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// TestRoomThatRemembersAllItCanIsKept writes the longest record of a room that there can
// be.
func TestRoomThatRemembersAllItCanIsKept(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	s, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	id, name := strings.Repeat("x", 32), strings.Repeat("\U0001F399", 80)
	state := room.State{Config: room.Config{Name: "full", Title: name, Owner: id}, Created: noon}
	for n := range room.MaxRemembered {
		account := fmt.Sprintf("guest:%026d", n)
		state.Blocks = append(state.Blocks, room.Block{Member: room.MemberID(id), Name: name, By: room.MemberID(id), At: noon,
			Identity: room.Identity{Account: account, TokenFamily: id, Invite: id}})
		state.Standings = append(state.Standings, room.Standing{Person: account, Role: room.Listener, Lowered: true, Muted: true, MutedBy: room.MemberID(id)})
	}
	require.NoError(t, s.PutRoom(state))
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), cfg)
	require.NoError(t, err)
	require.Len(t, s.Rooms(), 1)
	require.Len(t, s.Rooms()[0].Blocks, room.MaxRemembered)
	require.NoError(t, s.Close())
}
