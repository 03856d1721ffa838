package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// figures are a gauge, a counter and a summary with a label.
func figures(t *testing.T) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewRegistry()
	share := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_delivered", Help: "A share."}, []string{"network"})
	share.WithLabelValues("3g").Set(0.75)
	lost := prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_duplicates", Help: "A number."})
	lost.Add(7)
	r.MustRegister(share, lost, trend{})
	return r
}

// trend is a summary of ten samples.
type trend struct{}

func (trend) Describe(chan<- *prometheus.Desc) {}

func (trend) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstSummary(prometheus.NewDesc("earshot_latency", "A trend, in ms.", nil, nil), 10, 55, map[float64]float64{0.5: 5, 0.99: 10})
}

// options are those of a machine whose name is here.
func options() Options {
	return Options{Instance: "here", Version: "v1", Labels: map[string]string{"commit": "abc", "network": "not this"}}
}

// serve serves a handler until the test ends.
func serve(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// closing closes a sender with the test.
func closing[S Sender](t *testing.T, s S, err error) S {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
	return s
}

// nobody is the address of a port where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestStartSaysWhyAReceiverTakesNothing(t *testing.T) {
	page := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	hostile := "\x1b[2Jverdict: pass\n" + strings.Repeat("<p>no</p>", 1<<17)
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc // nil: nothing listens
		says    string
	}{
		{"nothing listens", nil, "refused"},
		{"it wants a password", page(http.StatusUnauthorized, "who are you?"), "401"},
		{"it has no such path", page(http.StatusNotFound, "not here"), "404"},
		{"its answer is no protocol, and a megabyte", page(http.StatusBadRequest, hostile), "400"},
	} {
		for kind, sender := range map[string]func(address string) (Sender, error){
			"remote write": func(a string) (Sender, error) { return NewRemoteWrite(figures(t), "http://ann:s3cret@"+a, options()) },
			"OTLP by HTTP": func(a string) (Sender, error) {
				return NewOTLP(t.Context(), figures(t), "http://"+a+"/A9f3kQz81LmN0pRsTu", options())
			},
		} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				address := nobody(t)
				if c.handler != nil {
					address = strings.TrimPrefix(serve(t, c.handler), "http://")
				}
				s, err := sender(address)
				require.NoError(t, err)
				_, err = Start(t.Context(), s, time.Hour)
				require.Error(t, err)
				assert.Contains(t, err.Error(), c.says)
				assert.NotContains(t, err.Error(), "s3cret")
				assert.NotContains(t, err.Error(), "A9f3kQz81LmN0pRsTu")
				assert.NotContains(t, err.Error(), "\n")
				assert.NotContains(t, err.Error(), "\x1b")
				assert.Less(t, len(err.Error()), 400)
			})
		}
	}
	t.Run("nothing listens, OTLP by gRPC", func(t *testing.T) {
		s, err := NewOTLP(t.Context(), figures(t), "grpc://"+nobody(t), options())
		require.NoError(t, err)
		_, err = Start(t.Context(), s, time.Hour)
		assert.ErrorContains(t, err, "refused")
	})
}

// A scripted sender fails when it is told to.
type scripted struct {
	broken  atomic.Bool
	under   atomic.Int32 // pushes that are under way
	most    atomic.Int32
	sent    chan struct{}
	waiting bool // until the end of ctx
}

func (s *scripted) Send(ctx context.Context) error {
	s.most.Store(max(s.most.Load(), s.under.Add(1)))
	defer s.under.Add(-1)
	select {
	case s.sent <- struct{}{}:
	default:
	}
	if s.broken.Load() {
		if s.waiting {
			<-ctx.Done()
		}
		return errors.New("it is gone")
	}
	return nil
}

func (s *scripted) Close(context.Context) error { return nil }

func TestPusherCountsWhatFails(t *testing.T) {
	s := &scripted{sent: make(chan struct{})}
	p, err := Start(t.Context(), s, time.Millisecond)
	require.NoError(t, err)
	<-s.sent
	assert.Empty(t, p.Warning(), "all went well")
	s.broken.Store(true)
	require.Error(t, p.Push(t.Context()))
	<-s.sent
	<-s.sent
	require.NoError(t, p.Close())
	assert.Regexp(t, `^\d+ of \d+ pushes failed; the last that did: it is gone$`, p.Warning())
}

// However slow a receiver is, one push at a time is under way, and nothing piles up.
func TestPusherWaitsForASlowReceiver(t *testing.T) {
	s := &scripted{sent: make(chan struct{}), waiting: true}
	p, err := Start(t.Context(), s, time.Millisecond)
	require.NoError(t, err)
	<-s.sent
	s.broken.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { _ = p.Push(ctx) })
	}
	all.Wait()
	s.broken.Store(false)
	require.NoError(t, p.Close())
	assert.EqualValues(t, 1, s.most.Load())
}

func TestParseLabel(t *testing.T) {
	for _, c := range []struct{ name, text, label, value, says string }{
		{"a name and a value", "commit=abc", "commit", "abc", ""},
		{"a value with signs", "branch=a=b {c}", "branch", "a=b {c}", ""},
		{"an underscore", "_x1=y", "_x1", "y", ""},
		{"no value", "commit=", "", "", "no value"},
		{"no sign between", "commit", "", "", "NAME=VALUE"},
		{"a dash", "my-label=1", "", "", "letters, digits and _"},
		{"a digit first", "1a=1", "", "", "digit"},
		{"Prometheus' own", "__name__=x", "", "", "__"},
		{"nothing", "", "", "", "NAME=VALUE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, err := ParseLabel(c.text)
			if c.says != "" {
				assert.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{c.label, c.value}, []string{name, value})
		})
	}
}

// What the library of OpenTelemetry would leave out in silence is refused.
func TestOTLPRefusesWhatItCannotSend(t *testing.T) {
	for _, c := range []struct{ name, url, says string }{
		{"a user", "http://u:s3cret@h:4318", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"a query", "http://h:4318/v1/metrics?token=s3cret", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"a path of gRPC", "grpc://h:4317/v1/metrics", "no path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewOTLP(t.Context(), figures(t), c.url, options())
			assert.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestURLsOfReceivers(t *testing.T) {
	for _, c := range []struct{ name, url, says string }{
		{"an address alone is HTTP", "127.0.0.1:9090", ""},
		{"another scheme", "ftp://u:s3cret@h/x", "ftp://…@h/x has the scheme ftp, and can have http, https"},
		{"no host", "http:///x", "names no host"},
		{"no URL", "http://u:s3cret@[::1/x", "missing ']'"},
		{"a fragment", "http://h/x#s3cret", "fragment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewRemoteWrite(figures(t), c.url, options())
			_, of := NewOTLP(t.Context(), figures(t), c.url, options())
			if c.says == "" {
				assert.NoError(t, errors.Join(err, of))
				return
			}
			assert.ErrorContains(t, err, c.says)
			assert.NotContains(t, fmt.Sprint(err, of), "s3cret")
			assert.Error(t, of)
		})
	}
}
