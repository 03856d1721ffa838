package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/internal/scale"
)

// trafficColumns are the names of the values of a simulation's row: who there was, how many messages a
// second NATS took and delivered, and the cores of all of it, NATS, nodes and simulated people.
var trafficColumns = []string{"nodes", "arrivals", "trunks", "halls", "voices", "published", "delivered", "cpu"}

const (
	ofPublished  = 5
	ofDelivered  = 6
	ofTrafficCPU = 7
)

const (
	// joinCost is the core-seconds of a join, with its end, of both sides: docs/performance.md.
	joinCost = 0.0019
	// planned is how much of a machine is planned for.
	planned = 0.6
)

func control(r row) scale.Control {
	return scale.Control{Nodes: int(r[0]), Arrivals: r[1], Trunks: int(r[2]), Halls: int(r[3]), Voices: r[4]}
}

// fitted are the costs, and how far each figure is from what they say.
type fitted struct {
	scale.Costs
	cpu, memory, traffic []float64
}

// fit fits the costs to the figures.
func fit(runs, simulated []row) (f fitted, err error) {
	var cpuRows, memoryRows, trafficRows [][]float64
	var cpus, memories, traffic []float64
	for _, r := range runs {
		if r[speakers] == 0 {
			continue // an idle room is too little to be fitted by relative errors
		}
		cpuRows, cpus = append(cpuRows, []float64{r[listeners], r[perCore] * r[cpu]}), append(cpus, r[cpu])
		memoryRows, memories = append(memoryRows, []float64{1, r[listeners]}), append(memories, r[rss])
	}
	for _, r := range simulated {
		trafficRows, traffic = append(trafficRows, []float64{r[ofDelivered]}), append(traffic, r[ofTrafficCPU])
	}
	var factors []float64
	if factors, f.cpu, err = scale.Fit(cpuRows, cpus); err != nil {
		return f, fmt.Errorf("fit the cores: %w", err)
	}
	f.Listener, f.Packet = factors[0], factors[1]
	if factors, f.memory, err = scale.Fit(memoryRows, memories); err != nil {
		return f, fmt.Errorf("fit the memory: %w", err)
	}
	f.Base, f.Memory = factors[0], factors[1]
	if factors, f.traffic, err = scale.Fit(trafficRows, traffic); err != nil {
		return f, fmt.Errorf("fit the control traffic: %w", err)
	}
	f.Delivery, f.Join = factors[0], joinCost
	return f, nil
}

// worst is the largest residual, in percent.
func worst(residuals []float64) float64 {
	most := 0.0
	for _, r := range residuals {
		most = math.Max(most, 100*math.Abs(r))
	}
	return most
}

// demands are the rows of the table.
var demands = []scale.Demand{
	{Listeners: 10_000, Rooms: 1, Voices: 1, Within: 600},
	{Listeners: 10_000, Rooms: 100, Voices: 1, Within: 600},
	{Listeners: 100_000, Rooms: 1, Voices: 1, Within: 600},
	{Listeners: 100_000, Rooms: 1000, Voices: 1, Within: 600},
	{Listeners: 1_000_000, Rooms: 1, Voices: 1, Within: 600},
	{Listeners: 1_000_000, Rooms: 50, Voices: 1, Within: 600},
	{Listeners: 1_000_000, Rooms: 10_000, Voices: 1, Within: 600},
	{Listeners: 1_000_000, Rooms: 1, Voices: 3, Within: 600},
}

var machine = scale.Machine{Cores: 8, Packets: 1_000_000, Load: planned}

// scaleTables are what docs/scale.md shows, in Markdown.
func scaleTables(f fitted, simulated []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| what | cost | worst residual |\n|---|---:|---:|\n")
	fmt.Fprintf(&b, "| a listener, who hears nothing | %.1f µs of a core a second | %.0f %% |\n", 1e6*f.Listener, worst(f.cpu))
	fmt.Fprintf(&b, "| a packet to a listener | %.2f µs | the same fit |\n", 1e6*f.Packet)
	fmt.Fprintf(&b, "| a process, and each listener | %.0f MB and %.1f KB | %.0f %% |\n", f.Base/1e6, f.Memory/1e3, worst(f.memory))
	fmt.Fprintf(&b, "| a message that NATS delivers, with who sends and takes it | %.1f µs | %.0f %% |\n", 1e6*f.Delivery, worst(f.traffic))
	fmt.Fprintf(&b, "| a join | %.1f ms | not fitted |\n\n", 1e3*f.Join)

	fmt.Fprintf(&b, "| nodes | arrivals a second | halls | sent, modelled | measured | delivered, modelled | measured | off by |\n|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range simulated {
		c := control(r)
		fmt.Fprintf(&b, "| %d | %g | %d | %.0f | %.0f | %.0f | %.0f | %+.1f %% |\n", c.Nodes, c.Arrivals, c.Trunks*c.Halls,
			c.Published(), r[ofPublished], c.Delivered(), r[ofDelivered], 100*(r[ofDelivered]/c.Delivered()-1))
	}
	fmt.Fprintf(&b, "\n| listeners | rooms | at once | nodes | seats of a node | NATS delivers a second | cores for that | memory of a node | a lost node's people are back | full first |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n")
	for _, d := range demands {
		p := f.Plan(d, machine)
		fmt.Fprintf(&b, "| %d | %d | %g | %d | %d | %.0f | %.1f | %.0f MB | %s | %s, %.0f %% |\n",
			d.Listeners, d.Rooms, d.Voices, p.Nodes, p.Seats, p.Control.Delivered(), p.StateCores, p.Memory/1e6, lost(p.Lost), p.First, 100*p.Full)
	}
	return b.String()
}

func lost(seconds float64) string {
	if math.IsInf(seconds, 1) {
		return "never"
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// scalePlots are the plots of docs/scale.md by file name.
func scalePlots(f fitted, simulated []row) map[string]chart.Chart {
	var modelled, measured, nodes []chart.Point
	for _, r := range simulated {
		c := control(r)
		modelled = append(modelled, chart.Point{X: float64(c.Nodes), Y: c.Delivered()})
		measured = append(measured, chart.Point{X: float64(c.Nodes), Y: r[ofDelivered]})
	}
	for l := 10_000; l <= 1_000_000; l += 10_000 {
		p := f.Plan(scale.Demand{Listeners: l, Rooms: 1, Voices: 1, Within: 600}, machine)
		nodes = append(nodes, chart.Point{X: float64(l), Y: float64(p.Nodes)})
	}
	return map[string]chart.Chart{
		"scale-nodes.svg": {
			Title: "Nodes of one room", Description: "How many nodes of eight cores the model wants for one room with one voice, by its listeners.",
			X: chart.Axis{Label: "listeners"}, Y: chart.Axis{Label: "nodes"},
			Series: []chart.Series{{Name: "one room, one voice", Style: chart.Lines, Points: nodes}},
		},
		"scale-traffic.svg": {
			Title: "What NATS delivers", Description: "Messages that NATS delivers a second for the nodes' control traffic and trunks, by the number of nodes: as modelled, and in a simulation.",
			X: chart.Axis{Label: "nodes"}, Y: chart.Axis{Label: "messages a second"},
			Series: []chart.Series{
				{Name: "model", Style: chart.Lines, Points: modelled},
				{Name: "simulation", Style: chart.Dots, Points: measured},
			},
		},
	}
}
