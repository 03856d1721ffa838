package client

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Packets to known addresses are dispatched in order, however many arrive at once.
// Packets to unknown addresses are ignored.
func TestCrowdSocketDispatchesEachPacketOfABatch(t *testing.T) {
	var waits []time.Duration
	clock := timebase.NewClock()
	c := &Crowd{clock: clock, delayed: func(d time.Duration, n uint64) {
		assert.EqualValues(t, 1, n, "packets so far apart are reported one by one")
		waits = append(waits, d)
	}}
	l := &crowdSocket{crowd: c, conn: &ledgerConn{}, first: firstClientAddress, paths: make([]atomic.Pointer[clientPath], maxClientsPerSocket)}
	const somebody = 3 // every third address is unknown
	for i := range uint32(readBatch) {
		if i%somebody != 0 {
			l.add(&clientPath{crowd: c, client: &LeanClient{}, local: loopbackAddress(firstClientAddress + i)})
		}
	}
	for _, n := range []int{0, 1, 2, prefetchDistance, prefetchDistance*prefetchSteps - 1, prefetchDistance*prefetchSteps + 1, 31, 32, 33, readBatch} {
		messages := make([]udpbatch.Message, n)
		var known int
		now := time.Now()
		for i := range messages {
			messages[i] = udpbatch.Message{
				Buf: rtpPacket(1, uint16(i)), N: 15, Local: loopbackAddress(firstClientAddress + uint32(i)),
				At: now.Add(time.Duration(i-n) * time.Second).UnixNano(),
			}
			if i%somebody != 0 {
				known++
			}
		}
		if n > 1 {
			messages[1].N = 0 // longer than the buffer
			known--
		}
		waits = nil
		l.dispatch(messages)
		if !assert.Len(t, waits, known, "of %d", n) {
			continue
		}
		at := 0
		for i := range messages {
			if i%somebody != 0 && i != 1 {
				assert.InDelta(t, float64(n-i), waits[at].Seconds(), 0.5, "packet %d of %d", i, n)
				at++
			}
		}
	}
}

// Packets that were read since the wall clock was stepped may have been stamped before it.
// They count as received when they were read: by that they are at most as late as the reader.
func TestCrowdSocketDoesNotTrustStampsAroundAStep(t *testing.T) {
	var waits []time.Duration
	c := &Crowd{clock: timebase.NewClock(), delayed: func(d time.Duration, _ uint64) { waits = append(waits, d) }}
	l := &crowdSocket{crowd: c, conn: &ledgerConn{}, first: firstClientAddress, paths: make([]atomic.Pointer[clientPath], maxClientsPerSocket)}
	l.add(&clientPath{crowd: c, client: &LeanClient{}, local: loopbackAddress(firstClientAddress)})
	stamped := func(ago time.Duration) []udpbatch.Message {
		return []udpbatch.Message{{Buf: rtpPacket(1, 1), N: 15, Local: loopbackAddress(firstClientAddress), At: time.Now().Add(-ago).UnixNano()}}
	}
	l.steps++ // the wall clock is stepped: the number that it knew is not the clock's
	l.dispatch(stamped(time.Minute))
	l.dispatch(stamped(time.Minute))
	assert.Zero(t, waits[0], "stamped before the step")
	assert.InDelta(t, 60, waits[1].Seconds(), 1, "later ones are trusted")
}

// A socket gathers longer while only checks are answered, and shorter as soon as media
// arrives.
func TestCrowdSocketGathersLongerWhenIdle(t *testing.T) {
	conn := &ledgerConn{}
	l := &crowdSocket{conn: conn}
	for _, step := range []struct {
		now    time.Duration
		urgent bool
		gather []time.Duration
	}{
		{0, false, nil},
		{idleAfter, false, nil},
		{idleAfter + 1, false, []time.Duration{idleGatherTime}},
		{idleAfter + 2, false, nil},
		{idleAfter + 3, true, []time.Duration{gatherTime}},
		{idleAfter + 4, false, nil},
		{2*idleAfter + 3, true, nil},
		{3*idleAfter + 4, false, []time.Duration{idleGatherTime}},
	} {
		conn.gathers = nil
		l.adjustGather(step.now, step.urgent)
		assert.Equal(t, step.gather, conn.gathers, "at %v", step.now)
	}
}
