package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// What a worker's sockets dropped may have been of a mic that another worker has silenced: who
// counts what passed of it knows of all workers' drops.
func TestWorkersKnowWhatTheOthersDropped(t *testing.T) {
	news := link.News{Dropped: []uint64{0, 7, 5}}
	for i, others := range []uint64{12, 5, 7} {
		r := &run{cast: &cast.Cast{Setting: cast.Setting{Share: share.Share{Number: i, Of: 3}}}}
		p := newPeers(r, nil)
		require.NoError(t, p.hear(news))
		assert.Equal(t, others, p.OthersDropped())
		require.NoError(t, p.hear(link.News{}))
		assert.Equal(t, others, p.OthersDropped(), "it does not become less")
		order := tally.SilenceOrder{Requested: time.Second, Acknowledged: time.Second}
		got := order.Count(func(time.Duration) int { return 0 }, 0, tally.IgnoreMuteFor, p.OthersDropped())
		assert.Equal(t, tally.Passed{Worst: int(others)}, got)
	}
}

// aliveLink counts how often a worker only said that it is there.
type aliveLink struct {
	link.Link
	times int
}

func (l *aliveLink) Alive() error {
	l.times++
	return nil
}

// On a machine that is busy a report takes seconds to make: its worker is not silent.
func TestWorkerIsAliveWhileItMakesAReport(t *testing.T) {
	alive := &aliveLink{}
	p := newPeers(&run{}, alive)
	p.sending.Lock()
	for range 10 {
		p.sendOrLive(link.ReportEvery)
	}
	assert.Equal(t, 10, alive.times)
	for range 1000 {
		p.sendOrLive(link.ReportEvery)
	}
	assert.Equal(t, int(link.BusyFor/link.ReportEvery), alive.times, "a report that is never made is another thing")
}
