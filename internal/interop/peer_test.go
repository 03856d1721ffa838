package interop_test

import (
	"cmp"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer is a server to play against.
type peer struct {
	name, version string // no version is this tree's
	arguments     []string
	configuration string            // the file peer.conf beside it; {program} stands for the program
	files         map[string]string // more files beside it, by name
	ready         string            // answers when the server is up
	driver        string            // "" is whep
	target        []string
	listen        []string // beside target, where anybody listens
	environment   []string // of earshot
	older         bool     // its listeners are Pion's
	mixes         bool     // so that audio has to be marked
}

// The address of the network that the tests play in, beside the loopback.
const address = "10.99.0.1"

// livekitSecret has the 32 letters that LiveKit wants of one.
const livekitSecret = "not-a-secret-of-anybodys-but-ours"

// peers are this tree's own server, which shows that the scenarios can be passed, and the
// servers of others, at the versions that ci/peers builds.
var peers = []peer{
	{
		name: "earshot", ready: "http://127.0.0.1:7080/readyz",
		arguments: []string{"serve", "--open", "--rate-limit-exempt", "127.0.0.0/8"},
		target:    []string{"--whip-url", "http://127.0.0.1:7080/rooms/{room}/whip"},
		listen:    []string{"--whep-url", "http://127.0.0.1:7080/rooms/{room}/whep"},
	},
	{
		name: "mediamtx", version: "v1.20.1", arguments: []string{"peer.conf"}, ready: "http://127.0.0.1:8889/",
		configuration: `{rtsp: no, rtmp: no, hls: no, srt: no, moq: no, webrtc: yes, webrtcAddress: "127.0.0.1:8889",
			webrtcLocalUDPAddress: "127.0.0.1:8189", webrtcAdditionalHosts: [127.0.0.1], paths: {all_others: }}`,
		target: []string{"--whip-url", "http://127.0.0.1:8889/{room}/whip"},
		listen: []string{"--whep-url", "http://127.0.0.1:8889/{room}/whep"},
	},
	livekit("v1.11.0"),
	olderLiveKit("v1.8.4"),
	{
		// It names no loopback candidates.
		name: "whip-whep", version: "v4.2.26", ready: "http://" + address + ":8080/",
		target: []string{"--whip-url", "http://" + address + ":8080/whip"},
		listen: []string{"--whep-url", "http://" + address + ":8080/whep"},
	},
	janus("1.1.2"),
}

// janus is Debian's Janus, with no plugin but the AudioBridge and no way to it but a WebSocket. It names
// no loopback candidates. Its rooms go as they came only if they are destroyed.
func janus(version string) peer {
	return peer{
		name: "janus", version: version, driver: "janus", arguments: []string{"-F", "."}, ready: "http://" + address + ":8188/",
		files: map[string]string{
			"janus.jcfg": `general: {api_secret = "` + janusSecret + `" debug_level = 3
			plugins_folder = "{program}.files/janus/plugins" transports_folder = "{program}.files/janus/transports"
			events_folder = "none" loggers_folder = "none"}
			plugins: {disable = "` + strings.Join(janusPlugins, ",") + `"}
			transports: {disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so"}
			nat: {ice_enforce_list = "` + address + `"}`,
			"janus.transport.websockets.jcfg": `general: {ws = true ws_ip = "` + address + `" ws_port = 8188}`,
			"janus.plugin.audiobridge.jcfg":   `general: {admin_key = "` + janusAdminKey + `"}`,
		},
		target:      []string{"--janus-url", "ws://" + address + ":8188"},
		environment: []string{"JANUS_API_SECRET=" + janusSecret, "JANUS_ADMIN_KEY=" + janusAdminKey},
		mixes:       true,
	}
}

// janusSecret lets anybody in, and janusAdminKey lets them create rooms.
const janusSecret, janusAdminKey = "not-a-secret-of-anybodys", "nor-is-this-one"

// janusPlugins are those of Janus that are not played against.
var janusPlugins = []string{
	"libjanus_duktape.so", "libjanus_echotest.so", "libjanus_lua.so", "libjanus_nosip.so", "libjanus_recordplay.so", "libjanus_sip.so",
	"libjanus_streaming.so", "libjanus_textroom.so", "libjanus_videocall.so", "libjanus_videoroom.so", "libjanus_voicemail.so",
}

// livekit is a LiveKit server of a version.
func livekit(version string) peer {
	return peer{
		name: "livekit", version: version, driver: "livekit", arguments: []string{"--config", "peer.conf"}, ready: "http://127.0.0.1:7880/",
		configuration: `{port: 7880, bind_addresses: [127.0.0.1], room: {enable_remote_unmute: true},
			rtc: {udp_port: 7882, tcp_port: 7881, node_ip: 127.0.0.1, enable_loopback_candidate: true, interfaces: {includes: [lo]}},
			keys: {earshot: ` + livekitSecret + `}}`,
		target:      []string{"--livekit-url", "ws://127.0.0.1:7880"},
		environment: []string{"LIVEKIT_API_KEY=earshot", "LIVEKIT_API_SECRET=" + livekitSecret},
	}
}

// olderLiveKit is one that lacks /rtc/v1.
func olderLiveKit(version string) peer {
	p := livekit(version)
	p.older = true
	return p
}

// String is the peer's name and version.
func (p peer) String() string { return strings.TrimSpace(p.name + " " + p.version) }

// start starts a peer and returns its process when it is ready. The test ends it.
func (p peer) start(t *testing.T, earshot string) *os.Process {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(*built, p.name+"-"+p.version))
	require.NoError(t, err)
	if p.version == "" {
		program = earshot
	}
	dir := t.TempDir()
	if p.name == "janus" {
		if _, err := os.Stat(program); err != nil {
			t.Skip("plays against Debian's Janus, which ci/peers could not get: it says why")
		}
	}
	files := map[string]string{"peer.conf": p.configuration}
	maps.Copy(files, p.files)
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "{program}", program)), 0o600))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	server := exec.Command(program, p.arguments...)
	server.Dir, server.Stdout, server.Stderr = dir, log, log
	require.NoError(t, server.Start(), "make peers builds it")
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // killed
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of what %s said: %s", p.name, text[max(0, len(text)-2000):])
		}
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get(p.ready)
		if err == nil {
			_ = resp.Body.Close() // whatever it says, it is there
		}
		return err == nil
	}, time.Minute, 100*time.Millisecond, "%s is ready", p.name)
	return server.Process
}

// play runs earshot against the peer, whose process is pid, and returns the summary and what was said. listens
// means that anybody does.
func (p peer) play(t *testing.T, earshot string, pid int, listens bool, arguments ...string) (summary, said []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "summary.json")
	arguments = append(arguments, "--server-pid", strconv.Itoa(pid), "--summary", file, "--driver", cmp.Or(p.driver, "whep"))
	arguments = append(arguments, p.target...)
	if listens {
		arguments = append(arguments, p.listen...)
	}
	run := exec.Command(earshot, arguments...)
	run.Env = append(os.Environ(), p.environment...)
	said, err := run.CombinedOutput()
	if err != nil {
		var ended *exec.ExitError
		require.ErrorAs(t, err, &ended, "%s", said)
	}
	summary, err = os.ReadFile(file)
	require.NoError(t, err, "%s", said)
	return summary, said
}
