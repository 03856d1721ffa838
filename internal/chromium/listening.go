package chromium

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// listeningPage has functions for tests: listen connects an ear, by an offer that
// it posts to /offer; reach waits for a state of its DTLS transport; hear waits
// for packets and describes them; hangup closes the connection.
const listeningPage = `<!doctype html><title>ear</title><script>
async function listen() {
  const pc = window.pc = new RTCPeerConnection();
  pc.addTransceiver('audio', {direction: 'recvonly'});
  await pc.setLocalDescription();
  const answer = await fetch('/offer', {method: 'POST', body: pc.localDescription.sdp});
  if (!answer.ok) throw new Error(await answer.text());
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  return reach('connected');
}
addEventListener('pagehide', () => window.pc?.close()); // as the room page does: else it may just be killed
async function reach(state) { // of DTLS: the connection's own state stays as it is when DTLS closes (W3C WebRTC, section 4.3.3)
  while (window.pc.getReceivers()[0].transport?.state !== state) await new Promise((resolve) => setTimeout(resolve, 10));
  return state;
}
async function hear(packets) {
  for (;;) {
    const all = [...(await window.pc.getStats()).values()];
    const inbound = all.find((s) => s.type === 'inbound-rtp'), transport = all.find((s) => s.type === 'transport');
    if (inbound?.packetsReceived >= packets)
      return [inbound.packetsReceived, inbound.packetsLost, transport.srtpCipher, transport.dtlsCipher, transport.tlsVersion].join(' ');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
async function hangup() { window.pc.close(); return ''; }
</script>`

// ServeListeningPage serves a page that can listen, until the test ends, and
// returns its URL. answer takes the page's offers, maybe several at a time; the
// page's listen() fails with its error.
//
// The page has the functions listen(), reach(state), hear(packets) and hangup(),
// for [Eval]. hear gives what came as "packets lost SRTP-cipher DTLS-cipher
// TLS-version".
func ServeListeningPage(t testing.TB, answer func(offer string) (string, error)) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/offer" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, listeningPage)
			return
		}
		offer, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text, err := answer(string(offer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(web.Close)
	return web.URL
}
