package endtoend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A way in which a server does not do what a moderator asks for.
type neglect string

const (
	refuses neglect = "refuses it"
	ignores neglect = "does not answer"
	hangsUp neglect = "hangs up"
)

// neglectful is a server that neglects what moderators ask for, and is sound otherwise: the
// real one behind a proxy of its signaling.
func neglectful(t *testing.T, how neglect) string {
	t.Helper()
	server, err := url.Parse(serve(t))
	require.NoError(t, err)
	others := httputil.NewSingleHostReverseProxy(server)
	var relays sync.WaitGroup
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			others.ServeHTTP(w, r)
			return
		}
		header := http.Header{}
		if token := r.Header.Get("Authorization"); token != "" {
			header.Set("Authorization", token)
		}
		to, answer, err := websocket.DefaultDialer.DialContext(r.Context(), "ws://"+server.Host+r.URL.RequestURI(), header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_ = answer.Body.Close()
		upgrader := websocket.Upgrader{}
		from, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			_ = to.Close()
			return
		}
		relays.Go(func() { relay(from, to, how) })
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		relays.Wait()
	})
	return front.URL
}

// relay carries messages between a client and the server until one of them hangs up.
func relay(client, server *websocket.Conn, how neglect) {
	var writing sync.Mutex // to the client
	var back sync.WaitGroup
	back.Go(func() {
		defer client.Close()
		for {
			kind, message, err := server.ReadMessage()
			if err != nil {
				return
			}
			writing.Lock()
			err = client.WriteMessage(kind, message)
			writing.Unlock()
			if err != nil {
				return
			}
		}
	})
	defer back.Wait()
	defer server.Close()
	for {
		kind, message, err := client.ReadMessage()
		if err != nil {
			return
		}
		var request struct {
			ID   string
			Type wire.Type
		}
		neglected := []wire.Type{wire.TypeMute, wire.TypePromote, wire.TypeDemote, wire.TypeRemove}
		if json.Unmarshal(message, &request) != nil || !slices.Contains(neglected, request.Type) {
			if server.WriteMessage(kind, message) != nil {
				return
			}
			continue
		}
		switch how {
		case refuses:
			writing.Lock()
			err = client.WriteJSON(map[string]any{"type": "error", "id": request.ID, "code": wire.CodeInternal, "message": "the server has failed"})
			writing.Unlock()
			if err != nil {
				return
			}
		case hangsUp:
			return
		}
	}
}

// A server that does not do what the timeline asks for is at fault where a threshold asks
// for it, and in any case if it does not even answer.
func TestServerThatNeglectsModeratorsIsAtFault(t *testing.T) {
	const cast = `
name: neglected
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 3, audio: audio/guest.ogg}
  - {role: listener, count: 3, arrive: {within: 200ms}}
timeline:
  - {at: 500ms, who: speaker, count: 1, do: mute}
  - {at: 700ms, who: speaker, count: 1, do: demote}
  - {at: 900ms, who: listener, count: 1, do: kick}
  - {at: 1100ms, who: listener, count: 1, do: promote}
`
	asks := map[string]string{
		"mute_silence":     `  mute_silence: ["max <= 5"]`,
		"kick_silence":     `  kick_silence: ["max <= 5"]`,
		"promote_duration": `  promote_duration: ["max < 5s"]`,
	}
	for _, c := range []struct {
		how       neglect
		hold      time.Duration
		unasked   report.Verdict // where no threshold asks for it
		otherwise string         // the reason then
	}{
		{refuses, 4 * time.Second, report.Invalid, "the timeline could not be played as written"},
		{hangsUp, 4 * time.Second, report.Invalid, "the timeline could not be played as written"},
		{ignores, 13 * time.Second, report.Fail, "what the timeline asked for was not answered"},
	} {
		t.Run("a server that "+string(c.how), func(t *testing.T) {
			t.Parallel()
			s := written(t, fmt.Sprintf("%shold: %v\nthresholds:\n  joined: [\"rate == 1\"]\n%s\n", cast, c.hold,
				strings.Join([]string{asks["mute_silence"], asks["kick_silence"], asks["promote_duration"]}, "\n")))
			result, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, neglectful(t, c.how))})
			require.NoError(t, err)
			judged := report.Judge(result, s.Thresholds)
			decided, unasked := []report.Verdict{report.Fail}, []report.Verdict{c.unasked}
			d := result.Doubts
			if busy := d.Stalls > 0 || d.Contended > 0 || d.Stolen > 0; c.how == hangsUp || busy && c.how == ignores {
				// A connection that breaks, and an answer that does not come, while the machine is
				// busy may have been the generator's doing.
				decided, unasked = append(decided, report.Invalid), append(unasked, report.Invalid)
			}
			assert.Contains(t, decided, judged.Verdict, "%v %v", judged.Reasons, result.Problems)
			for _, j := range judged.Thresholds {
				if _, asked := asks[j.Metric]; asked && !(j.Undecided && len(decided) > 1) && assert.NotNil(t, j.OK, "%s: %s", j.Metric, j.Reason) {
					assert.False(t, *j.OK, "%s: %v", j.Metric, j.Value)
				}
			}
			plain := report.Judge(result, s.Thresholds[:1])
			assert.Contains(t, unasked, plain.Verdict, "%v", plain.Reasons)
			if plain.Verdict == c.unasked {
				assert.Contains(t, strings.Join(plain.Reasons, "\n"), c.otherwise)
			}
		})
	}
}
