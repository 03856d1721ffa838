package scale

const (
	// A node says five times a second that it is there, and writes its entry once a second.
	beatsPerSecond   = 5
	entriesPerSecond = 1
	// framesPerSecond are those of a voice (20 ms), and ticksPerSecond the sender's of a trunk and the
	// reports of a hall.
	framesPerSecond = 50
	ticksPerSecond  = 10
)

// Control is what the nodes of a cluster tell one another over NATS.
type Control struct {
	Nodes int
	// Arrivals is how many accounts come in a second, by way of any node: all others are
	// told, and answer. Those that come to a node while its last message has not been answered share
	// the next one: then there are fewer messages than this says.
	Arrivals float64
	// Trunks is how many rooms have halls on other nodes, Halls how many each of them, and Voices how
	// many frames are in the trunk at once.
	Trunks, Halls int
	Voices        float64
}

// Published returns how many messages the nodes send a second.
func (c Control) Published() float64 {
	n, t := float64(c.Nodes), float64(c.Trunks)
	return n*(beatsPerSecond+entriesPerSecond) + c.Arrivals*n + t*c.trunk() + t*float64(c.Halls)*ticksPerSecond
}

// Delivered returns how many messages NATS delivers a second.
func (c Control) Delivered() float64 {
	n, t := float64(c.Nodes), float64(c.Trunks)
	// All other nodes take beats and arrivals. An arrival is answered by all of them. An entry is answered, and watched
	// by all, its own node included.
	return n*(n-1)*beatsPerSecond + n*entriesPerSecond*(n+1) + c.Arrivals*2*(n-1) +
		t*float64(c.Halls)*c.trunk() + t*float64(c.Halls)*ticksPerSecond
}

// trunk is how many messages a second are in one.
func (c Control) trunk() float64 { return c.Voices*framesPerSecond + ticksPerSecond }
