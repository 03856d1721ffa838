package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// barePage is a page as a stranger writes it, who knows WHIP (RFC 9725) and WHEP and nothing of
// earshot.
const barePage = `<!doctype html><title>somebody else's page</title><script>
async function exchange(pc, url, token) {
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch(url, {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp', ...(token && {Authorization: 'Bearer ' + token})}});
  if (answer.status !== 201) {
    pc.close();
    return {status: answer.status};
  }
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  return {status: 201, session: new URL(answer.headers.get('Location'), url).href};
}
function prefer(transceiver, mime) {
  if (!mime) return;
  const {codecs} = RTCRtpReceiver.getCapabilities('audio');
  transceiver.setCodecPreferences([...codecs].sort((a, b) => (b.mimeType === mime) - (a.mimeType === mime)));
}
async function publish(url, token, mime) {
  const pc = new RTCPeerConnection();
  const media = await navigator.mediaDevices.getUserMedia({audio: {echoCancellation: false}});
  prefer(pc.addTransceiver(media.getAudioTracks()[0], {direction: 'sendonly', streams: [media]}), mime);
  return exchange(pc, url, token);
}
async function play(url, token, mime) {
  const pc = new RTCPeerConnection();
  prefer(pc.addTransceiver('audio', {direction: 'recvonly'}), mime);
  pc.ontrack = ({streams}) => {
    const audio = document.body.appendChild(new Audio());
    audio.srcObject = streams[0];
    audio.play();
  };
  return exchange(pc, url, token);
}
async function hangUp(session, token) {
  return (await fetch(session, {method: 'DELETE', headers: token ? {Authorization: 'Bearer ' + token} : {}})).status;
}
</script><body>listen`

// A bareRoom is a room as the stranger knows it: two URLs and two tokens.
type bareRoom struct {
	whip, whep, speak, listen string
	mime                      string // of the codec that the page prefers
	room, media               string // where its audio comes from
}

// roomAt is a room of a server that needs no tokens.
func roomAt(s *server, room string) bareRoom {
	at := s.url + "/rooms/" + room
	return bareRoom{whip: at + "/whip", whep: at + "/whep", room: room, media: s.media}
}

// An admission is how a server answers a bare page.
type admission struct {
	Status  int
	Session string
}

// publishes offers the page's microphone to a room.
func (p *person) publishes(r bareRoom) admission {
	p.t.Helper()
	return eval[admission](p, "publish(%q, %q, %q)", r.whip, r.speak, r.mime)
}

// plays offers an ear to a room.
func (p *person) plays(r bareRoom) admission {
	p.t.Helper()
	return eval[admission](p, "play(%q, %q, %q)", r.whep, r.listen, r.mime)
}

// ask makes a request as JSON and reads the answer.
func ask(t *testing.T, method, url, token string, body map[string]any) (answer map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(text))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 2, resp.StatusCode/100, "%s: %s", url, text)
	if len(text) > 0 {
		require.NoError(t, json.Unmarshal(text, &answer))
	}
	return answer
}

// invited opens a room as the operator, and redeems an invite to its stage and one to its audience.
func invited(t *testing.T, s *server, room map[string]any) bareRoom {
	t.Helper()
	room["name"] = t.Name()
	return admitted(t, s, ask(t, http.MethodPost, s.url+"/api/rooms", operatorToken, room))
}

// admitted redeems invites to a room that was opened.
func admitted(t *testing.T, s *server, opened map[string]any) bareRoom {
	t.Helper()
	r := roomAt(s, opened["room"].(string))
	token := func(role string) string {
		invite := ask(t, http.MethodPost, fmt.Sprintf("%s/api/rooms/%s/invites", s.url, opened["room"]), opened["host_token"].(string), map[string]any{"role": role})
		return ask(t, http.MethodPost, fmt.Sprintf("%s/api/invites/%s/redeem", s.url, invite["code"]), "", map[string]any{"name": "Somebody"})["token"].(string)
	}
	r.speak, r.listen = token("speaker"), token("listener")
	return r
}

// newMember is the token of somebody who has come into the club.
func newMember(t *testing.T, s *server) string {
	t.Helper()
	invite := ask(t, http.MethodPost, s.url+"/api/invites", operatorToken, map[string]any{})
	return ask(t, http.MethodPost, fmt.Sprintf("%s/api/invites/%s/redeem", s.url, invite["code"]), "", map[string]any{"name": "Ada"})["token"].(string)
}

// planned is a plan of a member's, and their token.
func planned(t *testing.T, s *server) (plan, member string) {
	t.Helper()
	member = newMember(t, s)
	tomorrow := time.Now().Add(24 * time.Hour).Format(time.RFC3339)
	return ask(t, http.MethodPost, s.url+"/api/plans", member, map[string]any{"name": "Later", "starts_at": tomorrow})["plan"].(string), member
}

