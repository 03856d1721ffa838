package stateserver

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
	startTimeout = 30 * time.Second
	// maxStoreBytes is the largest size of all files: so large that the disk is the
	// limit.
	maxStoreBytes = 1 << 40
	// memoryLimit of JetStream in bytes: nothing here is kept in its memory.
	memoryLimit = 16 << 20
	// MaxRecord is the longest record in bytes, with its subject: a room that remembers
	// as many people as it can ([room.MaxRemembered]). NATS takes no more.
	MaxRecord = 8 << 20
)

// An Embedded is a NATS server in this process, reached without a port, which keeps the store of one
// server. It is safe for concurrent use.
type Embedded struct {
	server *server.Server
	lock   *lock
}

// Embed starts one whose files are under dir. It calls failed with its first error, from then on too: it keeps
// nothing reliably after it. The caller closes it.
func Embed(dir string, log *slog.Logger, failed func(error)) (_ *Embedded, err error) {
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	warnLoose(dir, log)
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.close())
		}
	}()
	ns, err := server.NewServer(&server.Options{
		ServerName:         "earshot",
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           dir,
		SyncAlways:         true,
		MaxPayload:         MaxRecord,
		JetStreamMaxStore:  maxStoreBytes,
		JetStreamMaxMemory: memoryLimit,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	logger := &natsLogger{log: log, failed: failed}
	ns.SetLoggerV2(logger, false, false, false)
	ns.Start()
	switch {
	case logger.first() != nil:
		err = fmt.Errorf("the data directory %s cannot be used: %w", dir, logger.first())
	case !ns.ReadyForConnections(startTimeout):
		err = fmt.Errorf("the embedded NATS server did not start within %v", startTimeout)
	case !ns.JetStreamEnabled():
		err = fmt.Errorf("the data directory %s cannot be used", dir)
	}
	if err != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, err
	}
	return &Embedded{ns, lock}, nil
}

// Connect is how a client in this process reaches it.
func (e *Embedded) Connect() nats.Option { return nats.InProcessServer(e.server) }

// Close stops it.
func (e *Embedded) Close() error {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.close()
}

// natsLogger takes the embedded server's log. Warnings and errors are logged, and
// the first error, fatal or not, is told instead of ending the process.
type natsLogger struct {
	log    *slog.Logger
	failed func(error)

	mu       sync.Mutex
	firstErr error
}

func (l *natsLogger) Noticef(string, ...any) {}
func (l *natsLogger) Debugf(string, ...any)  {}
func (l *natsLogger) Tracef(string, ...any)  {}

func (l *natsLogger) Warnf(format string, args ...any) {
	l.log.Warn("store", "nats", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l *natsLogger) Errorf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.log.Error("store", "nats", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firstErr == nil {
		l.firstErr = errors.New(text)
	}
	l.failed(l.firstErr)
}

func (l *natsLogger) Fatalf(format string, args ...any) { l.Errorf(format, args...) }

// first returns the first error.
func (l *natsLogger) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstErr
}
