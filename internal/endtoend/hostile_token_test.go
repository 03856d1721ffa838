package endtoend_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask makes a request with a token and returns the answer's JSON, if it has any.
func (f *isolatedServer) ask(t *testing.T, method, path, token, body string, headers ...string) (*http.Response, map[string]any) {
	t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = f.url + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	_ = json.Unmarshal(data, &answer)
	if answer == nil {
		answer = map[string]any{"text": string(data)}
	}
	return resp, answer
}

// code is the code of an error.
func code(answer map[string]any) any {
	refusal, _ := answer["error"].(map[string]any)
	return refusal["code"]
}

// room makes a closed room and returns its id and its host's token.
func (f *isolatedServer) room(t *testing.T) (id, host string) {
	t.Helper()
	resp, made := f.ask(t, http.MethodPost, "/api/rooms", operator, `{"name":"hall","visibility":"closed"}`)
	require.Equal(t, http.StatusCreated, resp.StatusCode, made)
	return made["room"].(string), made["host_token"].(string)
}

// guest lets somebody into a room by an invite and returns their token.
func (f *isolatedServer) guest(t *testing.T, room, host, role string) (token string) {
	t.Helper()
	resp, invite := f.ask(t, http.MethodPost, "/api/rooms/"+room+"/invites", host, `{"role":"`+role+`"}`)
	require.Equal(t, http.StatusCreated, resp.StatusCode, invite)
	resp, in := f.ask(t, http.MethodPost, "/api/invites/"+invite["code"].(string)+"/redeem", "", `{"name":"Bo"}`)
	require.Equal(t, http.StatusOK, resp.StatusCode, in)
	return in["token"].(string)
}

// withToken exchanges by WHIP or WHEP, and tells the session's URL.
func (f *isolatedServer) withToken(t *testing.T, path, token string, session *string) exchange {
	return func(offer string) string {
		resp, answer := f.ask(t, http.MethodPost, path, token, offer, "Content-Type", "application/sdp")
		require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
		*session = f.url + resp.Header.Get("Location")
		return answer["text"].(string)
	}
}

func TestSessionURLIsUselessToOtherToken(t *testing.T) {
	f := serveIsolated(t, closed)
	room, host := f.room(t)
	elsewhere, otherHost := f.room(t)
	speaker, listener := f.guest(t, room, host, "speaker"), f.guest(t, room, host, "listener")
	neighbour, stranger := f.guest(t, room, host, "speaker"), f.guest(t, elsewhere, otherHost, "speaker")
	var session, hearing string
	ear := listen(t, 1, f.withToken(t, "/rooms/"+room+"/whep", listener, &hearing))
	mic := publish(t, f.withToken(t, "/rooms/"+room+"/whip", speaker, &session))
	sent := frames(t, "reader.ogg", 100)
	mic.say(sent[:50], 30)

	fragment := "a=ice-ufrag:stranger\r\na=ice-pwd:strangerstrangerstranger\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
	for who, row := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"nobody":                          {"", 401, "unauthorized"},
		"one who guesses":                 {"a guessed token", 401, "unauthorized"},
		"a guest of another room":         {stranger, 404, "not_found"},
		"the host of another room":        {otherHost, 404, "not_found"},
		"another guest of the same room":  {neighbour, 404, "not_found"},
		"a token that is signed by none":  {unsigned(t, speaker), 401, "unauthorized"},
		"a listener who would be speaker": {listener, 404, "not_found"},
	} {
		for _, method := range []string{http.MethodDelete, http.MethodPatch, http.MethodGet} {
			resp, answer := f.ask(t, method, session, row.token, fragment,
				"Content-Type", "application/trickle-ice-sdpfrag", "If-Match", "*")
			assert.Equal(t, row.status, resp.StatusCode, "%s by %s: %v", method, who, answer)
			if method != http.MethodGet || row.code != "" && answer["error"] != nil {
				assert.Equal(t, row.code, code(answer), "%s by %s", method, who)
			}
		}
	}
	// Nor is one kind of session the other, nor one room another.
	for _, url := range []string{strings.Replace(session, "/whip/", "/whep/", 1), strings.Replace(session, room, elsewhere, 1)} {
		resp, answer := f.ask(t, http.MethodDelete, url, speaker, "")
		assert.Equal(t, http.StatusNotFound, resp.StatusCode, "%v", answer)
	}

	mic.say(sent[50:], 30)
	requireNothingMissed(t, sent, ear.wait(t, len(sent)))
	resp, answer := f.ask(t, http.MethodDelete, session, speaker, "")
	assert.Equal(t, http.StatusOK, resp.StatusCode, "its own token ends it: %v", answer)
	resp, answer = f.ask(t, http.MethodDelete, hearing, host, "")
	assert.Equal(t, http.StatusOK, resp.StatusCode, "and so does the host's: %v", answer)
}

// unsigned is a token that says that it needs no signature.
func unsigned(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

func TestTokenOpensOneRoomInOneRole(t *testing.T) {
	f := serveIsolated(t, closed)
	room, host := f.room(t)
	elsewhere, _ := f.room(t)
	listener := f.guest(t, room, host, "listener")
	offer := bareOffer("sendrecv")
	for name, row := range map[string]struct {
		method, path, token, kind, body string
		status                          int
		code                            string
	}{
		"a listener who would speak":                    {"POST", "/rooms/" + room + "/whip", listener, "application/sdp", offer, 403, "forbidden"},
		"a listener who would listen elsewhere":         {"POST", "/rooms/" + elsewhere + "/whep", listener, "application/sdp", offer, 404, "not_found"},
		"a host who would listen elsewhere":             {"POST", "/rooms/" + elsewhere + "/whep", host, "application/sdp", offer, 404, "not_found"},
		"a host who would listen where nothing is":      {"POST", "/rooms/nowhere/whep", host, "application/sdp", offer, 404, "not_found"},
		"a listener who would end the room":             {"DELETE", "/api/rooms/" + room, listener, "", "", 403, "forbidden"},
		"a listener who would invite":                   {"POST", "/api/rooms/" + room + "/invites", listener, "application/json", `{"role":"host"}`, 403, "forbidden"},
		"a host who would end another room":             {"DELETE", "/api/rooms/" + elsewhere, host, "", "", 404, "not_found"},
		"a host who would end a room that there is not": {"DELETE", "/api/rooms/nowhere", host, "", "", 404, "not_found"},
		"a host who would see another's guests":         {"GET", "/api/rooms/" + elsewhere + "/members", host, "", "", 404, "not_found"},
		"a host who would read the server's trail":      {"GET", "/api/audit", host, "", "", 403, "forbidden"},
		"nobody who would listen":                       {"POST", "/rooms/" + room + "/whep", "", "application/sdp", offer, 401, "unauthorized"},
		"nobody who would listen where nothing is":      {"POST", "/rooms/nowhere/whep", "", "application/sdp", offer, 401, "unauthorized"},
	} {
		resp, answer := f.ask(t, row.method, row.path, row.token, row.body, "Content-Type", row.kind)
		assert.Equal(t, row.status, resp.StatusCode, "%s: %v", name, answer)
		assert.Equal(t, row.code, code(answer), name)
	}
}
