package client

import (
	"sync"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// outboxRoom is how many datagrams go out at once.
	sendBatchLength = 64
	// outboxSize is room for a check or a report. What is longer goes out by itself.
	sendBatchPacket = 256
)

// An outbox gathers what the crowd's timers send by one socket, so that thousands
// of checks and reports cost a system call for many of them. While it is open it
// takes them from whoever sends; what else is sent has somebody who waits for it,
// and goes out at once.
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

// open begins to gather.
func (o *sendBatch) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gathering = true
}

// close sends what there is, and gathers no more.
func (o *sendBatch) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gathering = false
	o.flush()
}

// add takes a copy of a datagram, or not if it is to go out at once.
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

// flush sends what there is. What the socket does not take is lost, as datagrams
// are. o.mu is held.
func (o *sendBatch) flush() {
	if o.count > 0 {
		_, _ = o.conn.WriteBatch(o.messages[:o.count])
		o.count = 0
	}
}
