package endtoend_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// byWHEPOf exchanges over WHEP by way of a node, and tries again while it says that the room is on its way.
func byWHEPOf(t *testing.T, n *clusterNode, room, token string) exchange {
	return func(offer string) (answer string) {
		require.Eventually(t, func() bool {
			resp, body := postSDP(t, n.url+"/rooms/"+room+"/whep", token, offer)
			answer = body
			return resp.StatusCode == http.StatusCreated
		}, patience, 10*time.Millisecond, "an ear by way of %s: %s", n.url, &answer)
		return answer
	}
}

// ended waits until the server has ended an ear.
func (l *listener) ended(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return l.pc.ConnectionState() == webrtc.PeerConnectionStateClosed }, patience, 10*time.Millisecond)
}

// TestWHEPPlayerOfADrainedNodeComesAgain has a WHEP player, which nobody can tell to go elsewhere, listen at a node that is
// drained, or stopped. Its session ends at once, and when it comes again, by way of whichever node, it hears the room from
// another.
func TestWHEPPlayerOfADrainedNodeComesAgain(t *testing.T) {
	t.Parallel()
	t.Run("the node with its ear is drained", func(t *testing.T) {
		t.Parallel()
		all := startNodes(t, 1, 100, 100)
		room, hostToken, tokens := guestsAt(t, all, "listener")
		host := enterAs(t, all[0].url, map[string]any{"token": hostToken}, map[string]any{"room": room, "role": "host", "name": "host"})
		mic := openNumberedMic(t, host.exchange("mic"))
		ear := listen(t, 3, byWHEPOf(t, all[0], room, tokens[0]))
		require.Eventually(t, func() bool { return mic.after(ear.all(), host.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond)
		at, other := all[1], all[2]
		if at.metric("earshot_trunk_ears", "of_others") == 0 {
			at, other = other, at
		}
		require.EqualValues(t, 1, at.metric("earshot_trunk_ears", "of_others"), "the ear is on another node than the room")

		at.drain(true, all[0])
		ear.ended(t)
		again := listen(t, 3, byWHEPOf(t, at, room, tokens[0]))
		require.Eventually(t, func() bool { return mic.after(again.all(), host.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond)
		assert.EqualValues(t, 1, other.metric("earshot_trunk_ears", "of_others"), "the ear is on the third node")
		require.Eventually(t, func() bool { return at.metric("earshot_trunk_ears", "of_others") == 0 }, patience, 10*time.Millisecond)
		assert.Zero(t, all[0].metric("earshot_roster_mismatches", ""))
	})
	t.Run("the room's node is stopped", func(t *testing.T) {
		t.Parallel()
		all := startNodes(t, 100, 100)
		room, hostToken, tokens := guestsAt(t, all, "listener")
		host := enterAs(t, all[0].url, map[string]any{"token": hostToken}, map[string]any{"room": room, "role": "host", "name": "host"})
		mic := openNumberedMic(t, host.exchange("mic"))
		ear := listen(t, 3, byWHEPOf(t, all[1], room, tokens[0]))
		require.Eventually(t, func() bool { return mic.after(ear.all(), host.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond)

		all[0].leave()
		ear.ended(t)
		again := listen(t, 3, byWHEPOf(t, all[1], room, tokens[0]))
		next := dialMember(t, all[1].url, map[string]any{"token": hostToken})
		require.Eventually(t, func() bool {
			next.joined = next.put(map[string]any{"type": "join", "room": room, "role": "host", "name": "host"})
			return next.joined["type"] == "joined"
		}, patience, 10*time.Millisecond)
		nextMic := openNumberedMic(t, next.exchange("mic"))
		require.Eventually(t, func() bool { return nextMic.after(again.all(), next.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond)
	})
}
