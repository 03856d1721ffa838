package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	startWait = 30 * time.Second
	// most is the largest size of all files: so large that the disk itself says
	// when it is full.
	most = 1 << 40
	// memoryLimit of JetStream in bytes: nothing here is kept in its memory.
	memoryLimit = 16 << 20
)

// embedded is a NATS server in this process, reached without a port.
type embedded struct {
	server *server.Server
	lock   *lock
}

// embed starts a server whose files are under dir.
func embed(dir string, log *slog.Logger, h *health) (_ *embedded, err error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	held, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.close())
		}
	}()
	ns, err := server.NewServer(&server.Options{
		ServerName:         "earshot",
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           dir,
		SyncAlways:         true,
		JetStreamMaxStore:  most,
		JetStreamMaxMemory: memoryLimit,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	words := &natsLog{log: log, health: h}
	ns.SetLoggerV2(words, false, false, false)
	ns.Start()
	switch {
	case h.check() != nil:
		err = fmt.Errorf("the data directory %s cannot be used: %w", dir, words.first())
	case !ns.ReadyForConnections(startWait):
		err = fmt.Errorf("the embedded NATS server did not start within %v", startWait)
	case !ns.JetStreamEnabled():
		err = fmt.Errorf("the data directory %s cannot be used", dir)
	}
	if err != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, err
	}
	return &embedded{ns, held}, nil
}

func (e *embedded) connect() nats.Option { return nats.InProcessServer(e.server) }

func (e *embedded) close() error {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.close()
}

// natsLog takes the embedded server's log: its warnings and errors go to ours, and
// the first error, fatal or not, is the end of the store and not of the process.
type natsLog struct {
	log    *slog.Logger
	health *health

	mu    sync.Mutex
	wrong error
}

func (l *natsLog) Noticef(string, ...any) {}
func (l *natsLog) Debugf(string, ...any)  {}
func (l *natsLog) Tracef(string, ...any)  {}

func (l *natsLog) Warnf(format string, args ...any) {
	l.log.Warn("store", "nats", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l *natsLog) Errorf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.log.Error("store", "nats", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong == nil {
		l.wrong = errors.New(text)
	}
	l.health.fail(l.wrong)
}

func (l *natsLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }

// first returns the first error.
func (l *natsLog) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}
