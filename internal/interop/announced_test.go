package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLiveKitKnowsHowMicsSend asks LiveKit's RoomService, while four mics publish, what it holds of
// them: each is as its recording and its group have it.
func TestLiveKitKnowsHowMicsSend(t *testing.T) {
	if *built == "" || *sideBySide {
		t.Skip("plays against LiveKit servers: make interop")
	}
	if !inOwnNetwork(t) {
		return
	}
	earshot := buildEarshot(t)
	for _, version := range []string{"v1.11.0", "v1.8.4"} {
		t.Run(version, func(t *testing.T) {
			p := livekit(version)
			server := p.start(t, earshot)
			over := make(chan []byte)
			go func() {
				defer close(over)
				_, said := p.play(t, earshot, server.Pid, false, "run", "testdata/announced.yaml")
				over <- said
			}()
			known := map[string]string{}
			for playing := true; playing; {
				select {
				case said := <-over:
					assert.Contains(t, string(said), "✓ rate == 1")
					playing = false
				case <-time.After(200 * time.Millisecond):
					listTracks(t, known)
				}
			}
			assert.Equal(t, map[string]string{
				"speaker-1.1": "DTX", "speaker-1.2": "[TF_NO_DTX]", "speaker-2.1": "DTX, RED", "speaker-2.2": "[TF_NO_DTX], RED",
			}, known)
			assert.Empty(t, rooms(t), "the run deletes its room")
		})
	}
}

// rooms returns the names of the server's rooms.
func rooms(t *testing.T) (names []string) {
	t.Helper()
	for _, r := range roomService[struct{ Rooms []struct{ Name string } }](t, "ListRooms", "").Rooms {
		names = append(names, r.Name)
	}
	return names
}

// listTracks enters how everybody's track is sent.
func listTracks(t *testing.T, by map[string]string) {
	t.Helper()
	for _, room := range rooms(t) {
		for _, who := range roomService[struct{ Participants []participant }](t, "ListParticipants", room).Participants {
			for _, track := range who.Tracks {
				by[who.Identity] = track.String()
			}
		}
	}
}

// A participant is a LiveKit server's ParticipantInfo.
type participant struct {
	Identity string
	Tracks   []track
}

// A track is its TrackInfo.
type track struct {
	DisableDTX    bool     `json:"disable_dtx"`
	DisableRED    bool     `json:"disable_red"`
	AudioFeatures []string `json:"audio_features"`
}

// String says how the track is sent.
func (t track) String() string {
	said := "DTX"
	if t.DisableDTX || len(t.AudioFeatures) > 0 {
		said = fmt.Sprint(t.AudioFeatures)
	}
	if !t.DisableRED {
		said += ", RED"
	}
	return said
}

// roomService asks LiveKit's RoomService about a room, or about all.
func roomService[Answer any](t *testing.T, method, room string) (answer Answer) {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "earshot", "exp": time.Now().Add(time.Minute).Unix(), "video": map[string]any{"roomList": true, "roomAdmin": true, "room": room},
	}).SignedString([]byte(livekitSecret))
	require.NoError(t, err)
	body, err := json.Marshal(map[string]string{"room": room})
	require.NoError(t, err)
	if room == "" {
		body = []byte("{}")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:7880/twirp/livekit.RoomService/"+method, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", method)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer
}
