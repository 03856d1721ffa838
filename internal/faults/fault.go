package faults

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// Foreign stands in [Fault.Crosses] for audio that nobody in the room sent, which
// fails a run without a threshold.
const Foreign = "foreign audio"

// Mistimed stands there for RTP time stamps that do not follow what is played, which fail a
// run, too.
const Mistimed = "mistimed audio"

// Died stands there for a server whose process ended, which fails a run, too.
const Died = "died"

// A Fault is a row of the table: what a server does wrong.
type Fault struct {
	// Does is the row's sentence, without its subject: the server.
	Does string
	// Crosses lists the metrics of which a run against it must cross a threshold, one
	// at least. A server that crosses none is sound.
	Crosses []string
	// Plain is set for what no fault of a generator looks like, so that the run fails
	// whatever the generator does.
	Plain bool

	// forward makes of packet number n of a listener what is sent; nil sends it as it
	// is. The server's lock is held.
	forward func(l *track, n int, payload []byte) []outgoing
	// refuses reports whether the listener with this number is answered 404.
	refuses func(number int) bool
	// hangs leaves the listeners' offers without an answer.
	hangs bool
	// diesAfter is how long after the first listener's offer the server dies; 0 is
	// never.
	diesAfter time.Duration
	// closesAfter is how long after the first listener's offer it ends everybody's session;
	// 0 is never.
	closesAfter time.Duration
	// slowDTLS is how late it sends each datagram of a listener's handshake.
	slowDTLS time.Duration
	// lies has it say in RTCP what is not so.
	lies bool
	// accounts has it note what it does with each packet.
	accounts bool
	// spins is for how long it computes for each packet that it sends.
	spins time.Duration
	// mixes has it decode what it gets, and send everybody the sum, encoded again; forward
	// gets that. It hears nothing of so large a share of what it gets.
	mixes bool
	deaf  float64
	// reports has it send RTCP reports, and way loses so large a share of the packets on the
	// way to it or from it.
	reports bool
	way     lossyWay
	// ofPublishers has it refuse, hang, die and end sessions by the publishers' offers, and
	// not by the listeners'.
	ofPublishers bool
}

// A lossyWay loses a share of the packets in a direction.
type lossyWay struct{ in, out float64 }

// Sound reports whether the server does nothing wrong.
func (f Fault) Sound() bool { return len(f.Crosses) == 0 }

// keeps reports whether a server never crosses a threshold on a metric: one that lets everybody in and
// plays them what was sent to it crosses none but those of its fault. Lost packets lower the opinion score.
func (f Fault) keeps(metric string) bool {
	for _, all := range []string{"joined", Foreign, Died, Mistimed} {
		if slices.Contains(f.Crosses, all) {
			return false
		}
	}
	return !slices.Contains(f.Crosses, metric) && (metric != "mos" || f.Sound())
}

// A Run is what a server has to know of the run that it is for.
type Run struct {
	// Listeners is how many there are, and Middle the middle of the hold, from the
	// first listener's offer.
	Listeners int
	Middle    time.Duration
	// Elsewhere is what is said in another room; nil if it is not needed.
	Elsewhere *speech.Clip
}

const (
	frame = 20 * time.Millisecond
	// lossShare is the share of the packets that a server loses that loses some.
	lossShare = 0.2
	// lastInTurn is how late the last listener is served, of those served in turn.
	lastInTurn = 12 * time.Millisecond
	// standstill is for how long a server sends nothing that stands still.
	standstill = 1200 * time.Millisecond
)

// Elsewhere is what a server does that mixes rooms up: it needs [Run.Elsewhere].
const Elsewhere = "plays what is said in another room"

// silentFrame is 20 ms of Opus without sound.
var silentFrame = []byte{0xf8, 0xff, 0xfe}

