package stateserver

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// peerLog takes a peer's log. An error is no reason to fail the store: the other peers go on.
type peerLog struct {
	log *slog.Logger

	mu       sync.Mutex
	last     string // why a peer could not be reached, or was refused
	fatalErr error
}

// Noticef implements server.Logger.
func (l *peerLog) Noticef(string, ...any) {}

// Debugf implements server.Logger.
func (l *peerLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *peerLog) Tracef(string, ...any) {}

// ordinary are the beginnings of warnings that each start or end has: of the password, which is not in
// a file, and of what [Peer.Await] says in other words.
var ordinary = []string{"Plaintext passwords detected", "Waiting for routing", "JetStream has not established contact", "Metalayer blocking snapshot"}

// Warnf implements server.Logger.
func (l *peerLog) Warnf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	if slices.ContainsFunc(ordinary, func(begin string) bool { return strings.HasPrefix(text, begin) }) {
		l.log.Debug("store", "nats", text)
		return
	}
	l.log.Warn("store", "nats", text)
}

// Errorf implements server.Logger.
func (l *peerLog) Errorf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	unreached := strings.Contains(text, "connect to route") // as long as the other is not there
	if unreached || strings.Contains(text, "cluster name") || strings.Contains(text, "TLS") {
		l.mu.Lock()
		l.last = text
		l.mu.Unlock()
	}
	if unreached {
		l.log.Debug("store", "nats", text)
		return
	}
	l.log.Error("store", "nats", text)
}

// Fatalf implements server.Logger.
func (l *peerLog) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatalErr = errors.New(strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// fatal returns why the peer can't start.
func (l *peerLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatalErr
}

// lastly says what went wrong last with another peer.
func (l *peerLog) lastly() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.last == "":
		return ""
	case strings.Contains(l.last, "cluster name"):
		return "; a node with other addresses was refused: give all nodes the same three, each with its own in --cluster-listen and the others in --join"
	}
	return "; the last error: " + l.last
}
