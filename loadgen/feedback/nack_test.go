package feedback

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// hears receives packets by sequence number, 20 ms apart, and returns what is requested
// after each.
func hears(n *NACKTracker, at *time.Duration, sequences ...uint16) (asked [][]uint16) {
	for _, s := range sequences {
		*at += 20 * time.Millisecond
		asked = append(asked, n.Receive(0, 1, s, *at))
	}
	return asked
}

func TestNACKRequestsAtOnceAndAgainLater(t *testing.T) {
	n := NewNACKTracker(&NACKCounter{})
	var at time.Duration
	asked := hears(n, &at, 65530, 65531, 65534, 65535, 0, 3, 4, 5, 6)
	assert.Equal(t, [][]uint16{
		nil, nil, {65532, 65533}, nil, nil,
		{1, 2},
		{65532, 65533, 1, 2}, // all of it, over 100 ms after the beginning
		nil, nil,
	}, asked)
	assert.EqualValues(t, 4, n.counter.requested.Load(), "each counts once")

	assert.Nil(t, n.Receive(0, 1, 65533, at), "it has come")
	assert.Nil(t, n.Receive(0, 1, 65533, at), "twice")
	assert.Nil(t, n.Receive(0, 1, 2, at))
	assert.EqualValues(t, 2, n.counter.recovered.Load())
	assert.Equal(t, [][]uint16{nil, nil, nil, {65532, 1}}, hears(n, &at, 7, 8, 9, 10))
}

func TestNACKDoesNotRequestPacketsTooOld(t *testing.T) {
	n := NewNACKTracker(&NACKCounter{})
	var at time.Duration
	hears(n, &at, 10)
	at += 3 * time.Second
	asked := n.Receive(0, 1, 160, at)
	require.NotEmpty(t, asked)
	assert.EqualValues(t, 160-44, asked[0], "880 ms old, and there in a second")
	assert.EqualValues(t, 159, asked[len(asked)-1])
	assert.Len(t, asked, 44)
	for s := uint16(161); s < 205; s++ {
		hears(n, &at, s)
	}
	assert.Equal(t, [][]uint16{nil, nil, nil, nil, nil, nil}, hears(n, &at, 205, 206, 207, 208, 209, 210), "it gives up")
	assert.Nil(t, n.Receive(0, 1, 159, at))
	assert.EqualValues(t, 1, n.counter.recovered.Load(), "a late packet still counts as recovered")
}

func TestNACKStartsAgainWithANewSource(t *testing.T) {
	n := NewNACKTracker(&NACKCounter{})
	var at time.Duration
	hears(n, &at, 10, 12)
	assert.Nil(t, n.Receive(0, 2, 5000, at), "another source in the section")
	assert.Nil(t, n.Receive(1, 1, 100, at), "another section")
	assert.Equal(t, []uint16{101}, n.Receive(1, 1, 102, at))
}

func TestNACKCounterTellsWhatDidNotComeInTime(t *testing.T) {
	const lost, come = 12, 14
	type gone struct {
		n           uint64
		from, until time.Duration
	}
	for _, c := range []struct {
		sentence string
		settled  time.Duration // before the end
		ends     time.Duration
		gone     []gone
		unknown  uint64
	}{
		{"at the end", 0, time.Minute, []gone{{1, 0, 2080 * time.Millisecond}}, 0},
		{"as soon as it is known what was in doubt", 5 * time.Second, 5 * time.Second, []gone{{1, 0, 2080 * time.Millisecond}}, 0},
		{"not before that", 3 * time.Second, 3 * time.Second, []gone{{1, 0, 2080 * time.Millisecond}}, 0},
		{"it still had time at the end of the run", 400 * time.Millisecond, 500 * time.Millisecond, nil, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			n := NewNACKTracker(&NACKCounter{})
			var at time.Duration
			hears(n, &at, 10, 11, lost+1, come+1)
			n.Receive(0, 1, come, at)
			asked, recovered := n.counter.Counts()
			assert.EqualValues(t, 2, asked)
			assert.EqualValues(t, 1, recovered)
			var told []gone
			tell := func(n uint64, from, until time.Duration) { told = append(told, gone{n, from, until}) }
			n.counter.Settle(c.settled, tell)
			assert.Equal(t, c.settled >= 5*time.Second, len(told) > 0)
			n.counter.End(c.ends)
			assert.Equal(t, c.unknown, n.counter.Finish(tell))
			assert.Equal(t, c.gone, told)
			if len(told) > 0 {
				n.Receive(0, 1, lost, at)
				_, recovered = n.counter.Counts()
				assert.EqualValues(t, 1, recovered, "what is given up has not come")
			}
		})
	}
}

func TestNACKCounterCountsNothingAfterTheEnd(t *testing.T) {
	n := NewNACKTracker(&NACKCounter{})
	var at time.Duration
	hears(n, &at, 10, 12)
	n.counter.End(at)
	n.Receive(0, 1, 11, at)
	hears(n, &at, 14)
	n.counter.Settle(at+time.Hour, func(uint64, time.Duration, time.Duration) { assert.Fail(t, "11 is no loss: it had time to come") })
	asked, recovered := n.counter.Counts()
	assert.EqualValues(t, 1, asked, "11, and not 13")
	assert.Zero(t, recovered)
	assert.EqualValues(t, 1, n.counter.Finish(nil), "11 had time to come")
}

func TestNACKIsACompoundPacket(t *testing.T) {
	b, err := rtcp.Marshal(NACK(7, 9, []uint16{65535, 0, 40}))
	require.NoError(t, err)
	all, err := rtcp.Unmarshal(b)
	require.NoError(t, err)
	require.Len(t, all, 2)
	report, ok := all[0].(*rtcp.ReceiverReport)
	require.True(t, ok)
	assert.EqualValues(t, 7, report.SSRC)
	request, ok := all[1].(*rtcp.TransportLayerNack)
	require.True(t, ok)
	assert.EqualValues(t, 9, request.MediaSSRC)
	var named []uint16
	for _, pair := range request.Nacks {
		named = append(named, pair.PacketList()...)
	}
	assert.Equal(t, []uint16{65535, 0, 40}, named)
}

// For any loss and order, only packets that have not come are requested, and only
// requested ones are recovered.
func TestNACKRequestsOnlyMissingPackets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := NewNACKTracker(&NACKCounter{})
		var at time.Duration
		first := uint16(rapid.IntRange(0, 65535).Draw(rt, "first"))
		come := map[uint16]bool{}
		asked := map[uint16]bool{}
		var held []uint16
		receive := func(s uint16) {
			at += 20 * time.Millisecond
			come[s] = true
			for _, a := range n.Receive(0, 1, s, at) {
				require.False(rt, come[a], "%d has come", a)
				asked[a] = true
			}
		}
		for i := range rapid.IntRange(1, 300).Draw(rt, "packets") {
			s := first + uint16(i)
			switch rapid.IntRange(0, 5).Draw(rt, "fate") {
			case 0: // lost
			case 1:
				held = append(held, s)
			default:
				receive(s)
			}
			if len(held) > 0 && rapid.Bool().Draw(rt, "late") {
				receive(held[0])
				held = held[1:]
			}
		}
		require.EqualValues(rt, len(asked), n.counter.requested.Load())
		got := 0
		for a := range asked {
			if come[a] {
				got++
			}
		}
		require.LessOrEqual(rt, n.counter.recovered.Load(), uint64(got))
	})
}
