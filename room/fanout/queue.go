package fanout

import (
	"sync"
	"sync/atomic"
)

// job is one packet for every ear of a mix.
type job struct {
	mix    *mix
	packet Packet
}

// item is an element of a shard's queue: a command if there is one, else a job.
type item struct {
	job
	command func()
	amid    bool // the command may run before what came before it has been sent
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
	due    bool // what is held is to be sent
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

// do takes a command that runs when all that came before has been sent. It returns
// false if the queue is closed and the command will never run.
func (q *queue) do(command func()) bool { return q.put(item{command: command}) }

// doAmid takes a command that may run before what came before it has been sent: else
// those who come and go would keep the shard from sending much at once.
func (q *queue) doAmid(command func()) bool { return q.put(item{command: command, amid: true}) }

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

// take waits for items, or until something is due, and returns all there are, in
// exchange for an empty slice to fill next. It returns false once the queue is closed.
func (q *queue) take(empty []item) ([]item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed && !q.due {
		q.wake.Wait()
	}
	q.due = false
	if q.closed {
		return nil, false
	}
	items := q.items
	q.items = empty[:0]
	return items, true
}

// ring lets take return.
func (q *queue) ring() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = true
	q.wake.Signal()
}

// done counts so many jobs as finished.
func (q *queue) done(n int) { q.jobs.Add(-int32(n)) }

// close lets take return; what waits is discarded.
func (q *queue) close() {
	q.closing.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.items = nil
	q.wake.Broadcast()
}
