package loadgen

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/measure"
)

// However many packets come at once, each is heard that came to somebody's address,
// in their order; what came to nobody's is passed over.
func TestEachPacketOfABatchIsHeardThatIsForSomebody(t *testing.T) {
	var waits []time.Duration
	clock := measure.NewClock()
	c := &crowd{clock: clock, waited: func(d time.Duration, n uint64) {
		assert.EqualValues(t, 1, n, "packets so far apart are told one by one")
		waits = append(waits, d)
	}}
	l := &lane{crowd: c, conn: &ledgerConn{}, home: firstHome, ways: make([]atomic.Pointer[way], mostSharers)}
	const somebody = 3 // every third address is nobody's
	for i := range uint32(batch) {
		if i%somebody != 0 {
			l.enter(&way{crowd: c, ear: &leanEar{}, local: loopbackAddress(firstHome + i)})
		}
	}
	for _, n := range []int{0, 1, 2, ahead, ahead*steps - 1, ahead*steps + 1, 31, 32, 33, batch} {
		messages := make([]udpbatch.Message, n)
		var known int
		now := time.Now()
		for i := range messages {
			messages[i] = udpbatch.Message{
				Buf: rtpPacket(1, uint16(i)), N: 15, Local: loopbackAddress(firstHome + uint32(i)),
				At: now.Add(time.Duration(i-n) * time.Second).UnixNano(),
			}
			if i%somebody != 0 {
				known++
			}
		}
		if n > 1 {
			messages[1].N = 0 // it was too long for the buffer
			known--
		}
		waits = nil
		l.hear(messages)
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

// A socket rests while only checks are answered, and hurries as soon as there is
// something to hear.
func TestASocketRestsWhenThereIsNothingToHear(t *testing.T) {
	conn := &ledgerConn{}
	l := &lane{conn: conn}
	for _, step := range []struct {
		now    time.Duration
		urgent bool
		gather []time.Duration
	}{
		{0, false, nil},
		{attention, false, nil},
		{attention + 1, false, []time.Duration{resting}},
		{attention + 2, false, nil},
		{attention + 3, true, []time.Duration{gathering}},
		{attention + 4, false, nil},
		{2*attention + 3, true, nil},
		{3*attention + 4, false, []time.Duration{resting}},
	} {
		conn.gathers = nil
		l.pace(step.now, step.urgent)
		assert.Equal(t, step.gather, conn.gathers, "at %v", step.now)
	}
}
