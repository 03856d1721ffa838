package panel

import (
	"sync"
	"time"
)

const (
	// least is the least time between two samples: more of them tell no more.
	least = time.Second
	// apart is a time without samples that is a hole and not an interval: nobody
	// looked.
	apart = 15 * time.Second
	// kept is how many samples there are at most.
	kept = 300
)

// A Sample is what a server has counted so far, and holds now.
type Sample struct {
	At time.Time
	// Received, Sent and Dropped count media packets since the server began.
	Received, Sent, Dropped uint64
	// CPU is the time that the process has used, and Memory its resident bytes;
	// 0 if they can't be known.
	CPU    time.Duration
	Memory uint64

	Stage, Audience, Mics, Ears int
	Rooms                       []RoomSample
}

// A RoomSample is one of the server's.
type RoomSample struct {
	ID, Name, Visibility string
	Created              time.Time
	Stage                []string
	// Halls is the people in each.
	Halls []int
	// Sent counts the packets that its ears took since it was made.
	Sent uint64
}

// An interval is what happened between two samples, a second.
type interval struct {
	until          time.Time
	received, sent float64 // packets; NaN if nobody looked
	cores          float64 // NaN if it can't be known
}

// A History is the samples of the last minutes in which somebody looked. It is
// safe for concurrent use.
type History struct {
	mu      sync.Mutex
	samples []Sample
	// rates is how many packets a second each room sent, by its ID.
	rates map[string]float64
}

// Add enters a sample, unless the last has only just come, and returns the
// history with it.
func (h *History) Add(take func() Sample, now time.Time) View {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	if n > 0 && now.Sub(h.samples[n-1].At) < least {
		return h.view()
	}
	s := take()
	s.At = now
	h.rates = map[string]float64{}
	if n > 0 && now.Sub(h.samples[n-1].At) < apart {
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
	if over := len(h.samples) - kept; over > 0 {
		h.samples = append(h.samples[:0], h.samples[over:]...)
	}
	return h.view()
}

func (h *History) view() View {
	return View{Samples: append([]Sample(nil), h.samples...), Rates: h.rates}
}
