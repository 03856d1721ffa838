package ws

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Labels of messages that are not of a type of the protocol.
const (
	TypeBinary    wire.Type = "binary"
	TypeMalformed wire.Type = "malformed"
)

// Metrics are the figures of a server's connections. They are safe for concurrent
// use.
type Metrics struct {
	connections prometheus.Gauge
	slow        prometheus.Counter
	in, out     map[wire.Type]prometheus.Counter
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "earshot_ws_sessions", Help: "WebSocket sessions that are open."}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_ws_slow_disconnects_total",
			Help: "WebSocket sessions ended because the client did not read its messages fast enough."}),
		in:  make(map[wire.Type]prometheus.Counter),
		out: make(map[wire.Type]prometheus.Counter),
	}
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_ws_messages_total",
		Help: "WebSocket messages, by direction (in, out) and type (of those that could not be read: malformed, binary)."},
		[]string{"direction", "type"})
	for _, name := range append(wire.ClientTypes(), TypeBinary, TypeMalformed) {
		m.in[name] = messages.WithLabelValues("in", string(name))
	}
	for _, name := range wire.ServerTypes() {
		m.out[name] = messages.WithLabelValues("out", string(name))
	}
	return m, errors.Join(registry.Register(m.connections), registry.Register(m.slow), registry.Register(messages))
}

// Received counts a message from a client.
func (m *Metrics) Received(name wire.Type) {
	if c, ok := m.in[name]; ok {
		c.Inc()
	}
}

// sent counts a message that was written to a client.
func (m *Metrics) sent(name wire.Type) {
	if c, ok := m.out[name]; ok {
		c.Inc()
	}
}
