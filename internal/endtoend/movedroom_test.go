package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
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
	// join asks to join where the room is now, and again is somebody who is in there.
	join  func(token, role string) (answer map[string]any, of *member)
	again func(token, role string) *member
	host2 *member
	// stopped is closed when nothing is left where the room was.
	stopped chan struct{}
}

// moveRoom brings people into a room, stops its node, and waits until they have been told where it is.
func moveRoom(t *testing.T) (m *movingRoom, tokens []string) {
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
	m.join = func(token, role string) (answer map[string]any, of *member) {
		of = dialMember(t, all[1].url, map[string]any{"token": token})
		require.Eventually(t, func() bool {
			answer = of.put(map[string]any{"type": "join", "room": room, "role": role, "name": role})
			return answer["code"] != "unavailable"
		}, patience, 10*time.Millisecond)
		return answer, of
	}
	m.again = func(token, role string) *member {
		answer, next := m.join(token, role)
		require.Equal(t, "joined", answer["type"], "%v", answer)
		next.joined, next.id = answer, answer["member"].(string)
		return next
	}
	m.stopped = all[0].stop()
	<-m.host.moved
	m.host2 = m.again(hostToken, "host")
	return m, tokens
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
	m, tokens := moveRoom(t)
	moved := time.Now()
	require.Eventually(t, func() bool { host, _ := m.heard(moved); return host > mostAfter }, patience, 10*time.Millisecond, "it plays on")
	mic := openNumberedMic(t, m.host2.exchange("mic"))
	ear := listen(t, 3, m.again(tokens[1], "listener").exchange("ear"))
	require.Eventually(t, func() bool { return mic.after(ear.all(), m.host2.talker(), time.Time{}) > mostAfter }, patience, 10*time.Millisecond, "and it is heard from the other node")
	<-m.stopped
	over := time.Now()
	time.Sleep(settled)
	host, speaker := m.heard(over)
	assert.Zero(t, host+speaker, "then the old one is silent")
}

// decide has the host decide something where the room is now, and reports whether it was done. It is refused about somebody
// who has not come there once nothing is left where the room was, which may be so by now on a busy machine.
func (m *movingRoom) decide(t *testing.T, request map[string]any) bool {
	t.Helper()
	answer := m.host2.put(request)
	if answer["code"] != "not_found" {
		require.Equal(t, "ok", answer["type"], "%v", answer)
		return true
	}
	refused := time.Now()
	<-m.stopped
	host, speaker := m.heard(refused)
	require.LessOrEqual(t, max(host, speaker), mostAfter, "it is refused, and something was left")
	return false
}

// A movedDecision is what is decided about somebody where the room is now.
type movedDecision struct {
	name    string
	request func(member string) map[string]any
	// deaf means that the listener hears nothing any more, else nobody hears the speaker.
	deaf bool
	// own means that they ask for it themselves, and bars that they are kept out.
	own, bars bool
}

// holds decides it, and checks that it holds where the room was. came means that they have come to where it is now.
func (d movedDecision) holds(t *testing.T, m *movingRoom, tokens []string, came bool) {
	t.Helper()
	speaker, listener := m.speaker, m.listener
	if came {
		speaker, listener = m.again(tokens[0], "speaker"), m.again(tokens[1], "listener")
	}
	who := speaker
	if d.deaf {
		who = listener
	}
	done := true
	if request := d.request(who.id); d.own {
		who.ask(request)
	} else {
		done = m.decide(t, request)
	}
	acked := time.Now()
	<-m.stopped
	time.Sleep(settled)
	host, spoke := m.heard(acked)
	assert.LessOrEqual(t, spoke, mostAfter)
	if d.deaf {
		assert.LessOrEqual(t, host, mostAfter)
	}
	if d.bars && done {
		answer, _ := m.join(tokens[1], "listener")
		assert.Equal(t, "barred", answer["code"], "%v", answer)
	}
}

