package nodes

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	redirects, passed, takeovers, fenced, remoteEars *prometheus.CounterVec
	trunkDelay                                       prometheus.Histogram
	trunkGaps, trunkLate, hallsGone                  prometheus.Counter
}

func newMetrics() metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	plain := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return metrics{
		remoteEars: counter("earshot_remote_ears_total", "Ears of this node's rooms that another node was asked to open, by whether it did.", "outcome"),
		trunkDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "earshot_trunk_delay_seconds", Help: "How much longer than the quickest of the last seconds a frame took from its room's node to this one.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5},
		}),
		trunkGaps: plain("earshot_trunk_gaps_total", "How often a hall of this node missed a message of its room's node, or heard nothing for a second, and was silent until it had a snapshot."),
		trunkLate: plain("earshot_trunk_late_total", "Frames for halls of this node that were dropped because they took 200 ms too long."),
		hallsGone: plain("earshot_halls_gone_total", "Halls of this node's rooms on other nodes that said nothing for a second: their listeners had to come again."),
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
	earsDesc      = prometheus.NewDesc("earshot_trunk_ears", "Ears of this node's rooms that are on other nodes, and ears of other nodes' rooms that are on this one.", []string{"where"}, nil)
	hallsDesc     = prometheus.NewDesc("earshot_node_halls", "Rooms of other nodes that have ears on this one.", nil, nil)
	nodesDesc     = prometheus.NewDesc("earshot_nodes", "Nodes of the cluster that this node knows of, itself included.", nil, nil)
	lapsesDesc    = prometheus.NewDesc("earshot_lease_lapses_total", "How often this node's rooms were silent because most of the other nodes did not hear it.", nil, nil)
	connectedDesc = prometheus.NewDesc("earshot_nats_connected", "Whether this node is connected to NATS, and not cut off.", nil, nil)
	leadsDesc     = prometheus.NewDesc("earshot_nats_leads", "Whether this node's embedded NATS server leads the writing of what the nodes keep.", []string{"bucket"}, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{seatsDesc, earsDesc, hallsDesc, nodesDesc, lapsesDesc, connectedDesc, leadsDesc} {
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
	people, _ := n.people()
	gauge(seatsDesc, float64(people), "taken")
	gauge(seatsDesc, float64(max(n.cfg.Self.Seats-people, 0)), "free")
	out, _ := n.earsElsewhere()
	in, halls := n.halls.ears(), n.halls.count()
	gauge(earsDesc, float64(out), "elsewhere")
	gauge(earsDesc, float64(in), "of_others")
	gauge(hallsDesc, float64(halls))
	gauge(nodesDesc, float64(len(n.cluster.Nodes())))
	to <- prometheus.MustNewConstMetric(lapsesDesc, prometheus.CounterValue, float64(n.cluster.Lapses()))
	connected := 0.0
	if n.cluster.Connected() && !n.cluster.CutOff() {
		connected = 1
	}
	gauge(connectedDesc, connected)
	for bucket, leads := range n.cfg.Store.Leads() {
		value := 0.0
		if leads {
			value = 1
		}
		gauge(leadsDesc, value, bucket)
	}
}
