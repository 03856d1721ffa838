package nodes

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	redirects, passed, takeovers, fenced *prometheus.CounterVec
}

func newMetrics() metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	return metrics{
		redirects: counter("earshot_redirects_total", "WebSockets that were sent to another node.", "reason"),
		passed:    counter("earshot_requests_passed_total", "HTTP requests that were passed on to another node, by whether it answered.", "outcome"),
		takeovers: counter("earshot_takeovers_total", "Rooms that this node took over.", "reason"),
		fenced:    counter("earshot_fenced_total", "Rooms that this node let go of, because another has them or will.", "reason"),
	}
}

// collector shows the node's state.
type collector struct{ nodes *Nodes }

var (
	seatsDesc     = prometheus.NewDesc("earshot_node_seats", "Seats of this node.", []string{"state"}, nil)
	nodesDesc     = prometheus.NewDesc("earshot_nodes", "Nodes of the cluster that this node knows of, itself included.", nil, nil)
	connectedDesc = prometheus.NewDesc("earshot_nats_connected", "Whether this node is connected to NATS, and not cut off.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{seatsDesc, nodesDesc, connectedDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	n := c.nodes
	if !n.joined() {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	people, _ := n.rooms.Load()
	gauge(seatsDesc, float64(people), "taken")
	gauge(seatsDesc, float64(max(n.cfg.Self.Seats-people, 0)), "free")
	gauge(nodesDesc, float64(len(n.cluster.Nodes())))
	connected := 0.0
	if n.cluster.Connected() && !n.cluster.CutOff() {
		connected = 1
	}
	gauge(connectedDesc, connected)
}
