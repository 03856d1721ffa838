package main

import (
	"context"
	"runtime"
)

// A launcher starts a run's server, and makes the run give way to it: what the
// server does on the same cores is what is measured, and the crowd has time, as
// the kernel has stamped what it receives. Nothing of that can be undone, so that
// only main, to which the process belongs, makes one.
//
// It is a goroutine with a thread of its own, which does not become nicer: whoever
// is started from it isn't nicer, either. It ends with the process.
type launcher struct {
	jobs   chan func()
	thread int // its id; 0 if threads have none here
}

func newLauncher() *launcher {
	l := &launcher{jobs: make(chan func())}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		l.thread = threadID()
		close(ready)
		for f := range l.jobs {
			f()
		}
	}()
	<-ready
	return l
}

// launcherKey is where a context has the launcher.
type launcherKey struct{}

func withLauncher(ctx context.Context, l *launcher) context.Context {
	return context.WithValue(ctx, launcherKey{}, l)
}

// launch calls start, which starts a process, where ctx's launcher does, if it has
// one.
func launch(ctx context.Context, start func() error) error {
	l, ok := ctx.Value(launcherKey{}).(*launcher)
	if !ok {
		return start()
	}
	started := make(chan error)
	l.jobs <- func() { started <- start() }
	return <-started
}

// giveWay makes this process nicer than what ctx's launcher starts, if it has one.
// Where the system refuses that, the run is a little less kind to its server.
func giveWay(ctx context.Context) {
	if l, ok := ctx.Value(launcherKey{}).(*launcher); ok {
		benice(l.thread)
	}
}
