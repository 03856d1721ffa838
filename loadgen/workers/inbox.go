package workers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/loadgen/link"
)

const (
	// maxQueued is how many messages of workers may wait for the coordinator, and
	// maxQueuedBytes how large they may be together.
	maxQueued      = 32 << 10
	maxQueuedBytes = 256 << 20
)

// An inbox holds the workers' messages from their arrival until the coordinator has time for
// them. Whether a worker is silent goes by arrivals, so that a busy coordinator does not take
// workers for lost. It is safe for concurrent use; take is for one goroutine.
type inbox struct {
	now     func() time.Duration
	heard   []atomic.Int64 // by worker: when its last message arrived
	queue   chan arrival
	bytes   atomic.Int64 // in the queue
	overrun atomic.Bool  // a message found no room
	stop    chan struct{}
	work    sync.WaitGroup
}

// An arrival is a worker's message, or why there will be none any more.
type arrival struct {
	worker int
	text   []byte
	lost   error
}

func newInbox(workers int, now func() time.Duration) *inbox {
	return &inbox{now: now, heard: make([]atomic.Int64, workers), queue: make(chan arrival, maxQueued), stop: make(chan struct{})}
}

// receive enters a message at its arrival. It does nothing that takes time: messages that wait
// in front of it have not arrived yet.
func (b *inbox) receive(m *nats.Msg) {
	number := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	if worker, err := strconv.Atoi(number); err == nil {
		b.arrived(worker, m.Data)
	}
}

// arrived enters a worker's message.
func (b *inbox) arrived(worker int, text []byte) {
	if worker < 0 || worker >= len(b.heard) {
		return
	}
	b.heard[worker].Store(int64(b.now()))
	if b.bytes.Add(int64(len(text))) > maxQueuedBytes {
		b.overrun.Store(true)
		b.bytes.Add(-int64(len(text)))
		return
	}
	b.put(arrival{worker: worker, text: text})
}

// put queues an arrival. A full queue drops it, and says so.
func (b *inbox) put(a arrival) {
	select {
	case b.queue <- a:
	default:
		b.overrun.Store(true)
		b.bytes.Add(-int64(len(a.text)))
	}
}

// take has each arrival taken, in their order, until the inbox is closed.
func (b *inbox) take(each func(arrival)) {
	for {
		select {
		case a := <-b.queue:
			each(a)
			b.bytes.Add(-int64(len(a.text)))
		case <-b.stop:
			return
		}
	}
}

// watch looks for silent workers until the inbox is closed, and calls live each time.
func (b *inbox) watch(live func()) {
	tick := time.NewTicker(link.ReportEvery)
	defer tick.Stop()
	silent := make([]silence, len(b.heard))
	for was := b.now(); ; {
		select {
		case <-tick.C:
		case <-b.stop:
			return
		}
		now := b.now()
		b.look(silent, now-was)
		live()
		was = now
	}
}

// A silence is a worker's, and when its last message came.
type silence struct {
	link.Silence
	last int64
}

// look puts in, behind its last message, that a worker is lost, when it has been silent for
// [loadgen.LostAfter]. So much time has passed since it was called at last.
func (b *inbox) look(silent []silence, passed time.Duration) {
	for i := range silent {
		if at := b.heard[i].Load(); at != silent[i].last {
			silent[i].last = at
			silent[i].Break()
			continue
		}
		if silent[i].Pass(passed) {
			b.put(arrival{worker: i, lost: fmt.Errorf("it said nothing for %v", link.LostAfter)})
		}
	}
}

// overrunError is why messages were dropped, or nil.
func (b *inbox) overrunError() error {
	if b.overrun.Load() {
		return errors.New("more messages waited than there is room for")
	}
	return nil
}

func (b *inbox) close() {
	close(b.stop)
	b.work.Wait()
}
