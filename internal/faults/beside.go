package faults

import (
	"time"
)

// The servers of [Beside], which are like none of the table.
const (
	LateForLast    = "sends 300 ms late to who came last"
	LosesFirst     = "loses the first second of what each listener is sent"
	TwiceOther     = "sends every packet twice, the second time with other audio"
	AgainOther     = "sends every packet again with other audio, as one of its own"
	HalfRate       = "sends every other packet"
	Pauses         = "loses 300 ms of every second"
	JumpsSequence  = "jumps by 10,000 sequence numbers in the middle of the hold"
	JumpsTimestamp = "jumps by ten seconds of RTP's clock in the middle of the hold"
	JumpsSSRC      = "takes another SSRC in the middle of the hold, and says so to nobody"
	OneTimestamp   = "has one RTP time stamp for all packets"
	AnyTimestamp   = "has RTP time stamps by chance"
	HalfClock      = "has RTP time stamps of a clock of 24 kHz"
	OtherFormat    = "sends packets with a payload type that was not agreed on"
	Drifts         = "has time stamps of a clock that is 500 ppm too fast"
	SlowHandshake  = "sends each datagram of a listener's handshake 700 ms late"
	EndsSessions   = "ends all sessions in the middle of the hold"
	Lies           = "lies in its RTCP reports"
	LiesLossy      = "lies in its RTCP reports, and loses a fifth of all packets"
)

// Beside are servers beside the table, played against a sound generator.
func Beside(run Run) []Fault {
	middle := int(run.Middle / frame)
	later := func(n int, jump outgoing) outgoing {
		if n < middle {
			return outgoing{}
		}
		return jump
	}
	renumbers := func(by func(n int) outgoing) func(*track, int, []byte) []outgoing {
		return func(_ *track, n int, payload []byte) []outgoing {
			one := by(n)
			one.payload = payload
			return []outgoing{one}
		}
	}
	sends := func(which func(n int) bool) func(*track, int, []byte) []outgoing {
		return func(_ *track, n int, payload []byte) []outgoing {
			if !which(n) {
				return nil
			}
			return []outgoing{{payload: payload}}
		}
	}
	return []Fault{
		{Does: LateForLast, Crosses: []string{"latency"}, forward: delays(func(number, _ int) time.Duration {
			return 300 * time.Millisecond * time.Duration(number/max(run.Listeners-1, 1))
		})},
		{Does: LosesFirst, Crosses: []string{"delivered", "join_duration"}, forward: sends(func(n int) bool { return n >= 50 })},
		{Does: TwiceOther, forward: func(l *track, _ int, payload []byte) []outgoing {
			return []outgoing{{payload: payload}, {payload: l.noise(len(payload))}}
		}},
		{Does: AgainOther, Crosses: []string{Foreign}, forward: func(l *track, n int, payload []byte) []outgoing {
			return []outgoing{{payload: payload, sequence: uint16(n)}, {payload: l.noise(len(payload)), sequence: uint16(n + 1)}}
		}},
		{Does: HalfRate, Crosses: []string{"delivered"}, forward: sends(func(n int) bool { return n%2 == 0 })},
		{Does: Pauses, Crosses: []string{"delivered"}, forward: sends(func(n int) bool { return n%50 >= 15 })},
		{Does: JumpsSequence, forward: renumbers(func(n int) outgoing { return later(n, outgoing{sequence: 10_000}) })},
		{Does: JumpsTimestamp, forward: renumbers(func(n int) outgoing { return later(n, outgoing{timestamp: 480_000}) })},
		{Does: JumpsSSRC, Crosses: []string{"delivered"}, forward: renumbers(func(n int) outgoing { return later(n, outgoing{ssrc: 1}) })},
		{Does: OneTimestamp, Crosses: []string{Mistimed}, Plain: true, forward: renumbers(func(n int) outgoing { return outgoing{timestamp: uint32(-n * 960)} })},
		{Does: AnyTimestamp, Crosses: []string{Mistimed}, Plain: true, forward: renumbers(func(n int) outgoing { return outgoing{timestamp: uint32(n) * 2654435761} })},
		{Does: HalfClock, Crosses: []string{Mistimed}, Plain: true, forward: renumbers(func(n int) outgoing { return outgoing{timestamp: uint32(-n * 480)} })},
		{Does: OtherFormat, Crosses: []string{"joined", "delivered"}, forward: renumbers(func(int) outgoing { return outgoing{format: 1} })},
		{Does: Drifts, forward: renumbers(func(n int) outgoing { return outgoing{timestamp: uint32(n * 960 * 500 / 1_000_000)} })},
		// A listener whose own side of the handshake is ready is owed what the server can't
		// send yet.
		{Does: SlowHandshake, Crosses: []string{"joined", "join_duration", "delivered"}, slowDTLS: 700 * time.Millisecond},
		{Does: EndsSessions, Crosses: []string{"delivered"}, closesAfter: run.Middle},
		{Does: Lies, lies: true},
		{Does: LiesLossy, Crosses: []string{"delivered"}, lies: true, forward: loses(func(int) bool { return true })},
	}
}

// noise is what nobody said.
func (l *track) noise(length int) []byte {
	other := make([]byte, length)
	for i := range other {
		other[i] = byte(l.random.Uint32())
	}
	return other
}