// TestBareWHIPAndWHEPPageInEveryKindOfRoom has a stranger's page, of another origin, publish and
// listen: what it hears is what its microphone says.
func TestBareWHIPAndWHEPPageInEveryKindOfRoom(t *testing.T) {
	t.Parallel()
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, barePage)
	}))
	t.Cleanup(elsewhere.Close)
	open, closed := serve(t, "--open"), serve(t, "--operator-token", operatorToken, "--data", t.TempDir())
	front, back := twoNodes(t, "100")
	front.placesElsewhere()
	stranger := func(t *testing.T) *person {
		t.Helper()
		p := (&testBrowser{t, c.ctx}).person("Stranger")
		p.goTo(elsewhere.URL)
		require.NoError(t, p.device.click(5, 5)) // a page that nobody has touched may not play
		return p
	}

	for name, room := range map[string]func(t *testing.T) bareRoom{
		"an open server": func(*testing.T) bareRoom { return roomAt(open, "hall") },
		"an open server, by RED (RFC 2198)": func(*testing.T) bareRoom {
			r := roomAt(open, "red")
			r.mime = "audio/red"
			return r
		},
		"a room for members": func(t *testing.T) bareRoom {
			r := invited(t, closed, map[string]any{"visibility": "members"})
			r.listen = newMember(t, closed)
			return r
		},
		"a room for guests of others": func(t *testing.T) bareRoom {
			r := invited(t, closed, map[string]any{"visibility": "open"})
			r.listen = invited(t, closed, map[string]any{"visibility": "closed"}).listen
			return r
		},
		"an overflow hall": func(t *testing.T) bareRoom {
			r := invited(t, closed, map[string]any{"visibility": "members", "capacity": 1, "halls": 2})
			sits := stranger(t)
			require.Equal(t, http.StatusCreated, sits.plays(r).Status)
			r.listen = newMember(t, closed)
			return r
		},
		"a room by invite": func(t *testing.T) bareRoom { return invited(t, closed, map[string]any{"visibility": "closed"}) },
		"a room whose audience is sent bundles": func(t *testing.T) bareRoom {
			return invited(t, closed, map[string]any{"audience_hold_ms": 100})
		},
		"a planned room that was opened": func(t *testing.T) bareRoom {
			plan, member := planned(t, closed)
			return admitted(t, closed, ask(t, http.MethodPost, closed.url+"/api/plans/"+plan+"/open", member, nil))
		},
		"a room of another node": func(t *testing.T) bareRoom {
			r := invited(t, front, map[string]any{})
			r.media = back.media
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := room(t), stranger(t)
			mic := p.publishes(r)
			require.Equal(t, http.StatusCreated, mic.Status)
			ear := p.plays(r)
			require.Equal(t, http.StatusCreated, ear.Status)
			p.hears(said)
			assert.Equal(t, r.media, eval[string](p, far))
			assert.Equal(t, http.StatusOK, eval[int](p, "hangUp(%q, %q)", mic.Session, r.speak))
			assert.Equal(t, http.StatusOK, eval[int](p, "hangUp(%q, %q)", ear.Session, r.listen))
		})
	}

	t.Run("refused where it may not in", func(t *testing.T) {
		t.Parallel()
		p := stranger(t)
		refused := func(r bareRoom, status int) {
			t.Helper()
			assert.Equal(t, admission{Status: status}, p.publishes(r))
			assert.Equal(t, admission{Status: status}, p.plays(r))
		}
		r := invited(t, closed, map[string]any{"capacity": 1, "halls": 1})
		withoutToken := roomAt(closed, r.room)
		refused(withoutToken, http.StatusUnauthorized)

		mic, ear := p.publishes(r), p.plays(r)
		require.Equal(t, http.StatusCreated, ear.Status)
		full := r
		full.listen = r.speak // somebody else
		assert.Equal(t, admission{Status: http.StatusConflict}, p.plays(full))

		ask(t, http.MethodDelete, closed.url+"/api/rooms/"+r.room, operatorToken, nil)
		refused(r, http.StatusNotFound) // it has ended
		assert.Equal(t, http.StatusNotFound, eval[int](p, "hangUp(%q, %q)", mic.Session, r.speak))
		assert.Equal(t, http.StatusNotFound, eval[int](p, "hangUp(%q, %q)", ear.Session, r.listen))

		plan, member := planned(t, closed)
		later := roomAt(closed, plan)
		later.speak, later.listen = member, member
		refused(later, http.StatusNotFound) // it is not open yet
	})
}
