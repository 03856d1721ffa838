package endtoend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// movingRoom is a room whose node is being stopped: people know where it is, and ignore that what they have will end.
type movingRoom struct {
	host, speaker, listener *member
	hostMic, speakerMic     *numberedMic
	ear                     *listener // the listener's, where the room was
	// again is somebody where the room is now.
	again func(token, role string) *member
	host2 *member
}

// moveRoom brings people into a room, stops its node, and waits until they have been told where it is.
func moveRoom(t *testing.T) (m *movingRoom, tokens []string, stopped <-chan struct{}) {
	t.Helper()
	all := startNodes(t, 100, 100)
	room, hostToken, tokens := guestsAt(t, all, "speaker", "listener")
	in := func(token, role string) *member {
		return enterAs(t, all[0].url, map[string]any{"token": token}, map[string]any{"room": room, "role": role, "name": role})
	}
	m = &movingRoom{host: in(hostToken, "host"), speaker: in(tokens[0], "speaker"), listener: in(tokens[1], "listener")}
	m.hostMic, m.speakerMic = openNumberedMic(t, m.host.exchange("mic")), openNumberedMic(t, m.speaker.exchange("mic"))
	m.ear, _ = listenRecorded(t, m.listener.exchange("ear"))
	for mic, talker := range map[*numberedMic]uint32{m.hostMic: m.host.talker(), m.speakerMic: m.speaker.talker()} {
		require.Eventually(t, func() bool { return mic.after(m.ear.all(), talker, time.Time{}) > mostAfter }, patience, 10*time.Millisecond)
	}
	m.again = func(token, role string) *member {
		next := dialMember(t, all[1].url, map[string]any{"token": token})
		require.Eventually(t, func() bool {
			next.joined = next.put(map[string]any{"type": "join", "room": room, "role": role, "name": role})
			return next.joined["type"] == "joined"
		}, patience, 10*time.Millisecond)
		next.id = next.joined["member"].(string)
		return next
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		all[0].leave()
	}()
	<-m.host.moved
	m.host2 = m.again(hostToken, "host")
	return m, tokens, done
}

// heard counts what the ear has heard of both mics since a moment.
func (m *movingRoom) heard(since time.Time) (host, speaker int) {
	all := m.ear.all()
	return m.hostMic.after(all, m.host.talker(), since), m.speakerMic.after(all, m.speaker.talker(), since)
}

// TestRoomThatMovesPlaysOnWhileItsPeopleGoThere stops the node of a room: what people have there goes on for a moment, so
// that they can open another mic and ear where the room is now, and close the old ones then.
func TestRoomThatMovesPlaysOnWhileItsPeopleGoThere(t *testing.T) {
	t.Parallel()
	m, tokens, stopped := moveRoom(t)
	moved := time.Now()
	require.Eventually(t, func() bool { host, _ := m.heard(moved); return host > mostAfter }, patience, 10*time.Millisecond, "it plays on")
	mic := openNumberedMic(t, m.host2.exchange("mic"))
	ear := listen(t, 3, m.again(tokens[1], "listener").exchange("ear"))
	require.Eventually(t, func() bool { return mic.after(ear.all(), m.host2.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond, "and it is heard from the other node")
	<-stopped
	over := time.Now()
	time.Sleep(settled)
	host, speaker := m.heard(over)
	assert.Zero(t, host+speaker, "then the old one is silent")
}

// TestDecisionsHoldWhereARoomWas decides something about people who still have media where the room was.
func TestDecisionsHoldWhereARoomWas(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		act  func(m *movingRoom, speaker, listener *member)
		// deaf means that the listener hears nothing any more, else nobody hears the speaker.
		deaf bool
	}{
		{"ban", func(m *movingRoom, _, listener *member) {
			m.host2.ask(map[string]any{"type": "ban", "member": listener.id})
		}, true},
		{"leave", func(_ *movingRoom, _, listener *member) { listener.ask(map[string]any{"type": "leave"}) }, true},
		{"end", func(m *movingRoom, _, _ *member) { m.host2.ask(map[string]any{"type": "end"}) }, true},
		{"mute", func(m *movingRoom, speaker, _ *member) {
			m.host2.ask(map[string]any{"type": "mute", "member": speaker.id, "muted": true})
		}, false},
		{"demote", func(m *movingRoom, speaker, _ *member) {
			m.host2.ask(map[string]any{"type": "demote", "member": speaker.id})
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, tokens, stopped := moveRoom(t)
			row.act(m, m.again(tokens[0], "speaker"), m.again(tokens[1], "listener"))
			acked := time.Now()
			<-stopped
			time.Sleep(settled)
			host, speaker := m.heard(acked)
			assert.LessOrEqual(t, speaker, mostAfter)
			if row.deaf {
				assert.LessOrEqual(t, host, mostAfter)
			}
		})
	}
}
