package endtoend_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreign is a WHIP and WHEP server as somebody else would write one: a plain
// peer connection for each session, one track a room, a bearer token, and
// session URLs that are relative.
func foreign(t *testing.T, change ...func(*webrtc.SettingEngine)) string {
	t.Helper()
	var mu sync.Mutex
	rooms := map[string]*webrtc.TrackLocalStaticRTP{}
	track := func(room string) *webrtc.TrackLocalStaticRTP {
		mu.Lock()
		defer mu.Unlock()
		if rooms[room] == nil {
			made, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", room)
			assert.NoError(t, err)
			rooms[room] = made
		}
		return rooms[room]
	}
	answer := func(w http.ResponseWriter, r *http.Request, prepare func(*webrtc.PeerConnection)) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		offer, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		pc := plain(t, change...)
		prepare(pc)
		assert.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}))
		description, err := pc.CreateAnswer(nil)
		assert.NoError(t, err)
		gathered := webrtc.GatheringCompletePromise(pc)
		assert.NoError(t, pc.SetLocalDescription(description))
		<-gathered
		w.Header().Set("Location", "../sessions/1")
		w.Header().Set("Content-Type", "application/sdp")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, pc.LocalDescription().SDP)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip/{room}", func(w http.ResponseWriter, r *http.Request) {
		out := track(r.PathValue("room"))
		answer(w, r, func(pc *webrtc.PeerConnection) {
			pc.OnTrack(func(in *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
				for {
					p, _, err := in.ReadRTP()
					if err != nil {
						return
					}
					p.Extension, p.Extensions = false, nil
					_ = out.WriteRTP(p)
				}
			})
		})
	})
	mux.HandleFunc("POST /whep/{room}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(pc *webrtc.PeerConnection) {
			sender, err := pc.AddTrack(track(r.PathValue("room")))
			assert.NoError(t, err)
			go func() { // ends with the connection
				b := make([]byte, 1500)
				for {
					if _, _, err := sender.Read(b); err != nil {
						return
					}
				}
			}()
		})
	})
	mux.HandleFunc("DELETE /sessions/1", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// roomIDs are the rooms in a listing of the API.
func roomIDs(t *testing.T, body string) (ids []string) {
	t.Helper()
	var listing struct {
		Rooms []struct {
			Room string `json:"room"`
		} `json:"rooms"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &listing))
	for _, r := range listing.Rooms {
		ids = append(ids, r.Room)
	}
	require.NotEmpty(t, ids)
	return ids
}

// endRoom ends a room as its host would.
func endRoom(t *testing.T, base, room string) {
	t.Helper()
	resp, body := request(t, http.MethodDelete, base+"/api/rooms/"+url.PathEscape(room), "", "")
	require.Equal(t, 2, resp.StatusCode/100, body)
}

// endRooms ends all rooms, behind the back of who plays in them.
func endRooms(t *testing.T, base string) {
	t.Helper()
	resp, body := request(t, http.MethodGet, base+"/api/rooms", "", "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for _, room := range roomIDs(t, body) {
		endRoom(t, base, room)
	}
}
