package signaling

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// metrics are the server's figures for Prometheus. What can be counted when
// asked is (see collect.go); the rest are counters here.
type metrics struct {
	registry *prometheus.Registry
	sessions prometheus.Gauge
	slow     prometheus.Counter
	joins    *prometheus.CounterVec
	ended    *prometheus.CounterVec
	// mismatches counts what the checks of the rooms have found.
	mismatches prometheus.Counter
	in, out    map[wire.Type]prometheus.Counter
}

// The words that stand for messages that are none, in the type label.
const (
	typeBinary    wire.Type = "binary"
	typeMalformed wire.Type = "malformed"
)

// newMetrics makes the metrics and registers them, in a registry of their own
// if none is configured.
func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		registry: s.cfg.Registry,
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "earshot_ws_sessions", Help: "WebSocket sessions that are open."}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_ws_slow_disconnects_total",
			Help: "WebSocket sessions ended because the client did not read its messages fast enough."}),
		joins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_joins_total",
			Help: "Attempts to join a room, by way (ws, whip, whep) and result (ok or an error code)."}, []string{"via", "result"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_media_sessions_ended_total",
			Help: "Mics and ears that have ended, by media (mic, ear) and reason: closed by the server, hangup by the client, " +
				"consent_lost, never_connected, handshake_failed."}, []string{"media", "reason"}),
		mismatches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_roster_mismatches_total",
			Help: "Times that a room's media, roster and rules did not agree, found by the check that runs every second: always 0."}),
		in:  make(map[wire.Type]prometheus.Counter),
		out: make(map[wire.Type]prometheus.Counter),
	}
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_ws_messages_total",
		Help: "WebSocket messages, by direction (in, out) and type (of those that could not be read: malformed, binary)."},
		[]string{"direction", "type"})
	for _, name := range append(wire.ClientTypes(), typeBinary, typeMalformed) {
		m.in[name] = messages.WithLabelValues("in", string(name))
	}
	for _, name := range wire.ServerTypes() {
		m.out[name] = messages.WithLabelValues("out", string(name))
	}
	own := []prometheus.Collector{m.sessions, m.slow, m.joins, m.ended, m.mismatches, messages, &collector{server: s}}
	if m.registry == nil {
		m.registry = prometheus.NewRegistry()
	}
	for _, c := range own {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	// A registry that was given may have these already.
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var already prometheus.AlreadyRegisteredError
		if err := m.registry.Register(c); err != nil && !errors.As(err, &already) {
			return nil, err
		}
	}
	return m, nil
}

// received counts a message from a client.
func (m *metrics) received(name wire.Type) {
	if c, ok := m.in[name]; ok {
		c.Inc()
	}
}

// sent counts a message written to a client.
func (m *metrics) sent(name wire.Type) {
	if c, ok := m.out[name]; ok {
		c.Inc()
	}
}

// mediaEnded counts the end of a mic or an ear.
func (m *metrics) mediaEnded(kind wire.Media, reason error) {
	word := "closed"
	switch {
	case errors.Is(reason, rtc.ErrHangup):
		word = "hangup"
	case errors.Is(reason, rtc.ErrConsentLost):
		word = "consent_lost"
	case errors.Is(reason, rtc.ErrNeverConnected):
		word = "never_connected"
	case errors.Is(reason, rtc.ErrHandshake):
		word = "handshake_failed"
	}
	m.ended.WithLabelValues(string(kind), word).Inc()
}

// joined counts an attempt to join. The result is one of a fixed set of words.
func (m *metrics) joined(via string, err error) {
	result := "ok"
	if err != nil {
		code, _ := refusalOf(err)
		result = string(code.Code)
	}
	m.joins.WithLabelValues(via, result).Inc()
}
