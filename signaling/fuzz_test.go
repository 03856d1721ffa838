package signaling

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// FuzzHTTP checks a server that is not open. Every request gets what it asks for, or
// an error in the form that all errors have, with a code that goes with its status;
// the server never fails. No header contains a line break. Without a token nothing is
// shown but what is public. In a target, ROOM stands for an existing room.
func FuzzHTTP(f *testing.F) {
	const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n" +
		"a=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n"
	fingerprint := "a=fingerprint:sha-256 " + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\r\n"
	for _, seed := range [][5]string{
		{"POST", "/api/rooms", "application/json", "operator", `{"name":"a","visibility":"closed","capacity":5,"slots":2}`},
		{"POST", "/api/rooms", "application/json; charset=\"\xff", "operator", `{"name":"a","NAME":"b"}`},
		{"GET", "/api/rooms", "", "operator", ""},
		{"GET", "/api/rooms", "", "", ""},
		{"GET", "/api/rooms/ROOM", "", "operator", ""},
		{"DELETE", "/api/rooms/..%2f..%2fetc", "", "operator", ""},
		{"POST", "/api/rooms/ROOM/invites", "application/json", "operator", `{"role":"speaker","uses":1,"ttl_s":60,"name":"Bo"}`},
		{"GET", "/api/rooms/ROOM/members", "", "operator", ""},
		{"DELETE", "/api/rooms/ROOM/members/x?ban=true", "", "operator", ""},
		{"POST", "/api/rooms/ROOM/members/x/mute", "application/json", "operator", `{"muted":true}`},
		{"GET", "/api/rooms/ROOM/audit", "", "operator", ""},
		{"POST", "/api/invites", "application/json", "operator", `{"uses":1,"ttl_s":99999999999}`},
		{"GET", "/api/invites/abcdefghijklmnopqrstuvwxyz", "", "", ""},
		{"DELETE", "/api/invites/%00", "", "operator", ""},
		{"POST", "/api/invites/abcdefghijklmnopqrstuvwxyz/redeem", "application/json", "", `{"name":"Bo"}`},
		{"POST", "/api/login", "application/json", "", `{"key":"k"}`},
		{"POST", "/api/refresh", "application/json", "", `{"refresh_token":"a.b.c"}`},
		{"GET", "/api/me", "", "eyJhbGciOiJub25lIn0.eyJyb29tIjoiYSIsInJvbGUiOiJob3N0In0.", ""},
		{"GET", "/api/audit?limit=-1", "", "operator", ""},
		{"GET", "/metrics", "", "", ""},
		{"GET", "/ws", "", "", ""},
		{"POST", "/rooms/ROOM/whep?name=%0d%0aX:y", "application/sdp", "operator", sdp + fingerprint},
		{"POST", "/rooms/ROOM/whep", "application/sdp", "operator", sdp + fingerprint},
		{"POST", "/rooms/ROOM/whip", "application/sdp", "operator", sdp},
		{"POST", "/rooms/%2e%2e/whep", "application/sdp", "operator", sdp + fingerprint},
		{"PATCH", "/rooms/ROOM/whep/a.b", "application/trickle-ice-sdpfrag", "operator", "m=audio 9 X 0\r\na=mid:0\r\n"},
		{"OPTIONS", "/rooms/ROOM/whip", "", "", ""},
		{"BREW", "/api/rooms", "", "", ""},
		{"GET", "/./..//", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	engine, err := rtc.New(rtc.Config{Media: "127.0.0.1:0"})
	require.NoError(f, err)
	cfg := Config{OperatorToken: operatorToken, Key: testKey, Media: engine}
	cfg.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	server, err := New(cfg)
	require.NoError(f, err)
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		assert.NoError(f, server.Shutdown(ctx))
		assert.NoError(f, engine.Close())
	})
	ask := func(method, target, contentType, token, body string) *httptest.ResponseRecorder {
		var text bytes.Buffer
		fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n", method, target, contentType, len(body))
		if token == "operator" {
			token = operatorToken
		}
		if token != "" {
			fmt.Fprintf(&text, "Authorization: Bearer %s\r\n", token)
		}
		text.WriteString("\r\n" + body)
		r, err := http.ReadRequest(bufio.NewReader(&text))
		if err != nil {
			return nil // which net/http refuses
		}
		r.RemoteAddr = "192.0.2.1:5"
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		return w
	}
	hall := func() string {
		w := ask("POST", "/api/rooms", "application/json", "operator", `{"name":"hall","visibility":"closed"}`)
		require.Equal(f, http.StatusCreated, w.Code, w.Body)
		return strings.TrimPrefix(w.Header().Get("Location"), "/api/rooms/")
	}()

	f.Fuzz(func(t *testing.T, method, target, contentType, token, body string) {
		w := ask(method, strings.ReplaceAll(target, "ROOM", hall), contentType, token, body)
		if w == nil {
			return
		}
		if requireWellFormed(t, w); w.Code >= 400 {
			return
		}
		path, _, _ := strings.Cut(target, "?")
		if token == "" && method != http.MethodOptions {
			switch path {
			case "/", "/metrics", "/healthz", "/readyz":
			default:
				// WHIP and WHEP endpoints say what they are (RFC 9725, section 4.1).
				require.True(t, (method == http.MethodGet || method == http.MethodHead) && strings.HasPrefix(path, "/rooms/") && w.Body.Len() == 0,
					"%s %s was answered with %d: %s", method, target, w.Code, w.Body)
			}
		}
		if at := w.Header().Get("Location"); w.Code == http.StatusCreated && at != "" {
			// What was created can be found and deleted.
			gone := ask("DELETE", at, "", "operator", "")
			require.Less(t, gone.Code, 300, "%s: %s", at, gone.Body)
		}
		for _, l := range server.rooms.List() {
			if l.ID() != hall {
				require.NoError(t, l.End(room.Operator, nil))
			}
		}
	})
}

// requireWellFormed checks that no header contains a line break, and that an error has
// the form that all errors have and is not the server's own failure.
func requireWellFormed(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	for name, values := range w.Header() {
		for _, v := range append(values, name) {
			require.NotContains(t, v, "\r")
			require.NotContains(t, v, "\n")
			require.NotContains(t, v, "\x00")
		}
	}
	require.Less(t, w.Code, 600)
	if w.Code < 400 {
		return
	}
	require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s", w.Body)
	var refusal wire.ErrorBody
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &refusal), "%s", w.Body)
	info, known := refusal.Error.Code.Info()
	require.True(t, known)
	require.Equal(t, w.Code, info.Status)
	require.NoError(t, wire.Validate(wire.Error{Code: refusal.Error.Code, Message: refusal.Error.Message}), "it can be sent over a WebSocket, too")
}
