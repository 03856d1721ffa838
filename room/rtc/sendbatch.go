package rtc

import (
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/packet"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// batchPackets is how many datagrams go out in one system call, and
	// batchBytes the memory for them: speech takes about 150 bytes a packet. More
	// would not make a packet cheaper, and no longer fit into the nearest cache.
	batchPackets = 64
	batchBytes   = 16 << 10
)

// batchWriter is what a send batch needs of a socket.
type batchWriter interface {
	WriteBatch(ms []udpbatch.Message) (int, error)
}

// batchBuffer holds sealed packets that wait to be sent.
type batchBuffer struct {
	arena    *packet.Arena
	messages [batchPackets]udpbatch.Message
	// owners are the ears of media packets; nil for anything else.
	owners [batchPackets]*leanEndpoint
	sizes  [batchPackets]int // of the payloads
	n      int
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
	return &sendBatch{writer: e.port.of(shard), spare: &e.port.spare, clock: e.now}
}

// sendBatch gathers what the ears of one shard of one room send. It belongs to the
// shard's goroutine.
type sendBatch struct {
	writer batchWriter
	spare  *batchPool
	clock  func() time.Time

	buffer *batchBuffer // nil: nothing was added since the last Flush
	now    time.Time
	nanos  int64 // the same, since 1970
	failed int
}

// reserve returns memory for a packet of at most n bytes, to be added next.
func (b *sendBatch) reserve(n int) []byte {
	if b.buffer == nil {
		b.buffer, b.now = b.spare.get(), b.clock()
		b.nanos = b.now.UnixNano()
	}
	if b.buffer.n == batchPackets {
		b.send()
	}
	memory := b.buffer.arena.Take(n)
	if memory == nil {
		b.send()
		memory = b.buffer.arena.Take(n)
	}
	return memory
}

// add adds a datagram that was written to the reserved memory. owner is the ear of
// a media packet with so many bytes of payload; nil for anything else.
func (b *sendBatch) add(datagram []byte, to netip.AddrPort, owner *leanEndpoint, payload int) {
	i := b.buffer.n
	m := &b.buffer.messages[i]
	m.Buf, m.Addr = datagram, to
	b.buffer.owners[i], b.buffer.sizes[i] = owner, payload
	b.buffer.n++
}

// send sends what there is. What can't be sent now is dropped.
func (b *sendBatch) send() {
	buf := b.buffer
	done, err := b.writer.WriteBatch(buf.messages[:buf.n])
	for i := range buf.n {
		if owner := buf.owners[i]; owner != nil && (i >= done && err != nil || buf.messages[i].N < 0) {
			owner.packets.Add(^uint64(0))
			owner.bytes.Add(-uint64(buf.sizes[i]))
			b.failed++
		}
		buf.owners[i] = nil
	}
	buf.n = 0
	buf.arena.Reset()
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
