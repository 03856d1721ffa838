package panel

import (
	"sync"
	"time"
)

const (
	// minInterval is the least time between two samples.
	minInterval = time.Second
	// maxInterval is the time after which two samples have a gap between them, in which
	// nobody watched.
	maxInterval = 15 * time.Second
	// maxSamples is how many samples are held.
	maxSamples = 300
)

// Sample is what a server has counted so far, and holds at one moment.
type Sample struct {
	At time.Time
	// Received, Sent and Dropped count media packets since the server started.
	Received, Sent, Dropped uint64
	// CPU is the time that the process has used, and Memory its resident bytes; 0 if
	// they are unknown.
	CPU    time.Duration
	Memory uint64

	Stage, Audience, Mics, Ears int
	Rooms                       []RoomSample
	// Nodes are those of the cluster; none: the server belongs to none.
	Nodes []NodeSample
}

// NodeSample is a node of a [Sample].
type NodeSample struct {
	ID, URL, Zone string
	// Self says that it is the node which has the page, Draining that it takes no rooms, and Silent that
	// most of the others do not hear it.
	Self, Draining, Silent bool
	Seats, Taken, Rooms    int
	// Halls are the rooms of other nodes that have ears on it, and Trunks its own that have ears on others.
	Halls, Trunks int
}

// RoomSample is a room of a [Sample].
type RoomSample struct {
	ID, Name, Visibility string
	Created              time.Time
	Stage                []string
	// Halls is the audience of each hall.
	Halls []int
	// Elsewhere is how many ears are on other nodes, and ElsewhereNodes on how many.
	Elsewhere, ElsewhereNodes int
	// Sent counts the packets sent to its ears since it was created.
	Sent uint64
}

// interval is what happened between two samples, per second.
type interval struct {
	until          time.Time
	received, sent float64 // packets; NaN if nobody watched
	cores          float64 // NaN if it is unknown
}

// History holds the samples of the last minutes in which somebody watched. It is safe
// for concurrent use.
type History struct {
	mu      sync.Mutex
	samples []Sample
	// rates is how many packets a second each room sent, by its ID.
	rates map[string]float64
}

// Add adds a sample, unless the last one is too recent, and returns a view of the
// history.
func (h *History) Add(take func() Sample, now time.Time) View {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	if n > 0 && now.Sub(h.samples[n-1].At) < minInterval {
		return h.view()
	}
	s := take()
	s.At = now
	h.rates = map[string]float64{}
	if n > 0 && now.Sub(h.samples[n-1].At) < maxInterval {
		last := h.samples[n-1]
		before := map[string]uint64{}
		for _, r := range last.Rooms {
			before[r.ID] = r.Sent
		}
		for _, r := range s.Rooms {
			if sent, known := before[r.ID]; known && r.Sent >= sent {
				h.rates[r.ID] = float64(r.Sent-sent) / now.Sub(last.At).Seconds()
			}
		}
	}
	if n > 0 {
		h.samples[n-1].Rooms = nil // only the last one's are shown
	}
	h.samples = append(h.samples, s)
	if over := len(h.samples) - maxSamples; over > 0 {
		h.samples = append(h.samples[:0], h.samples[over:]...)
	}
	return h.view()
}

func (h *History) view() View {
	return View{Samples: append([]Sample(nil), h.samples...), Rates: h.rates}
}