// Faults are the rows of the table, the sound servers first.
func Faults(run Run) []Fault {
	third := func(number int) bool { return number%3 == 2 }
	all := func(int) bool { return true }
	return []Fault{
		{Does: "forwards every packet"},
		{Does: "sends every packet twice", forward: func(_ *track, _ int, payload []byte) []outgoing {
			return []outgoing{{payload: payload}, {payload: payload}}
		}},
		{Does: "serves its listeners in turn, the last 12 ms after the first", forward: delays(func(number, _ int) time.Duration {
			return lastInTurn * time.Duration(number) / time.Duration(max(run.Listeners-1, 1))
		})},

		{Does: "loses a fifth of a sixth of the listeners' packets", Crosses: []string{"delivered"}, forward: loses(func(number int) bool { return number%6 == 5 })},
		{Does: "loses a fifth of a third of the listeners' packets", Crosses: []string{"delivered"}, forward: loses(third)},
		{Does: "loses a fifth of all packets", Crosses: []string{"delivered"}, forward: loses(all)},
		{Does: "sends every packet 300 ms late", Crosses: []string{"latency", "mos"}, forward: delays(func(int, int) time.Duration { return 300 * time.Millisecond })},
		{Does: "sends a third of the listeners' packets 300 ms late", Crosses: []string{"latency", "mos"}, forward: delays(func(number, _ int) time.Duration {
			if third(number) {
				return 300 * time.Millisecond
			}
			return 0
		})},
		{Does: "gets slower and slower", Crosses: []string{"latency", "delivered", "mos"}, forward: delays(func(_, n int) time.Duration { return time.Duration(n) * frame / 5 })},
		{Does: "is 3 s behind", Crosses: []string{"joined", "latency", "delivered", "join_duration", "mos"}, forward: delays(func(int, int) time.Duration { return 3 * time.Second })},
		{Does: "stands still for 1.2 s", Crosses: []string{"latency", "audio_gap", "mos"}, forward: delays(func(_, n int) time.Duration {
			// It begins in the middle of the hold, as far as the packets tell.
			first := int(run.Middle / frame)
			return max(0, standstill-time.Duration(max(0, n-first))*frame) * time.Duration(min(1, n/max(first, 1)))
		})},
		{Does: "sends every tenth packet 300 ms late, after later ones", Crosses: []string{"latency", "mos"}, forward: delays(func(_, n int) time.Duration {
			if n%10 == 0 {
				return 300 * time.Millisecond
			}
			return 0
		})},
		{Does: "spoils a byte of every tenth packet", Crosses: []string{Foreign}, Plain: true, forward: replaces(func(_ *track, n int, payload []byte) []byte {
			if n%10 != 0 || len(payload) == 0 {
				return payload
			}
			spoilt := slices.Clone(payload)
			spoilt[len(spoilt)/2] ^= 0xff
			return spoilt
		})},
		{Does: "transcodes", Crosses: []string{Foreign}, Plain: true, forward: replaces(func(l *track, _ int, payload []byte) []byte {
			return l.noise(len(payload))
		})},
		{Does: "plays silence", Crosses: []string{Foreign}, Plain: true, forward: replaces(func(*track, int, []byte) []byte { return silentFrame })},
		{Does: Elsewhere, Crosses: []string{Foreign}, Plain: true, forward: replaces(func(_ *track, n int, payload []byte) []byte {
			if run.Elsewhere == nil {
				return payload
			}
			return run.Elsewhere.Frames[n%len(run.Elsewhere.Frames)].Payload
		})},
		{Does: "connects and forwards nothing", Crosses: []string{"joined", "delivered"}, forward: func(*track, int, []byte) []outgoing { return nil }},
		{Does: "refuses everybody", Crosses: []string{"joined"}, Plain: true, refuses: all},
		{Does: "refuses three of four", Crosses: []string{"joined"}, Plain: true, refuses: func(number int) bool { return number%4 != 3 }},
		{Does: "never answers", Crosses: []string{"joined"}, hangs: true},
		{Does: "dies in the middle of the hold", Crosses: []string{"delivered", Died}, diesAfter: run.Middle},
	}
}

// The servers that stand outside of the table.
const (
	// Busy computes so much that it falls behind with both cores of a small machine:
	// no other cell can be played beside it.
	Busy = "computes 6 ms for each packet"
	// Overloaded has one queue for all listeners, and works off too little of it.
	Overloaded = "forwards one packet in eight, 3 s late"
	// UnfairToFew spares most of a large audience, and perhaps all probes.
	UnfairToFew = "loses a fifth of a tenth of the listeners' packets"
	// Mixes and those that follow it need marked audio.
	Mixes      = "mixes its speakers, at 16 kbit/s"
	MixesDeaf  = "mixes its speakers, and makes up for a fifth of what it gets"
	MixesLate  = "mixes its speakers, and sends the mix 300 ms late"
	MixesLossy = "mixes its speakers, and loses a fifth of the mix"
	// These send RTCP reports.
	Reports        = "sends RTCP reports"
	ReportsLossyIn = "sends RTCP reports, and a fifth is lost on the way to it"
	ReportsLossy   = "sends RTCP reports, and loses a fifth of all packets"
	ReportsLossOut = "sends RTCP reports, and a fifth is lost on the way from it"
)

