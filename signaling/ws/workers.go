package ws

import "sync"

// maxIdleWorkers is how many idle goroutines a pool keeps. It is as many as one
// burst of a room's broadcasts wakes.
const maxIdleWorkers = 64

// workerPool runs short jobs in goroutines that it reuses: their stacks have grown
// to what the work takes, while thousands of waiting connections have none. Every
// job starts at once, however many run, because each may block on a slow client.
// Its methods may be called from any goroutine.
type workerPool struct {
	mu     sync.Mutex
	closed bool
	// idle are the job channels of the idle workers; the last one is used first.
	idle []chan func()
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
		p.mu.Unlock()
		job = <-jobs // nil when the pool is closed
	}
}

// close ends the idle workers, and the others when their job is done. Jobs that
// come later are run, too.
func (p *workerPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, jobs := range p.idle {
		close(jobs)
	}
	p.idle = nil
}

// wait waits until all goroutines of a closed pool have ended.
func (p *workerPool) wait() { p.workers.Wait() }
