package loadgen_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/janus"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// refusing answers all who publish by WHIP or LiveKit that they may not.
func refusing(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/twirp/") || strings.HasSuffix(r.URL.Path, "/validate") {
		return // the room is made
	}
	w.WriteHeader(http.StatusForbidden)
}

// fullBridge makes AudioBridge rooms into which nobody may come.
func fullBridge(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{Subprotocols: []string{"janus-protocol"}}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		var asked struct {
			Janus, Transaction string
			Body               struct{ Request string }
		}
		if conn.ReadJSON(&asked) != nil {
			return
		}
		said := map[string]any{"audiobridge": "created", "room": 1}
		if asked.Body.Request == "join" {
			said = map[string]any{"audiobridge": "event", "error_code": 486, "error": "No more participants"}
		}
		if conn.WriteJSON(map[string]any{"janus": "success", "transaction": asked.Transaction, "data": map[string]any{"id": 7}, "plugindata": map[string]any{"data": said}}) != nil {
			return
		}
	}
}

// TestServersThatRefuseEveryMicFailTheRun plays two rooms against servers that take nobody who wants to speak: there is a
// result, by which the run fails.
func TestServersThatRefuseEveryMicFailTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		server http.HandlerFunc
		driver func(url string) (driver.Driver, error)
		says   string
	}{
		"by WHIP": {refusing, func(url string) (driver.Driver, error) {
			return whep.New(url+"/{room}/whip", url+"/{room}/whep", "", nil)
		}, "403 Forbidden"},
		"LiveKit": {refusing, func(url string) (driver.Driver, error) {
			return livekit.New(strings.Replace(url, "http", "ws", 1), "key", "a secret of thirty-two characters", nil)
		}, "403 Forbidden"},
		"Janus": {fullBridge, func(url string) (driver.Driver, error) {
			return janus.New(strings.Replace(url, "http", "ws", 1), "", "", nil)
		}, "the AudioBridge answered 486: No more participants"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.server)
			t.Cleanup(server.Close)
			d, err := c.driver(server.URL)
			require.NoError(t, err)
			s, err := scenario.LoadText("two.yaml", []byte(`
name: two rooms
rooms: 2
room: {capacity: 1, slots: 1}
cast:
  - {role: speaker, count: 1, audio: ../scenarios/audio/speech.ogg}
  - {role: listener, count: 1}
audio_check: marker
join_deadline: 30s
hold: 10m
thresholds: {latency: ["p(50) < 1s"]}
`))
			require.NoError(t, err)
			began := time.Now()
			result, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: d})
			require.NoError(t, err)
			assert.Less(t, time.Since(began), 5*time.Minute, "nobody waits where there is nothing to hear")
			assert.Equal(t, 2, result.Mics.Opened)
			assert.Zero(t, result.Mics.Connected)
			r := report.Judge(result, s.Thresholds)
			assert.Equal(t, report.Fail, r.Verdict)
			require.Len(t, r.Reasons, 1)
			assert.Contains(t, r.Reasons[0], "did not take the mics of 2 of 2 speakers")
			assert.Contains(t, r.Reasons[0], c.says)
		})
	}
}
