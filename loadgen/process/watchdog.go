package process

import (
	"sync"
	"time"
)

const (
	// watchEvery is how often a watchdog wants to run.
	watchEvery = 10 * time.Millisecond
	// stallLength is how late it has to be for a stall.
	stallLength = 20 * time.Millisecond
)

// A Watchdog notices when the process does not run: it was stopped, throttled, or
// had no core. It wants to run every 10 ms and reports when it comes 20 ms late or
// more.
type Watchdog struct {
	// Report is told of each stall, from one goroutine. It must return soon.
	Report func(from, until time.Time)

	stop chan struct{}
	done sync.WaitGroup
}

// Start starts the watch. [Watchdog.Close] ends it.
func (w *Watchdog) Start() {
	w.stop = make(chan struct{})
	w.done.Go(w.run)
}

func (w *Watchdog) run() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		now := time.Now()
		if due := last.Add(watchEvery); now.Sub(due) > stallLength {
			w.Report(due, now)
		}
		last = now
	}
}

// Close ends the watch and waits for it.
func (w *Watchdog) Close() {
	close(w.stop)
	w.done.Wait()
}