// Others are the servers that stand outside of the table.
func Others(run Run) []Fault {
	const (
		share   = 0.12
		longest = 3300 * time.Millisecond // that a packet waits
	)
	each := time.Duration(float64(frame) / float64(max(run.Listeners, 1)) / share)
	var free time.Time // when the queue is worked off; the server's lock is held
	return []Fault{
		{Does: UnfairToFew, Crosses: []string{"delivered"}, forward: loses(func(number int) bool { return number%10 == 9 })},
		{Does: Mixes, mixes: true},
		{Does: MixesDeaf, Crosses: []string{"delivered"}, mixes: true, deaf: lossShare},
		{Does: MixesLate, Crosses: []string{"latency"}, mixes: true, forward: delays(func(int, int) time.Duration { return 300 * time.Millisecond })},
		{Does: MixesLossy, Crosses: []string{"delivered"}, mixes: true, forward: loses(func(int) bool { return true })},
		{Does: Reports, reports: true},
		{Does: ReportsLossyIn, Crosses: []string{"delivered"}, reports: true, way: lossyWay{in: lossShare}},
		{Does: ReportsLossy, Crosses: []string{"delivered"}, reports: true, forward: loses(func(int) bool { return true })},
		{Does: ReportsLossOut, Crosses: []string{"delivered"}, reports: true, way: lossyWay{out: lossShare}},
		{Does: Busy, Crosses: []string{"latency", "delivered"}, spins: 6 * time.Millisecond},
		{Does: Overloaded, Crosses: []string{"latency", "delivered"}, forward: func(_ *track, _ int, payload []byte) []outgoing {
			now := time.Now()
			if free.Before(now) {
				free = now.Add(longest - each) // as if it had been behind for long
			}
			if free.Sub(now) > longest {
				return nil
			}
			free = free.Add(each)
			return []outgoing{{payload: payload, after: free.Sub(now)}}
		}},
	}
}

// Publishing are the servers for runs in which nobody listens, the sound one first. Of what
// publishers send nothing is known but what the server reports.
func Publishing(run Run) []Fault {
	all := func(int) bool { return true }
	return []Fault{
		{Does: "takes every publisher", reports: true},
		{Does: "refuses every publisher", Crosses: []string{"published"}, Plain: true, ofPublishers: true, refuses: all},
		{Does: "refuses a publisher of three", Crosses: []string{"published"}, Plain: true, ofPublishers: true, reports: true, refuses: func(number int) bool { return number%3 == 1 }},
		// Where the generator may have held a publisher up for half of its time, that is no longer known to be the server's doing, but
		// how long it took at best is.
		{Does: "never answers a publisher", Crosses: []string{"published", "publish_duration"}, ofPublishers: true, hangs: true},
		{Does: "loses a fifth of what publishers send", Crosses: []string{"mic_loss"}, reports: true, way: lossyWay{in: lossShare}},
		{Does: "dies while publishers send", Crosses: []string{"published", Died}, ofPublishers: true, reports: true, diesAfter: run.Middle},
		{Does: "ends all publishers in the middle of the hold", Crosses: []string{"published"}, Plain: true, ofPublishers: true, reports: true, closesAfter: run.Middle},
	}
}

// loses drops a part of the packets of some listeners.
func loses(some func(number int) bool) func(*track, int, []byte) []outgoing {
	return func(l *track, _ int, payload []byte) []outgoing {
		if some(l.number) && l.random.Float64() < lossShare {
			return nil
		}
		return []outgoing{{payload: payload}}
	}
}

// delays sends packet n of listener number so much later.
func delays(by func(number, n int) time.Duration) func(*track, int, []byte) []outgoing {
	return func(l *track, n int, payload []byte) []outgoing {
		return []outgoing{{payload: payload, after: by(l.number, n)}}
	}
}

// replaces sends another payload.
func replaces(by func(l *track, n int, payload []byte) []byte) func(*track, int, []byte) []outgoing {
	return func(l *track, n int, payload []byte) []outgoing {
		return []outgoing{{payload: by(l, n, payload)}}
	}
}
