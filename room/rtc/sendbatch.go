package rtc

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/packet"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// batchMessages is how many messages go out in one system call, and
	// batchBytes the memory for them: speech takes about 150 bytes a packet. More
	// would not make a packet cheaper, and no longer fit into the nearest cache.
	batchMessages = 64
	batchBytes    = 16 << 10
	// maxBundle is how many packets leave as one message at most: half of what one
	// costs is saved with two, and nine tenths with ten. A bundle that is lost is
	// lost whole, and clients rely on the bound.
	maxBundle = udpbatch.MaxBundle
	// maxSegment is how long a packet in a bundle may be, in bytes: it must fit any
	// path's MTU by itself.
	maxSegment = 1200
)

// batchWriter is what a send batch needs of a socket.
type batchWriter interface {
	WriteBatch(ms []udpbatch.Message) (int, error)
}

// batchBuffer holds sealed packets that wait to be sent.
type batchBuffer struct {
	arena    *packet.Arena
	messages [batchMessages]udpbatch.Message
	bundles  [batchMessages]bundle
	n        int
}

// A bundle is what a message of media packets holds. owner is the ear, and nil if the
// message is something else; sizes are those of the payloads.
type bundle struct {
	owner *leanEndpoint
	count int
	sizes [maxBundle]uint16
}

func newBatchBuffer() *batchBuffer {
	arena, err := packet.NewArena(batchBytes)
	if err != nil {
		panic(err) // the size is a constant that is large enough
	}
	return &batchBuffer{arena: arena}
}

// batchPool keeps the idle buffers of a process: as many as there ever were shards
// at work at the same time, however many rooms there are.
type batchPool struct {
	mu   sync.Mutex
	idle []*batchBuffer
}

func (bs *batchPool) get() *batchBuffer {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if last := len(bs.idle) - 1; last >= 0 {
		b := bs.idle[last]
		bs.idle = bs.idle[:last]
		return b
	}
	return newBatchBuffer()
}

func (bs *batchPool) put(b *batchBuffer) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.idle = append(bs.idle, b)
}

// newSendBatch makes the batch of a shard of a room.
func (e *Engine) newSendBatch(shard int) fanout.SendBatch {
	return &sendBatch{writer: e.port.of(shard), spare: &e.port.spare, single: &e.port.single, clock: e.now}
}

// sendBatch gathers what the ears of one shard of one room send. It belongs to the
// shard's goroutine.
type sendBatch struct {
	writer batchWriter
	spare  *batchPool
	single *atomic.Bool // bundles save nothing; nil: they do
	clock  func() time.Time

	buffer *batchBuffer // nil: nothing was added since the last Flush
	now    time.Time
	nanos  int64 // the same, since 1970
	failed int
}

// open begins a batch, unless there is one.
func (b *sendBatch) open() {
	if b.buffer == nil {
		b.buffer, b.now = b.spare.get(), b.clock()
		b.nanos = b.now.UnixNano()
	}
}

// bundles reports whether it saves anything to send several packets as one message.
func (b *sendBatch) bundles() bool { return b.single == nil || !b.single.Load() }

// reserve returns memory for a message of at most n bytes, to be added next.
func (b *sendBatch) reserve(n int) []byte {
	b.open()
	if b.buffer.n == batchMessages {
		b.send()
	}
	memory := b.buffer.arena.Take(n)
	if memory == nil {
		b.send()
		memory = b.buffer.arena.Take(n)
	}
	return memory
}

// add adds a datagram that was written to the reserved memory, and no media packet.
func (b *sendBatch) add(datagram []byte, to netip.AddrPort) {
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: datagram, Addr: to}
	b.buffer.n++
}

// next is the bundle to be added next, which is empty. Memory has been reserved for it.
func (b *sendBatch) next(owner *leanEndpoint) *bundle {
	p := &b.buffer.bundles[b.buffer.n]
	p.owner, p.count = owner, 0
	return p
}

// addBundle adds the next bundle, whose packets have the length of segment, but for the
// last.
func (b *sendBatch) addBundle(packets []byte, to netip.AddrPort, segment int) {
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: packets, Addr: to, Segment: segment}
	b.buffer.n++
}

// send sends what there is. What can't be sent now is dropped.
func (b *sendBatch) send() {
	buf := b.buffer
	done, err := b.writer.WriteBatch(buf.messages[:buf.n])
	for i := range buf.n {
		m, p := &buf.messages[i], &buf.bundles[i]
		if p.owner == nil {
			continue
		}
		sent := 0
		if err == nil || i < done || i == done && errors.Is(err, udpbatch.ErrFull) {
			sent = m.Datagrams()
		}
		b.failed += p.lose(p.count - sent)
		p.owner = nil
	}
	buf.n = 0
	buf.arena.Reset()
}

// lose takes the last n packets from what the ear was sent.
func (p *bundle) lose(n int) int {
	n = min(max(n, 0), p.count)
	for _, size := range p.sizes[p.count-n : p.count] {
		p.owner.packets.Add(^uint64(0))
		p.owner.bytes.Add(-uint64(size))
	}
	return n
}

// Flush implements fanout.SendBatch.
func (b *sendBatch) Flush() int {
	if b.buffer == nil {
		return 0
	}
	b.send()
	b.spare.put(b.buffer)
	b.buffer = nil
	failed := b.failed
	b.failed = 0
	return failed
}
