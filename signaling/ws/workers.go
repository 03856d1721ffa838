package ws

import (
	"sync"
	"time"
)

const (
	// maxIdleWorkers is how many idle goroutines a pool keeps. It is as many as one
	// burst of a room's broadcasts wakes.
	maxIdleWorkers = 64
	// idleWait is for how long a worker is kept that nothing needed.
	idleWait = 10 * time.Second
)

// workerPool runs short jobs in goroutines that it reuses: their stacks have grown
// to what the work takes, while thousands of waiting connections have none. Every
// job starts at once, however many run, because each may block on a slow client.
// Workers that nothing needed for a while end. Its methods may be called from any
// goroutine.
type workerPool struct {
	mu     sync.Mutex
	closed bool
	// idle are the job channels of the idle workers; the last one is used first.
	idle []chan func()
	// unused is how many of idle, from the first, have not been used since the last trim.
	unused int
	// trimmer ends those, every idleWait, while there are idle workers; nil while there
	// are none.
	trimmer *time.Timer
	// workers counts all goroutines of the pool.
	workers sync.WaitGroup
}

// run starts a job. It never blocks, and may be called with locks held that the
// job takes.
func (p *workerPool) run(job func()) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		jobs := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.unused = min(p.unused, n-1)
		p.mu.Unlock()
		jobs <- job // the channel has room for one
		return
	}
	p.mu.Unlock()
	p.workers.Go(func() { p.work(job) })
}

// work runs a job, and more for as long as the pool keeps this worker.
func (p *workerPool) work(job func()) {
	var jobs chan func()
	for job != nil {
		job()
		if jobs == nil {
			jobs = make(chan func(), 1)
		}
		p.mu.Lock()
		if p.closed || len(p.idle) >= maxIdleWorkers {
			p.mu.Unlock()
			return
		}
		p.idle = append(p.idle, jobs)
		if p.trimmer == nil {
			p.unused, p.trimmer = 0, time.AfterFunc(idleWait, p.trim)
		}
		p.mu.Unlock()
		job = <-jobs // nil when the pool is closed, or has not needed this worker
	}
}

// trim ends the workers that nothing has needed since the last time.
func (p *workerPool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, jobs := range p.idle[:p.unused] {
		close(jobs)
	}
	p.idle = append([]chan func(){}, p.idle[p.unused:]...)
	p.unused = len(p.idle)
	if p.unused == 0 {
		p.trimmer = nil
		return
	}
	p.trimmer.Reset(idleWait)
}

// close ends the idle workers, and the others when their job is done. Jobs that
// come later are run, too.
func (p *workerPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.trimmer != nil {
		p.trimmer.Stop()
	}
	for _, jobs := range p.idle {
		close(jobs)
	}
	p.idle = nil
}

// wait waits until all goroutines of a closed pool have ended.
func (p *workerPool) wait() { p.workers.Wait() }
