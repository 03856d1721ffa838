package cast

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// stepsOf plays a join's signaling and returns which steps it had.
func stepsOf(t *testing.T, join func(ctx context.Context) error) (names []string) {
	t.Helper()
	aggregator := record.NewAggregator()
	clock := timebase.NewClock()
	room := ledger.NewBook(aggregator).NewLedger()
	l := room.AddListener(1, record.Labels{})
	l.Expect(clock.Now(), clock.Now(), clock.Now()+time.Second)
	l.StepBegan(record.StepSignaling, clock.Now())
	require.NoError(t, join(traceConnection(t.Context(), clock, l)))
	l.StepEnded(record.StepSignaling, clock.Now())
	l.Connected(clock.Now())
	room.Finish(clock.Now())
	aggregator.Finish(clock.Now())
	values := aggregator.Totals().Values
	for _, step := range metric.JoinSteps {
		if v, ok := values["join_step{step:"+step+"}"].(*metric.Trend); ok {
			names = append(names, step)
			assert.Less(t, v.Summary().Max, 1000.0, "%s has ended", step)
		}
	}
	return names
}

func TestTraceConnectionFindsTheStepsOfEveryDriver(t *testing.T) {
	upgrader := websocket.Upgrader{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsWebSocketUpgrade(r) {
			if c, err := upgrader.Upgrade(w, r, nil); assert.NoError(t, err) {
				assert.NoError(t, c.Close())
			}
		}
	})
	plain, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer encrypted.Close()
	trust := encrypted.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	get := func(client *http.Client, url string) func(context.Context) error {
		return func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
	}
	dial := func(url string) func(context.Context) error {
		return func(ctx context.Context) error {
			c, resp, err := (&websocket.Dialer{TLSClientConfig: trust}).DialContext(ctx, "ws"+strings.TrimPrefix(url, "http"), nil)
			if err != nil {
				return err
			}
			return assertClosed(c, resp)
		}
	}
	named := strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)
	reused := plain.Client()
	for _, c := range []struct {
		name string
		join func(context.Context) error
		want []string
	}{
		{"HTTP", get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, plain.URL), []string{"tcp", "signaling"}},
		{"HTTP by a name", get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, named), []string{"dns", "tcp", "signaling"}},
		{"HTTPS", get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}}, encrypted.URL), []string{"tcp", "tls", "signaling"}},
		{"a new connection that is kept", get(reused, plain.URL), []string{"tcp", "signaling"}},
		{"and that the next listener takes over", get(reused, plain.URL), []string{"signaling"}},
		{"a WebSocket", dial(plain.URL), []string{"tcp", "signaling"}},
		{"a WebSocket over TLS", dial(encrypted.URL), []string{"tcp", "tls", "signaling"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, stepsOf(t, c.join))
		})
	}
	reused.CloseIdleConnections()
}

func assertClosed(c *websocket.Conn, resp *http.Response) error {
	if err := resp.Body.Close(); err != nil {
		return err
	}
	return c.Close()
}
