package endtoend_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// program finds one of several programs that make test installs.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	require.FailNow(t, "a program that this test needs is missing", "none of %v is installed: make tools installs it", names)
	return ""
}

// requireUnbroken requires one section's sequence without a gap.
func requireUnbroken(t *testing.T, heard []*rtp.Packet) {
	t.Helper()
	for i := 1; i < len(heard); i++ {
		require.Equal(t, heard[i-1].SequenceNumber+1, heard[i].SequenceNumber, "packet %d of %d, %d ms of RTP's clock after the one before", i, len(heard), (heard[i].Timestamp-heard[i-1].Timestamp)/48)
		require.Equal(t, heard[0].SSRC, heard[i].SSRC)
	}
}

// page is nobody's client but the browser's: its own WebRTC and fetch.
const page = `<!doctype html><title>someone else's page</title><script>
async function exchange(pc, url) {
  await pc.setLocalDescription();
  const answer = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: pc.localDescription.sdp});
  if (answer.status !== 201) throw new Error(answer.status + ' ' + await answer.text());
  const location = answer.headers.get('Location');
  if (!location) throw new Error('no Location that the page may read');
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  await new Promise((resolve, reject) => {
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'connected') resolve();
      if (pc.connectionState === 'failed') reject(new Error('the connection failed'));
    };
    pc.onconnectionstatechange();
  });
  return new URL(location, url).href;
}
async function publish(url) {
  const pc = window.mic = new RTCPeerConnection();
  const media = await navigator.mediaDevices.getUserMedia({audio: true});
  for (const track of media.getTracks()) pc.addTransceiver(track, {direction: 'sendonly', streams: [media]});
  return exchange(pc, url);
}
async function listen(url) {
  const pc = window.ear = new RTCPeerConnection();
  pc.addTransceiver('video', {direction: 'recvonly'});
  pc.createDataChannel('chat');
  pc.addTransceiver('audio', {direction: 'recvonly'});
  pc.ontrack = (e) => {
    const audio = document.body.appendChild(new Audio());
    audio.srcObject = new MediaStream([e.track]);
    audio.play();
  };
  return exchange(pc, url);
}
async function hear(packets) {
  for (;;) {
    for (const s of (await window.ear.getStats()).values()) {
      if (s.type === 'inbound-rtp' && s.kind === 'audio' && s.packetsReceived >= packets && s.totalAudioEnergy > 0)
        return {packets: s.packetsReceived, lost: s.packetsLost, energy: s.totalAudioEnergy};
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
async function leave(url) {
  return (await fetch(url, {method: 'DELETE'})).status;
}
</script>`

// call calls a function of the page and returns what its promise resolves to.
func call[T any](t *testing.T, tab context.Context, function string, argument any) T {
	t.Helper()
	return chromium.Eval[T](t, tab, fmt.Sprintf("%s(%#v)", function, argument))
}

func TestForeignBrowserPagePublishesAndListens(t *testing.T) {
	t.Parallel()
	url := serve(t)
	// The page is of another origin than the server, as somebody else's is.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	defer elsewhere.Close()
	tab := chromium.Start(t, append(chromium.Microphone(""), chromedp.Flag("autoplay-policy", "no-user-gesture-required"))...)
	ear := listen(t, 1, byHTTP(t, url+"/rooms/hall/whep"))

	chromium.Open(t, tab, elsewhere.URL)
	mic := call[string](t, tab, "publish", url+"/rooms/hall/whip")
	requireUnbroken(t, ear.wait(t, 100))

	session := call[string](t, tab, "listen", url+"/rooms/hall/whep")
	heard := call[statistics](t, tab, "hear", 100)
	assert.Zero(t, heard.Lost)
	assert.Positive(t, heard.Energy)

	assert.Equal(t, http.StatusOK, call[int](t, tab, "leave", session))
	assert.Equal(t, http.StatusOK, call[int](t, tab, "leave", mic))
}

// statistics is what the page's hear tells.
type statistics struct {
	Packets int     `json:"packets"`
	Lost    int     `json:"lost"`
	Energy  float64 `json:"energy"`
}
