package tally

import "github.com/earshot-audio/earshot/loadgen/feedback"

// Losses is where packets were lost that the listeners who got in were due, as the server's
// RTCP reports tell. They may be missing, late or wrong, so that no verdict rests on it.
type Losses struct {
	Due, Lost uint64
	// Uplink is what was lost on the way from the mics to the server, Server within it,
	// Downlink on the way to the listeners, and Generator by its sockets and its machine.
	Uplink, Server, Downlink, Generator Range
	// Mics and Ears are how many there were, and how many of them the server reported on.
	Mics, MicsReported, Ears, EarsReported int
}

// add adds the losses of other rooms, or of a room's other people.
func (l *Losses) add(o Losses) {
	l.Due, l.Lost = l.Due+o.Due, l.Lost+o.Lost
	l.Uplink, l.Server, l.Downlink, l.Generator = l.Uplink.plus(o.Uplink), l.Server.plus(o.Server), l.Downlink.plus(o.Downlink), l.Generator.plus(o.Generator)
	l.Mics, l.MicsReported, l.Ears, l.EarsReported = l.Mics+o.Mics, l.MicsReported+o.MicsReported, l.Ears+o.Ears, l.EarsReported+o.EarsReported
}

// A Range is how many packets something was, at least and at most.
type Range struct{ Least, Most uint64 }

func (r Range) plus(o Range) Range { return Range{r.Least + o.Least, r.Most + o.Most} }

// A ListenerLoss is what one listener lost.
type ListenerLoss struct {
	Due, Lost uint64
	Sent      feedback.Downstream // as the server says
	Reported  bool
}

// A MicSum is what the server says of the mics of a room that are still there: of so many
// packets that they sent it missed some, and of others nothing is known.
type MicSum struct {
	Room    int    `json:"room"`
	Sent    uint64 `json:"sent"`
	Missed  uint64 `json:"missed,omitempty"`
	Unknown uint64 `json:"unknown,omitempty"`
}

func (s *MicSum) add(o MicSum) {
	s.Sent, s.Missed, s.Unknown = s.Sent+o.Sent, s.Missed+o.Missed, s.Unknown+o.Unknown
}

// sumOfMics sums up the mics of a room.
func sumOfMics(room int, mics []feedback.Upstream) MicSum {
	sum := MicSum{Room: room}
	for _, m := range mics {
		sum.add(MicSum{Sent: m.Sent, Missed: m.Lost, Unknown: m.Sent - m.Covered})
	}
	return sum
}

// ReportedLosses are what RTCP says of a room's people at one moment.
type ReportedLosses struct {
	Room int
	Mics []feedback.Upstream
	Ears []ListenerLoss
}

// SumsOfMics are those of rooms with mics that are still there.
func SumsOfMics(known []ReportedLosses) (all []MicSum) {
	for _, h := range known {
		if len(h.Mics) > 0 {
			all = append(all, sumOfMics(h.Room, h.Mics))
		}
	}
	return all
}

// MicsByRoom adds up sums of several processes, by the room.
func MicsByRoom(all []MicSum) map[int]MicSum {
	sums := map[int]MicSum{}
	for _, one := range all {
		sum := sums[one.Room]
		sum.add(one)
		sums[one.Room] = sum
	}
	return sums
}

// PlaceLosses sums up where the listeners' packets were lost, of which the generator's side
// dropped so many at most. The mics of a room may be another worker's.
func PlaceLosses(known []ReportedLosses, dropped uint64, sums map[int]MicSum) (all Losses) {
	for _, h := range known {
		all.countMics(h.Mics)
		all.place(sums[h.Room], h.Ears)
	}
	// What the generator's side dropped was on the way to somebody, or not for the listeners.
	after := all.Downlink
	all.Generator.Most = min(dropped, after.Most)
	all.Downlink.Least -= min(after.Least, all.Generator.Most)
	return all
}

// countMics counts mics, and those of them on which the server reported.
func (l *Losses) countMics(mics []feedback.Upstream) {
	for _, m := range mics {
		l.Mics++
		if m.Covered > 0 {
			l.MicsReported++
		}
	}
}

// place adds the listeners of a room. What the server says to have sent, and did not come, was
// lost after it; of the rest the mics' packets that it says it missed are the uplink's.
func (l *Losses) place(mics MicSum, ears []ListenerLoss) {
	share := func(n, of uint64) float64 { return float64(n) / float64(max(1, of)) }
	least, most := share(mics.Missed, mics.Sent), share(mics.Missed+mics.Unknown, mics.Sent)
	if mics.Sent == 0 {
		most = 1 // by mics that are gone
	}
	for _, e := range ears {
		l.Ears++
		l.Due, l.Lost = l.Due+e.Due, l.Lost+e.Lost
		after := Range{0, e.Lost}
		if e.Reported {
			l.EarsReported++
			n := min(e.Sent.Sent-e.Sent.Received, e.Lost)
			after = Range{n, n}
		}
		uplink := Range{
			min(uint64(least*float64(e.Due)), e.Lost-after.Most),
			min(uint64(most*float64(e.Due)+0.5), e.Lost-after.Least),
		}
		known := after.Most + uplink.Most
		l.Downlink, l.Uplink = l.Downlink.plus(after), l.Uplink.plus(uplink)
		l.Server = l.Server.plus(Range{e.Lost - min(e.Lost, known), e.Lost - after.Least - uplink.Least})
	}
}
