package fanout

import (
	"sync"
	"sync/atomic"
)

// job is one packet for every ear of a mix.
type job struct {
	mix    *mix
	slot   int
	packet Packet
}

// item is an element of a shard's queue: a command if there is one, else a job.
type item struct {
	job
	command func()
}

// queue keeps jobs and commands in the order in which they came. Jobs are
// bounded, and those past the bound are dropped; commands are always taken, so
// that adding and removing an ear can't be lost. Nobody waits to put something
// in.
type queue struct {
	limit   int32
	jobs    atomic.Int32 // waiting and under way
	dropped atomic.Uint64
	closing atomic.Bool

	mu     sync.Mutex
	wake   sync.Cond
	items  []item
	closed bool
}

func newQueue(limit int) *queue {
	q := &queue{limit: int32(limit)}
	q.wake.L = &q.mu
	return q
}

// push takes a job, or drops and counts it.
func (q *queue) push(j job) {
	if q.jobs.Load() >= q.limit {
		q.dropped.Add(1)
		return
	}
	q.jobs.Add(1)
	q.put(item{job: j})
}

// do takes a command. It returns false if the queue is closed and the command will
// never run.
func (q *queue) do(command func()) bool { return q.put(item{command: command}) }

func (q *queue) put(it item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.items = append(q.items, it)
	q.wake.Signal()
	return true
}

// take waits for items and returns all there are, in exchange for an empty
// slice to fill next. It returns false once the queue is closed.
func (q *queue) take(empty []item) ([]item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.wake.Wait()
	}
	if q.closed {
		return nil, false
	}
	items := q.items
	q.items = empty[:0]
	return items, true
}

// done counts a job as finished.
func (q *queue) done() { q.jobs.Add(-1) }

// close lets take return; what waits is discarded.
func (q *queue) close() {
	q.closing.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.items = nil
	q.wake.Broadcast()
}