// TestDecisionsHoldWhereARoomWas decides something about people who still have media where the room was, whether they have
// come to where it is now or not.
func TestDecisionsHoldWhereARoomWas(t *testing.T) {
	t.Parallel()
	of := func(what string, more ...any) func(string) map[string]any {
		return func(member string) map[string]any {
			request := map[string]any{"type": what, "member": member}
			for i := 0; i < len(more); i += 2 {
				request[more[i].(string)] = more[i+1]
			}
			return request
		}
	}
	for _, row := range []movedDecision{
		{name: "kick", request: of("remove"), deaf: true, bars: true},
		{name: "ban", request: of("ban"), deaf: true, bars: true},
		{name: "end", request: of("end"), deaf: true},
		{name: "leave", request: of("leave"), deaf: true, own: true},
		{name: "hangup of the ear", request: of("hangup", "media", "ear"), deaf: true, own: true},
		{name: "hangup of the mic", request: of("hangup", "media", "mic"), own: true},
		{name: "mute", request: of("mute", "muted", true)},
		{name: "demote", request: of("demote")},
	} {
		for _, came := range []bool{true, false} {
			if row.own && !came {
				continue // they can ask only where the room is
			}
			name := row.name
			if !came {
				name += " before they have come"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m, tokens := moveRoom(t)
				row.holds(t, m, tokens, came)
			})
		}
	}
}

// TestEarWhereARoomWasEndsWithItsAccountsTime has somebody with an account who has not come to where their room is now join
// another room, log in again, or be deleted.
func TestEarWhereARoomWasEndsWithItsAccountsTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		act  func(t *testing.T, at *clusterNode, account map[string]any, room, now, other string)
	}{
		{"they join another room", func(t *testing.T, at *clusterNode, account map[string]any, _, _, other string) {
			enterAs(t, at.url, map[string]any{"token": account["token"]}, map[string]any{"room": other, "role": "listener", "name": "Bo"})
		}},
		{"they come to where the room is, and again with another device", func(t *testing.T, _ *clusterNode, account map[string]any, room, now, _ string) {
			for range 2 {
				of := dialMember(t, now, map[string]any{"token": account["token"]})
				require.Eventually(t, func() bool {
					return of.put(map[string]any{"type": "join", "room": room, "role": "listener", "name": "Bo"})["type"] == "joined"
				}, patience, 10*time.Millisecond)
			}
		}},
		{"they log in again", func(t *testing.T, at *clusterNode, account map[string]any, _, _, _ string) {
			ask(t, http.MethodPost, at.url+"/api/login", "", map[string]any{"key": account["key"]})
		}},
		{"they delete their account", func(t *testing.T, at *clusterNode, account map[string]any, _, _, _ string) {
			ask(t, http.MethodDelete, at.url+"/api/me", account["token"].(string), nil)
		}},
	} {
		for _, by := range []int{1, 2} { // the room is on one of them then
			t.Run(fmt.Sprintf("%s by way of node %d", row.name, by), func(t *testing.T) {
				t.Parallel()
				all := startNodes(t, 100, 100, 100)
				require.Eventually(t, func() bool {
					nodes, _ := ask(t, http.MethodGet, all[0].url+"/api/nodes", operatorToken, nil)["nodes"].([]any)
					return len(nodes) == len(all)
				}, patience, 10*time.Millisecond)
				made := ask(t, http.MethodPost, all[0].url+"/api/rooms?node="+all[0].id, operatorToken, map[string]any{"name": "hall", "visibility": "open"})
				other := ask(t, http.MethodPost, all[0].url+"/api/rooms?node="+all[by].id, operatorToken, map[string]any{"name": "other", "visibility": "open"})
				invite := ask(t, http.MethodPost, all[0].url+"/api/invites", operatorToken, map[string]any{"name": "Bo"})
				account := ask(t, http.MethodPost, all[0].url+"/api/invites/"+invite["code"].(string)+"/redeem", "", map[string]any{"name": "Bo"})
				in := func(token any, role string) *member {
					return enterAs(t, all[0].url, map[string]any{"token": token}, map[string]any{"room": made["room"], "role": role, "name": role})
				}
				host, self := in(made["host_token"], "host"), in(account["token"], "listener")
				mic := openNumberedMic(t, host.exchange("mic"))
				ear, _ := listenRecorded(t, self.exchange("ear"))
				heard := func(since time.Time) int { return mic.after(ear.all(), host.talker(), since) }
				require.Eventually(t, func() bool { return heard(time.Time{}) > mostAfter }, patience, 10*time.Millisecond)

				stopped := all[0].stop()
				now := "http" + strings.TrimSuffix(strings.TrimPrefix(<-self.moved, "ws"), "/ws")
				row.act(t, all[by], account, made["room"].(string), now, other["room"].(string))
				acked := time.Now()
				<-stopped
				time.Sleep(settled)
				assert.LessOrEqual(t, heard(acked), mostAfter)
			})
		}
	}
}
