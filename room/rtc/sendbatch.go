package rtc

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/icetcp"
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
	lost  *uint64 // where it is counted what can't be sent
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

// newSendBatch makes the batch of a shard.
func (e *Engine) newSendBatch(shard int) fanout.SendBatch {
	b := newSendBatch(e.port.of(shard), func() time.Time { return e.now() })
	b.single, b.tcp = &e.port.single, e.port.tcp
	return b
}

// sendBatch gathers what the ears of one shard send. It belongs to the shard's
// goroutine.
type sendBatch struct {
	writer batchWriter
	single *atomic.Bool // bundles save nothing; nil: they do
	tcp    *icetcp.Port // takes what is for TCP connections; nil: nothing is
	clock  func() time.Time

	buffer *batchBuffer
	opened bool // something was added since the last Flush
	now    time.Time
	nanos  int64 // the same, since 1970
	lost   *uint64

	redundant redundantPayloads
}

func newSendBatch(writer batchWriter, clock func() time.Time) *sendBatch {
	return &sendBatch{writer: writer, clock: clock, buffer: newBatchBuffer(), lost: new(uint64)}
}

// CountLost implements fanout.SendBatch.
func (b *sendBatch) CountLost(lost *uint64) { b.lost = lost }

// open begins a batch, unless it has begun.
func (b *sendBatch) open() {
	if !b.opened {
		b.opened, b.now = true, b.clock()
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
	if isOverTCP(b.tcp, to) {
		b.tcp.Send(datagram, to)
		return
	}
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: datagram, Addr: to}
	b.buffer.n++
}

// next is the bundle to be added next, which is empty. Memory has been reserved for it.
func (b *sendBatch) next(owner *leanEndpoint) *bundle {
	p := &b.buffer.bundles[b.buffer.n]
	p.owner, p.count, p.lost = owner, 0, b.lost
	return p
}

// addBundle adds the next bundle, whose packets have the length of segment, but for the
// last.
func (b *sendBatch) addBundle(packets []byte, to netip.AddrPort, segment int) {
	if isOverTCP(b.tcp, to) {
		b.sendOverTCP(packets, to, segment)
		return
	}
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: packets, Addr: to, Segment: segment}
	b.buffer.n++
}

// sendOverTCP gives the next bundle's packets to a TCP connection, which does not wait.
// What it has no place for is dropped.
func (b *sendBatch) sendOverTCP(packets []byte, to netip.AddrPort, segment int) {
	p := &b.buffer.bundles[b.buffer.n]
	sent := 0
	for ; sent < p.count; sent++ {
		n := len(packets)
		if segment > 0 {
			n = min(n, segment)
		}
		if !b.tcp.Send(packets[:n], to) {
			break
		}
		packets = packets[n:]
	}
	p.lose(p.count - sent)
	p.owner = nil
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
		p.lose(p.count - sent)
		p.owner = nil
	}
	buf.n = 0
	buf.arena.Reset()
}

// lose takes the last n packets from what the ear was sent.
func (p *bundle) lose(n int) {
	n = min(max(n, 0), p.count)
	for _, size := range p.sizes[p.count-n : p.count] {
		p.owner.packets.Add(^uint64(0))
		p.owner.bytes.Add(-uint64(size))
	}
	*p.lost += uint64(n)
}

// Flush implements fanout.SendBatch.
func (b *sendBatch) Flush() {
	if b.opened {
		b.send()
		b.opened = false
	}
}
