package loadgen

import (
	"context"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

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

// A listenerLoss is what one listener lost.
type listenerLoss struct {
	due, lost uint64
	sent      feedback.Downstream // as the server says
	reported  bool
}

// A micSum is what the server says of the mics of a room that are still there: of so many
// packets that they sent it missed some, and of others nothing is known.
type micSum struct {
	Room    int    `json:"room"`
	Sent    uint64 `json:"sent"`
	Missed  uint64 `json:"missed,omitempty"`
	Unknown uint64 `json:"unknown,omitempty"`
}

func (s *micSum) add(o micSum) {
	s.Sent, s.Missed, s.Unknown = s.Sent+o.Sent, s.Missed+o.Missed, s.Unknown+o.Unknown
}

// sumOfMics sums up the mics of a room.
func sumOfMics(room int, mics []feedback.Upstream) micSum {
	sum := micSum{Room: room}
	for _, m := range mics {
		sum.add(micSum{Sent: m.Sent, Missed: m.Lost, Unknown: m.Sent - m.Covered})
	}
	return sum
}

// openMics is what the server says of the mics of the room that are still there.
func (h *roomRun) openMics() (mics []feedback.Upstream) {
	for _, p := range h.people() {
		p.mu.Lock()
		sender := p.sender
		p.mu.Unlock()
		if sender != nil {
			mics = append(mics, sender.mic().Upstream())
		}
	}
	return mics
}

// reportedLosses are what RTCP says of a room's people at one moment.
type reportedLosses struct {
	room int
	mics []feedback.Upstream
	ears []listenerLoss
}

// reported is what RTCP says now, by room.
func (rs rooms) reported() (all []reportedLosses) {
	for _, h := range rs {
		all = append(all, reportedLosses{h.number, h.openMics(), h.openEars()})
	}
	return all
}

// openEars is what the listeners of the room lost who got in.
func (h *roomRun) openEars() (ears []listenerLoss) {
	for _, p := range h.people() {
		p.mu.Lock()
		subscriber, listens := p.subscriber, p.room.run.Scenario.Cast[p.group].Role == scenario.Listener
		first := !p.ear.another
		p.mu.Unlock()
		if !listens || p.account == nil {
			continue
		}
		due, lost, in := p.account.Owed()
		if !in {
			continue
		}
		e := listenerLoss{due: due, lost: lost}
		// What the server sent to an ear that was lost is not known to the end.
		if lean, ok := subscriber.(*client.LeanClient); ok && first {
			e.sent, e.reported = lean.Downstream()
		}
		ears = append(ears, e)
	}
	return ears
}

// micSums are those of all rooms, by their numbers: of the mics of all workers, if they can be
// had.
func (r *run) micSums(ctx context.Context, known []reportedLosses) (map[int]micSum, error) {
	var own []micSum
	for _, h := range known {
		if len(h.mics) > 0 {
			own = append(own, sumOfMics(h.room, h.mics))
		}
	}
	all := own
	var err error
	if r.peers != nil {
		offers, failed := r.peers.exchange(ctx, "mics", own)
		if err = failed; err == nil {
			all, err = mergedOffers[micSum](offers)
		}
	}
	sums := map[int]micSum{}
	for _, one := range all {
		sum := sums[one.Room]
		sum.add(one)
		sums[one.Room] = sum
	}
	return sums, err
}

// placeLosses sums up where the listeners' packets were lost, of which the generator's side
// dropped so many at most. The mics of a room may be another worker's.
func placeLosses(known []reportedLosses, dropped uint64, sums map[int]micSum) (all Losses) {
	for _, h := range known {
		all.countMics(h.mics)
		all.place(sums[h.room], h.ears)
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
func (l *Losses) place(mics micSum, ears []listenerLoss) {
	share := func(n, of uint64) float64 { return float64(n) / float64(max(1, of)) }
	least, most := share(mics.Missed, mics.Sent), share(mics.Missed+mics.Unknown, mics.Sent)
	if mics.Sent == 0 {
		most = 1 // by mics that are gone
	}
	for _, e := range ears {
		l.Ears++
		l.Due, l.Lost = l.Due+e.due, l.Lost+e.lost
		after := Range{0, e.lost}
		if e.reported {
			l.EarsReported++
			n := min(e.sent.Sent-e.sent.Received, e.lost)
			after = Range{n, n}
		}
		uplink := Range{
			min(uint64(least*float64(e.due)), e.lost-after.Most),
			min(uint64(most*float64(e.due)+0.5), e.lost-after.Least),
		}
		known := after.Most + uplink.Most
		l.Downlink, l.Uplink = l.Downlink.plus(after), l.Uplink.plus(uplink)
		l.Server = l.Server.plus(Range{e.lost - min(e.lost, known), e.lost - after.Least - uplink.Least})
	}
}
