package janus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// version is the one that ci/peers takes out of Debian's package.
const version = "1.1.2"

// A realJanus is Debian's Janus with its addresses.
type realJanus struct {
	url, admin string
}

// start starts a Janus, with more in the configuration of its AudioBridge. The test is skipped where make
// peers has not brought it.
func start(t *testing.T, bridge string) realJanus {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	program := filepath.Join(cmp.Or(os.Getenv("EARSHOT_PEERS"), filepath.Join(cache, "earshot", "peers")), "janus-"+version)
	if _, err := os.Stat(program); err != nil {
		t.Skip("needs Debian's Janus, which make peers takes out of its package")
	}
	media := outward(t)
	ports, dir := freePorts(t, 2), t.TempDir()
	for name, text := range map[string]string{
		"janus.jcfg": `general: {api_secret = "the secret" admin_secret = "the admin's" debug_level = 2 session_timeout = 10
			plugins_folder = "` + program + `.files/janus/plugins" transports_folder = "` + program + `.files/janus/transports"
			events_folder = "none" loggers_folder = "none"}
			nat: {ice_enforce_list = "` + media + `"}
			transports: {disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so"}
			plugins: {disable = "libjanus_sip.so,libjanus_lua.so,libjanus_duktape.so,libjanus_voicemail.so,libjanus_recordplay.so"}`,
		"janus.transport.websockets.jcfg": fmt.Sprintf(`general: {ws = true ws_ip = "127.0.0.1" ws_port = %d}
			admin: {admin_ws = true admin_ws_ip = "127.0.0.1" admin_ws_port = %d}`, ports[0], ports[1]),
		"janus.plugin.audiobridge.jcfg": bridge,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	server := exec.Command(program, "-F", dir)
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // killed
		if t.Failed() {
			t.Log(said.String())
		}
	})
	at := fmt.Sprintf("127.0.0.1:%d", ports[0])
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond, "Janus is there")
	return realJanus{"ws://" + at, fmt.Sprintf("ws://127.0.0.1:%d", ports[1])}
}

// outward is an address of this machine's that is not of the loopback.
func outward(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("Janus gathers no candidates on the loopback interface, and this machine has no other address")
	return ""
}

// freePorts returns ports that nobody has at present.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		require.NoError(t, l.Close())
	}
	return ports
}

