package endtoend_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// byWHEPKept exchanges over WHEP by way of a node, and notes the URL of the session, at that node.
func byWHEPKept(t *testing.T, node, room, token string, path *string) exchange {
	return func(offer string) string {
		resp, answer := postSDP(t, node+"/rooms/"+room+"/whep", token, offer)
		require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
		*path = resp.Header.Get("Location")
		return answer
	}
}

// A sessionRequest is what clients ask of the URL of a session.
type sessionRequest struct {
	name, method, body string
	// here is the status while the session is there, and gone when it is not.
	here, gone int
}

// sessionRequests are all there are. The last ones end the session.
func sessionRequests() []sessionRequest {
	return []sessionRequest{
		{"GET", http.MethodGet, "", 204, 404},
		{"HEAD", http.MethodHead, "", 204, 404},
		{"OPTIONS", http.MethodOptions, "", 200, 200},
		{"a wrong method", http.MethodPut, "", 405, 405},
		{"trickle", http.MethodPatch, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 204, 404},
		{"DELETE", http.MethodDelete, "", 200, 404},
	}
}

// restartRequest restarts ICE, with credentials that the client does not use.
var restartRequest = sessionRequest{"restart", http.MethodPatch, "a=ice-ufrag:abcdefgh\r\na=ice-pwd:abcdefghabcdefghabcdefgh\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n", 200, 404}

// do asks for it, and again while the server says that the room is on its way. Any page can read the answer.
func (s sessionRequest) do(t *testing.T, url, token string) (status int) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), s.method, url, strings.NewReader(s.body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		if s.body != "" {
			r.Header.Set("Content-Type", "application/trickle-ice-sdpfrag")
			r.Header.Set("If-Match", "*")
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
		status = resp.StatusCode
		assert.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"), "%s: %d", s.name, status)
		if status == http.StatusServiceUnavailable {
			assert.NotEmpty(t, resp.Header.Get("Retry-After"), s.name)
		}
		return status != http.StatusServiceUnavailable
	}, patience, 10*time.Millisecond)
	return status
}

// TestSessionURLOfARoom asks the URL of a WHEP session for everything that it can be asked for, by way of each node: while the
// room is where the session is, when it has moved and the session plays on for a moment, and when nothing of it is left.
func TestSessionURLOfARoom(t *testing.T) {
	t.Parallel()
	for _, by := range []int{0, 1} {
		t.Run(fmt.Sprintf("the room is here, by way of node %d", by), func(t *testing.T) {
			t.Parallel()
			all := startNodes(t, 100, 100)
			room, _, tokens := guestsAt(t, all, "listener", "listener")
			var path string
			listen(t, 3, byWHEPKept(t, all[by].url, room, tokens[0], &path))
			assert.Equal(t, http.StatusNotFound, sessionRequest{method: http.MethodDelete}.do(t, all[by].url+path, tokens[1]), "it is somebody else's")
			for _, s := range append([]sessionRequest{restartRequest}, sessionRequests()...) {
				assert.Equal(t, s.here, s.do(t, all[by].url+path, tokens[0]), s.name)
			}
			for _, s := range append([]sessionRequest{restartRequest}, sessionRequests()...) {
				assert.Equal(t, s.gone, s.do(t, all[by].url+path, tokens[0]), "%s of a session that has ended", s.name)
			}
		})
	}
	for _, by := range []int{0, 1} {
		t.Run(fmt.Sprintf("the room has moved, by way of node %d", by), func(t *testing.T) {
			t.Parallel()
			askWhereItWas(t, by)
		})
	}
}

// askWhereItWas asks for a session while the node of its room stops, by way of a node.
func askWhereItWas(t *testing.T, by int) {
	t.Helper()
	all := startNodes(t, 100, 100)
	room, hostToken, tokens := guestsAt(t, all, "listener", "listener", "speaker")
	host := enterAs(t, all[0].url, map[string]any{"token": hostToken}, map[string]any{"room": room, "role": "host", "name": "host"})
	mic := openNumberedMic(t, host.exchange("mic"))
	var path, whip string
	ear, _ := listenRecorded(t, byWHEPKept(t, all[0].url, room, tokens[0], &path))
	openNumberedMic(t, func(offer string) string {
		resp, answer := postSDP(t, all[0].url+"/rooms/"+room+"/whip", tokens[2], offer)
		require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
		whip = resp.Header.Get("Location")
		return answer
	})
	heard := func(since time.Time) int { return mic.after(ear.all(), host.talker(), since) }
	require.Eventually(t, func() bool { return heard(time.Time{}) > mostAfter }, patience, 10*time.Millisecond)

	stopped := all[0].stop()
	<-host.moved
	over := func() bool {
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	}
	at := func() string { // the node that stops takes no more requests at last
		if over() {
			return all[1].url
		}
		return all[by].url
	}
	del := sessionRequest{name: "DELETE", method: http.MethodDelete}
	if del.do(t, all[1].url+path, tokens[1]) == http.StatusOK { // it is somebody else's: then nothing of it is left
		acked := time.Now()
		time.Sleep(settled)
		assert.LessOrEqual(t, heard(acked), mostAfter)
	}
	ended := false
	for _, s := range append(sessionRequests(), sessionRequests()...) {
		if s.method == http.MethodDelete {
			assert.Equal(t, http.StatusOK, s.do(t, at()+path, tokens[0]), "it ends, or has ended")
			acked := time.Now()
			time.Sleep(settled)
			assert.LessOrEqual(t, heard(acked), mostAfter, "nothing is heard after it")
			ended = true
			continue
		}
		status := s.do(t, at()+path, tokens[0])
		acked := time.Now()
		if ended {
			assert.Equal(t, s.gone, status, s.name)
			continue
		}
		assert.Contains(t, []int{s.here, s.gone}, status, s.name)
		if status != s.here { // the moment is over
			time.Sleep(settled)
			assert.LessOrEqual(t, heard(acked), mostAfter, s.name)
		}
	}
	<-stopped
	for _, path := range []string{path, whip} {
		assert.Equal(t, http.StatusNotFound, restartRequest.do(t, all[1].url+path, tokens[0]), "it has ended: come again")
		assert.Equal(t, http.StatusOK, del.do(t, all[1].url+path, tokens[0]), "the end of what has ended is no mistake")
	}
}
