package endtoend_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
	verdict "github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// A recorder is a WHIP server of somebody else's that only takes publishers in.
type recorder struct {
	// silent has it send no receiver reports, and claims has it send some of its own
	// besides, which say that it received the packet and lost so many.
	silent bool
	claims uint32
	// single has it end a publisher when it hears another at the same URL.
	single bool
	// refuses is the status with which it refuses everybody.
	refuses int

	mu   sync.Mutex
	last map[string]*webrtc.PeerConnection // whom it heard last at a URL, of those it has not ended
}

func (s *recorder) serve(t *testing.T) string {
	s.last = map[string]*webrtc.PeerConnection{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip/{room}", func(w http.ResponseWriter, r *http.Request) {
		if s.refuses != 0 {
			http.Error(w, "no", s.refuses)
			return
		}
		offer, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		pc := s.connection(t, r.URL.Path)
		assert.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}))
		answer, err := pc.CreateAnswer(nil)
		assert.NoError(t, err)
		gathered := webrtc.GatheringCompletePromise(pc)
		assert.NoError(t, pc.SetLocalDescription(answer))
		<-gathered
		w.Header().Set("Location", "/sessions/1")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, pc.LocalDescription().SDP)
	})
	mux.HandleFunc("DELETE /sessions/1", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/whip/{room}"
}

func (s *recorder) connection(t *testing.T, at string) *webrtc.PeerConnection {
	media := &webrtc.MediaEngine{}
	assert.NoError(t, media.RegisterDefaultCodecs())
	registry := &interceptor.Registry{}
	if !s.silent {
		reports, err := report.NewReceiverInterceptor(report.ReceiverInterval(100 * time.Millisecond))
		assert.NoError(t, err)
		registry.Add(reports)
	}
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" || name == "lo0" })
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	assert.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pc.GracefulClose()) })
	pc.OnTrack(func(in *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		s.heard(pc, at)
		for {
			p, _, err := in.ReadRTP()
			if err != nil {
				return
			}
			if s.claims > 0 {
				_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
					SSRC: p.SSRC, LastSequenceNumber: uint32(p.SequenceNumber), TotalLost: s.claims, Jitter: 48 * 7,
				}}}})
			}
		}
	})
	return pc
}

// heard is called with the first packet of a publisher, who is connected then.
func (s *recorder) heard(pc *webrtc.PeerConnection, at string) {
	s.mu.Lock()
	before := s.last[at]
	s.last[at] = pc
	s.mu.Unlock()
	if s.single && before != nil {
		_ = before.Close() // which tells it so
	}
}

const alone = `
name: publishers alone
room: {capacity: 1, slots: 1}
cast: [{role: speaker, count: 3, audio: audio/speech.ogg, arrive: {within: 300ms}}]
hold: 2s
`

// publishing drives a server to which people only publish.
func publishing(t *testing.T, url string) driver.Driver {
	t.Helper()
	d, err := whep.New(url, "", "", nil)
	require.NoError(t, err)
	return d
}

func TestPublishingAloneIsMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sentence   string
		server     *recorder
		field      string // of its URL, beside the room
		thresholds string
		mics       tally.Mics
		published  uint64
		crossed    []string // thresholds that are crossed
		reason     string   // of a verdict that is not pass
		says       string
	}{
		{
			sentence: "a server that takes all publishers and reports what it received", server: &recorder{},
			thresholds: `{published: "rate == 1", publish_duration: "p(95) < 10s", mic_rtt: "p(95) < 5s", mic_loss: "max == 0", mic_jitter: "max < 1s", mic_nacks: "count == 0"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3, Reported: 3}, published: 3,
		},
		{
			sentence: "a server of one publisher, whom the next one ends", server: &recorder{single: true},
			thresholds: `{published: "rate == 1"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3, Ended: 2}, published: 1, crossed: []string{"published"},
			says: "2 of 3 publishers were ended by the server: does it take one in a room?",
		},
		{
			sentence: "a server of one publisher a URL, who each have their own", server: &recorder{single: true}, field: "-{speaker}",
			thresholds: `{published: "rate == 1"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3}, published: 3,
		},
		{
			sentence: "a server that sends no receiver reports", server: &recorder{silent: true},
			thresholds: `{published: "rate == 1", mic_loss: "max == 0"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3}, published: 3,
			reason: "of 3 mics, the server sent no receiver reports on 3 that were true and lasted to the end",
		},
		{
			sentence: "a server that reports losses", server: &recorder{silent: true, claims: 10},
			thresholds: `{published: "rate == 1", mic_loss: "max < 2", mic_jitter: "min < 1ms"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3, Reported: 3}, published: 3, crossed: []string{"mic_loss", "mic_jitter"},
		},
		{
			sentence: "a server that reports to have lost more than there was", server: &recorder{silent: true, claims: 1 << 22},
			thresholds: `{published: "rate == 1", mic_loss: "max < 2"}`,
			mics:       tally.Mics{Opened: 3, Connected: 3}, published: 3,
			reason: "of 3 mics, the server sent no receiver reports on 3",
		},
		{
			sentence: "a server that takes nobody", server: &recorder{refuses: http.StatusForbidden},
			thresholds: `{published: "rate == 1", mic_rtt: "max < 1s"}`,
			mics:       tally.Mics{Opened: 3}, crossed: []string{"published", "mic_rtt"},
			says: "the server answered 403",
		},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			s := written(t, alone+"thresholds: "+c.thresholds+"\n")
			result, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: publishing(t, c.server.serve(t)+c.field)})
			require.NoError(t, err)
			if c.server.single { // it may end one before it reports
				result.Mics.Reported = c.mics.Reported
			}
			assert.Equal(t, c.mics, result.Mics)
			assert.Equal(t, metric.Rate{Passes: c.published, Total: 3}, rateOf(t, result, "published"))
			r := verdict.Judge(result, s.Thresholds)
			for _, j := range r.Thresholds {
				// On a busy machine a figure may be in doubt.
				crossed := j.OK != nil && !*j.OK
				if slices.Contains(c.crossed, j.Metric) {
					assert.True(t, crossed || j.Undecided, "%s is crossed", j.Metric)
				} else {
					assert.False(t, crossed, "%s is not crossed", j.Metric)
				}
			}
			if c.reason != "" {
				assert.Equal(t, verdict.Invalid, r.Verdict)
				assert.Contains(t, strings.Join(r.Reasons, "\n"), c.reason)
			}
			assert.NotContains(t, strings.Join(r.Reasons, "\n"), "nothing was measured")
			var text strings.Builder
			require.NoError(t, r.WriteText(&text))
			assert.Contains(t, text.String(), c.says)
		})
	}
}

func TestPublishingAloneWithoutAServerCouldNotRun(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: written(t, alone), Driver: publishing(t, server.URL+"/{room}")})
	require.ErrorIs(t, err, driver.ErrUnreachable)
}

func TestListenersNeedAURLToListen(t *testing.T) {
	_, err := loadgen.Run(t.Context(), loadgen.Config{
		Scenario: written(t, `
name: a listener
cast: [{role: speaker, count: 1, audio: audio/speech.ogg}, {role: listener, count: 2}]
hold: 1s
`), Driver: publishing(t, "http://127.0.0.1:1/whip"),
	})
	require.ErrorIs(t, err, driver.ErrUnsupported)
	require.ErrorContains(t, err, "casts 2 listeners; give --whep-url")
}
