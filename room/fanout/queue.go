package fanout

import (
	"sync"
	"sync/atomic"
)

// job is one packet for every ear of a mix.
type job struct {
	lane   *lane
	mix    *mix
	packet Packet
}

// item is an element of a shard's queue: a command if there is one, else a job. What
// came before a command with a lane is sent before it, in that lane.
type item struct {
	job
	command func()
}

// queue keeps jobs and commands in the order in which they came. The jobs of a lane are
// bounded, and those past the bound are dropped; commands are always taken, so
// that adding and removing an ear can't be lost. Nobody waits to put something
// in.
type queue struct {
	closing atomic.Bool

	mu     sync.Mutex
	wake   sync.Cond
	items  []item
	closed bool
	due    bool // what is held is to be sent
}

func newQueue() *queue {
	q := &queue{}
	q.wake.L = &q.mu
	return q
}

// push takes a job, or drops and counts it.
func (q *queue) push(j job) {
	if j.lane.jobs.Load() >= j.lane.limit {
		j.lane.dropped.Add(1)
		return
	}
	j.lane.jobs.Add(1)
	q.put(item{job: j})
}

// do takes a command that runs when all that came before in a lane has been sent. It
// returns false if the queue is closed and the command will never run.
func (q *queue) do(l *lane, command func()) bool {
	return q.put(item{job: job{lane: l}, command: command})
}

// doAmid takes a command that may run before what came before it has been sent: else
// those who come and go would keep the shard from sending much at once.
func (q *queue) doAmid(command func()) bool { return q.put(item{command: command}) }

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

// close lets take return; what waits is discarded.
func (q *queue) close() {
	q.closing.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.items = nil
	q.wake.Broadcast()
}