// sessions returns how many sessions the server has.
func (r realJanus) sessions(t *testing.T) int {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"janus-admin-protocol"}}
	conn, _, err := dialer.Dial(r.admin, nil)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"janus": "list_sessions", "transaction": "1", "admin_secret": "the admin's"}`)))
	var answer struct {
		Janus    string
		Sessions []uint64
	}
	require.NoError(t, conn.ReadJSON(&answer))
	require.Equal(t, "success", answer.Janus)
	return len(answer.Sessions)
}

// driver returns a driver of the server, with more flags.
func (r realJanus) driver(t *testing.T, flags map[string]string) driver.Driver {
	t.Helper()
	all := map[string]string{urlFlag: r.url, secretFlag: "the secret"}
	maps.Copy(all, flags)
	d, err := Kind().New(driver.Options{Flags: all})
	require.NoError(t, err)
	return d
}

// offer is a client's; it sends or receives.
func offer(t *testing.T, sends bool) (*webrtc.PeerConnection, string) {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pc.Close()) })
	direction := webrtc.RTPTransceiverDirectionRecvonly
	if sends {
		direction = webrtc.RTPTransceiverDirectionSendonly
	}
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
	require.NoError(t, err)
	description, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(t, pc.SetLocalDescription(description))
	<-gathered
	return pc, pc.LocalDescription().SDP
}

// connects has a person join, and returns when their connection is there.
func connects(t *testing.T, room driver.RoomClient, sends bool) driver.Participant {
	t.Helper()
	p := joined(t, room)
	pc, text := offer(t, sends)
	exchange := p.Listen
	if sends {
		exchange = p.Publish
	}
	connected := make(chan struct{}, 1)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			connected <- struct{}{}
		}
	})
	answer, err := exchange(within(t, time.Minute), text)
	require.NoError(t, err)
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	select {
	case <-connected:
	case <-within(t, time.Minute).Done():
		t.Fatal("the client does not connect")
	}
	return p
}

// refusal is the failure in an error.
func refusal(t *testing.T, err error) failure {
	t.Helper()
	var no failure
	require.ErrorAs(t, err, &no)
	return no
}

func TestRealJanus(t *testing.T) {
	r := start(t, "general: {}")
	d := r.driver(t, nil)
	room, err := d.Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	assert.Equal(t, 5*time.Second, d.(*Driver).keepalive(), "the server's session_timeout is known")
	speaker, listener := connects(t, room, true), connects(t, room, false)
	for _, verb := range []scenario.Verb{scenario.Mute, scenario.Unmute} {
		require.NoError(t, room.Act(within(t, time.Minute), verb, speaker))
	}
	assert.Equal(t, 3, r.sessions(t), "the moderator's, and each person's")

	require.NoError(t, room.Act(within(t, time.Minute), scenario.Kick, listener))
	<-listener.Done()
	assert.Equal(t, userUnknown, refusal(t, room.Act(within(t, time.Minute), scenario.Kick, listener)).code)
	require.NoError(t, listener.Leave(within(t, time.Minute)))

	stranger := joined(t, &roomClient{driver: d.(*Driver), id: room.(*roomClient).id, pin: "no"})
	_, text := offer(t, false)
	_, err = stranger.Listen(within(t, time.Minute), text)
	assert.Equal(t, bridgeUnauthorized, refusal(t, err).code, "%v", err)
	require.NoError(t, stranger.Leave(within(t, time.Minute)))

	require.NoError(t, room.Act(within(t, time.Minute), scenario.End, nil))
	<-speaker.Done()
	require.NoError(t, speaker.Leave(within(t, time.Minute)))
	require.NoError(t, room.Close(within(t, time.Minute)), "it has ended already")
	assert.Zero(t, r.sessions(t), "nobody is left there")
}

func TestRealJanusRefuses(t *testing.T) {
	r := start(t, `general: {admin_key = "the key"}
		room-1234: {sampling_rate = 16000 secret = "s" pin = "p"}`)
	for name, c := range map[string]struct {
		flags map[string]string
		code  int
		says  string
	}{
		"a wrong api_secret":            {map[string]string{secretFlag: "wrong"}, unauthorized, "--janus-api-secret"},
		"a room without the admin_key":  {nil, elementMissing, "--janus-admin-key"},
		"a room with a wrong admin_key": {map[string]string{adminFlag: "no"}, bridgeUnauthorized, "--janus-admin-key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.driver(t, c.flags).Open(within(t, time.Minute), 0, scenario.RoomSpec{})
			assert.Equal(t, c.code, refusal(t, err).code, "%v", err)
			assert.ErrorContains(t, err, c.says)
		})
	}
	room, err := r.driver(t, map[string]string{adminFlag: "the key", rateFlag: "16000"}).Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	require.NoError(t, room.Close(within(t, time.Minute)))

	there := map[string]string{roomFlag: "1234", pinFlag: "p"}
	room, err = r.driver(t, there).Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	speaker := connects(t, room, true)
	err = room.Act(within(t, time.Minute), scenario.Mute, speaker)
	assert.ErrorContains(t, err, "--janus-room-secret", "it can be joined, and not moderated")
	require.NoError(t, speaker.Leave(within(t, time.Minute)))
	require.NoError(t, room.Close(within(t, time.Minute)))
	there[roomFlag] = "99"
	_, err = r.driver(t, there).Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	assert.ErrorContains(t, err, "it has no AudioBridge room 99")
	assert.Zero(t, r.sessions(t))
}

// Where a server has string_ids, names go as they come.
func TestRealJanusWithStrings(t *testing.T) {
	r := start(t, `general: {string_ids = true}
		room-lounge: {sampling_rate = 16000}
		room-77: {sampling_rate = 16000}`)
	for _, name := range []string{"", "lounge", "77"} {
		room, err := r.driver(t, map[string]string{roomFlag: name}).Open(within(t, time.Minute), 0, scenario.RoomSpec{})
		require.NoError(t, err)
		speaker := connects(t, room, true)
		require.NoError(t, room.Act(within(t, time.Minute), scenario.Mute, speaker))
		require.NoError(t, speaker.Leave(within(t, time.Minute)))
		require.NoError(t, room.Close(within(t, time.Minute)))
	}
	assert.Zero(t, r.sessions(t))
}

// Whose generator has gone does not stay.
func TestRealJanusForgetsWhoIsGone(t *testing.T) {
	r := start(t, "general: {}")
	d := r.driver(t, nil)
	room, err := d.Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, room.Close(context.Background())) })
	p := connects(t, room, true)
	c, err := p.(*participant).connection()
	require.NoError(t, err)
	require.NoError(t, c.close())
	<-p.Done()
	assert.Eventually(t, func() bool { return r.sessions(t) == 1 }, time.Minute, 20*time.Millisecond)
}
