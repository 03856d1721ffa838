package stateserver

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// importSubject is where a node answers that begins its cluster with what a single server has kept.
	importSubject = "earshot.store.import"
	// importAnswer is how long that may take.
	importAnswer = 300 * time.Millisecond
)

// AnswerImport answers on a connection that this node imports, until the returned function is called.
func AnswerImport(conn *nats.Conn) (done func(), err error) {
	s, err := conn.Subscribe(importSubject, func(m *nats.Msg) { _ = m.Respond(nil) }) // who asks asks again
	if err != nil {
		return nil, fmt.Errorf("tell the others of the import: %w", err)
	}
	return func() { _ = s.Unsubscribe() }, nil // it fails if the connection has been closed
}

// Importing reports whether another node imports.
func Importing(conn *nats.Conn) bool {
	_, err := conn.Request(importSubject, nil, importAnswer)
	return err == nil
}
