package client

import (
	"sync"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// sendBatchLength is how many datagrams are sent together.
	sendBatchLength = 64
	// sendBatchPacket holds a check or a report, in bytes. Longer datagrams are sent at
	// once.
	sendBatchPacket = 256
)

// A sendBatch gathers what the crowd's timers send on one socket, so that many checks
// and reports take one system call. It gathers while it is open, whoever sends. Other
// packets are sent at once, because somebody waits for them.
//
// It is safe for concurrent use.
type sendBatch struct {
	conn udpbatch.Conn

	mu        sync.Mutex
	gathering bool
	messages  [sendBatchLength]udpbatch.Message
	bodies    [sendBatchLength * sendBatchPacket]byte
	count     int
}

// open starts gathering.
func (o *sendBatch) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gathering = true
}

// close sends what was gathered and stops gathering.
func (o *sendBatch) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gathering = false
	o.flush()
}

// add copies a datagram into the batch. It reports false if the datagram must be sent at
// once.
func (o *sendBatch) add(m udpbatch.Message) bool {
	if len(m.Buf) > sendBatchPacket || !lite.IsPeriodic(m.Buf) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.gathering {
		return false
	}
	if o.count == sendBatchLength {
		o.flush()
	}
	body := o.bodies[o.count*sendBatchPacket:][:len(m.Buf):sendBatchPacket]
	copy(body, m.Buf)
	m.Buf = body
	o.messages[o.count] = m
	o.count++
	return true
}

// flush sends the batch. What the socket does not take is lost, as datagrams are. o.mu
// is held.
func (o *sendBatch) flush() {
	if o.count > 0 {
		_, _ = o.conn.WriteBatch(o.messages[:o.count])
		o.count = 0
	}
}
