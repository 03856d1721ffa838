package scale

import "math"

// Costs are what was measured.
type Costs struct {
	// Core-seconds a second of a node: for each listener who hears nothing, and for each packet a second.
	Listener, Packet float64
	// Bytes of a node: without listeners, and for each.
	Base, Memory float64
	// Join is the core-seconds of one, and Delivery those of NATS and its clients for one message.
	Join, Delivery float64
}

// Machine is what each node runs on.
type Machine struct {
	Cores float64
	// Packets is how many packets a second its network card sends.
	Packets float64
	// Load is how much of either a node is planned for.
	Load float64
}

// Demand is how many people are where.
type Demand struct {
	Listeners, Rooms int
	// Voices is how many packets each listener has at once, in talkers.
	Voices float64
	// Within is the seconds in which all of them come.
	Within float64
}

// A Plan is what a [Demand] needs.
type Plan struct {
	// Seats are those of a node, for which it is planned.
	Seats, Nodes int
	Control      Control
	// StateCores is what NATS and its clients need for what the nodes tell one another, all together.
	StateCores float64
	// Memory of a full node, in bytes.
	Memory float64
	// Lost is the seconds in which the others have taken the listeners of a lost node.
	Lost float64
	// First is what is full first when more come, and Full how full it is then.
	First string
	Full  float64
}

const (
	// noticed is the seconds until a node's listeners know that it is gone.
	noticed = 1.0
	// headroom of voices in a trunk: one more mic than the listeners have slots.
	headroom = 1.0
)

// Plan returns what a demand needs of such nodes.
func (c Costs) Plan(d Demand, n Machine) Plan {
	packets := d.Voices * framesPerSecond
	byCPU := n.Load * n.Cores / (c.Listener + c.Packet*packets)
	byNIC := n.Packets / packets
	p := Plan{Seats: int(math.Min(byCPU, byNIC))}
	p.Nodes = int(math.Ceil(float64(d.Listeners) / float64(p.Seats)))
	if p.Nodes > 1 {
		p.Nodes++ // one may be lost
	}
	perRoom := int(math.Ceil(float64(d.Listeners) / float64(d.Rooms) / float64(p.Seats)))
	p.Control = Control{Nodes: p.Nodes, Arrivals: float64(d.Listeners) / d.Within, Voices: d.Voices + headroom}
	if perRoom > 1 {
		p.Control.Trunks, p.Control.Halls = d.Rooms, perRoom-1
	}
	p.StateCores = p.Control.Delivered() * c.Delivery
	onEach := float64(d.Listeners) / float64(p.Nodes)
	p.Memory = c.Base + c.Memory*onEach
	free := n.Cores - onEach*(c.Listener+c.Packet*packets)
	others := math.Max(float64(p.Nodes-1), 1)
	p.Lost = noticed + onEach*c.Join/(others*free)
	if p.Nodes == 1 {
		p.Lost = math.Inf(1)
	}
	for what, full := range map[string]float64{
		"the nodes' cores":                          onEach * (c.Listener + c.Packet*packets) / n.Cores,
		"the nodes' network cards":                  onEach * packets / n.Packets,
		"the joins of a node that has a whole room": float64(d.Listeners) / float64(d.Rooms) / d.Within * c.Join / (n.Cores * n.Load),
		"NATS": p.StateCores / (n.Cores * n.Load), // as if a machine of its own did all of it

	} {
		if full > p.Full || full == p.Full && what < p.First {
			p.First, p.Full = what, full
		}
	}
	return p
}
