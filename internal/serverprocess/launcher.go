package serverprocess

import (
	"context"
	"runtime"
)

// A Launcher starts processes from a thread whose priority never changes, so that
// the rest of this process can lower its own. A load generator does that when it
// shares the cores with its server: what the server does is measured, and the
// generator can afford to wait, since the kernel stamps what it receives.
//
// The lower priority can't be taken back, so only main, which owns the process,
// makes a Launcher. Its goroutine ends with the process.
type Launcher struct {
	starts chan func()
	thread int // the id of its thread; 0 where threads have none
}

// NewLauncher starts the launcher's thread.
func NewLauncher() *Launcher {
	l := &Launcher{starts: make(chan func())}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		l.thread = threadID()
		close(ready)
		for start := range l.starts {
			start()
		}
	}()
	<-ready
	return l
}

type launcherKey struct{}

// WithLauncher returns a context in which [Start] and [LowerPriority] use the
// launcher.
func WithLauncher(ctx context.Context, l *Launcher) context.Context {
	return context.WithValue(ctx, launcherKey{}, l)
}

// launch calls start on the thread of the context's launcher, if there is one.
func launch(ctx context.Context, start func() error) error {
	l, ok := ctx.Value(launcherKey{}).(*Launcher)
	if !ok {
		return start()
	}
	started := make(chan error)
	l.starts <- func() { started <- start() }
	return <-started
}

// LowerPriority gives this process a lower priority than the processes that the
// context's launcher starts. It does nothing without a launcher, or where the
// system refuses it.
func LowerPriority(ctx context.Context) {
	if l, ok := ctx.Value(launcherKey{}).(*Launcher); ok {
		lowerPriorityExcept(l.thread)
	}
}
